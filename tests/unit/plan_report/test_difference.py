"""What each change of a plan restarts, in words that are compared exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, DUAL, FLANNEL, KUBENET, WITH_ETCD, host, hosts, prepare
from plan_examples import ENGINE, MODES
from plan_report_cases import DUAL_HOSTS, PLANS, THREE, WIDE, difference, plan

from flatnet.plan import Host, Settings
from flatnet.plan.immutable import KINDS, immutable_changes
from flatnet.plan_report import Change, Difference, plan_difference, plan_document
from flatnet.plan_report.changes import UNITS, Restart, combined

ROOT = Path(__file__).resolve().parents[3]
NODES = ("control-plane-1", "node-1", "node-2")
FIRST = ("control-plane-1",)
TABLE = "The nftables table flatnet_masquerade is replaced on every node, in one step."


def by_subject(found: Difference) -> dict[str, Change]:
    assert len({change.subject for change in found.changes}) == len(found.changes)
    return {change.subject: change for change in found.changes}


def only(found: Difference) -> Change:
    assert len(found.changes) == 1, found.changes
    return found.changes[0]


def restarts(change: Change) -> dict[str, tuple[str, ...]]:
    return dict(change.restarts)


def test_without_a_record_everything_is_new() -> None:
    found = plan_difference(None, PLANS["kubenet"])
    assert (found.known, found.changes, found.restarts) == (False, (), ())
    assert found.summary == "Nothing is recorded as deployed: everything in this plan is new."


@pytest.mark.parametrize("name", sorted(PLANS))
def test_the_same_plan_changes_nothing(name: str) -> None:
    found = difference(PLANS[name], plan_document(PLANS[name]))
    assert found == Difference(known=True)
    assert found.summary == "Nothing changes: this plan is what is deployed."


def test_a_new_name_of_the_api_reissues_its_certificate_and_restarts_the_api_server() -> None:
    change = only(difference(plan(), plan(Settings(extra_apiserver_sans=("api.example.com", "192.0.2.5")))))
    assert change.words == "The API server's certificate gains 192.0.2.5 and api.example.com."
    assert change.effects == (
        "The certificate apiserver is issued again, by the same CA: clients go on trusting it.",
    )
    assert restarts(change) == {"kube-apiserver": FIRST}


def test_a_name_that_goes_reissues_the_certificate_too() -> None:
    change = only(difference(plan(Settings(extra_apiserver_sans=("api.example.com",))), plan()))
    assert change.words == "The API server's certificate loses api.example.com."


def test_a_new_node_is_one_route_on_each_other_and_restarts_nothing() -> None:
    found = difference(plan(), plan(some=[*THREE, host("node-3", "192.0.2.14")]))
    change = only(found)
    assert change.words == "node-3 with 10.200.3.0/24 joins."
    assert change.effects == (
        "Everything is installed and started on node-3.",
        "1 route is added on each of the 3 other hosts; nothing restarts there.",
        TABLE,
    )
    assert change.restarts == ()
    assert found.summary == "1 change; nothing restarts."


def test_a_new_node_of_a_tunnel_is_told_by_the_backend() -> None:
    wanted = plan(some=[*THREE, host("node-3", "192.0.2.14")], contract=FLANNEL)
    assert only(difference(PLANS["flannel"], wanted)).effects == (
        "Everything is installed and started on node-3.",
        "flannel announces this to the other nodes itself; nothing restarts there.",
        TABLE,
    )


def test_many_nodes_join_in_one_change() -> None:
    change = only(difference(plan(WIDE, hosts(10)), plan(WIDE, hosts(500))))
    assert change.words.startswith("node-0010 with 10.128.10.0/24, node-0011 with 10.128.11.0/24, ")
    assert change.words.endswith(" and 485 more join.")
    assert "490 routes are added on each of the 10 other hosts; nothing restarts there." in change.effects


def test_a_node_that_leaves_keeps_its_network_and_leaves_its_node_object() -> None:
    change = only(difference(plan(), plan(some=THREE[:2])))
    assert change.words == "node-2 leaves."
    assert change.effects == (
        "Its pod network stays reserved for a return.",
        "The routes to them disappear from the other hosts.",
        "Drain it before, and delete after the Node object node-2: provisioning touches neither pods nor a "
        "host "
        "that left.",
        TABLE,
    )
    assert change.restarts == ()


def test_another_dns_address_restarts_every_kubelet() -> None:
    change = only(difference(plan(), plan(Settings(dns_addresses=("10.32.0.53",)))))
    assert change.words == "The DNS address: 10.32.0.10 becomes 10.32.0.53."
    assert restarts(change) == {"kubelet": NODES}


@pytest.mark.parametrize(
    ("wanted", "subject", "units"),
    [
        (Settings(max_pods=100), "kubelet_configuration", {"kubelet": NODES}),
        (Settings(kube_proxy_mode="nftables"), "kube_proxy_configuration", {"kube-proxy": NODES}),
        (Settings(node_port_range="31000-32000"), "node_port_range", {"kube-apiserver": FIRST}),
        (Settings(underlay_mtu=9000), "mtu", {}),
        (
            Settings(cluster_name="other"),
            "cluster_name",
            {
                "kube-controller-manager": FIRST,
                "kube-scheduler": FIRST,
                "kubelet": NODES,
                "kube-proxy": NODES,
            },
        ),
        (
            Settings(pod_cidrs=("10.200.0.0/15",)),
            "pod_cidrs",
            {"kube-controller-manager": FIRST, "kube-proxy": NODES},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_setting_restarts_exactly_what_reads_it(
    wanted: Settings, subject: str, units: dict[str, tuple[str, ...]]
) -> None:
    change = only(difference(plan(), plan(wanted)))
    assert (change.subject, restarts(change), change.refused) == (subject, units, "")


def test_wider_pod_networks_restart_the_backend_that_reads_them() -> None:
    wanted = plan(Settings(pod_cidrs=("10.200.0.0/15",)), contract=FLANNEL)
    assert restarts(only(difference(PLANS["flannel"], wanted))) == {
        "kube-controller-manager": FIRST,
        "kube-proxy": NODES,
        "flanneld": NODES,
    }


def test_another_node_prefix_moves_no_node() -> None:
    deployed = plan()
    before = {name: node["pod_cidrs"] for name, node in deployed["nodes"].items()}
    change = only(difference(deployed, plan(Settings(node_prefixes=(23,)), nodes=before)))
    assert change.effects == ("Nodes that exist keep their networks.",)
    assert restarts(change) == {"kube-controller-manager": FIRST}


NODES_MOVED = {
    "control-plane-1": ["10.200.9.0/24"],
    "node-1": ["10.200.8.0/24"],
    "node-2": ["10.200.2.0/24"],
}
# Kind of change, subject, deployed, wanted, words.
GUARDED = prepare(Settings(network_policy_engine="example"), THREE, others=[ENGINE]).plan
JUDGED: list[tuple[str, str, dict[str, Any], dict[str, Any], str]] = [
    (
        "dns_domain",
        "dns_domain",
        plan(),
        plan(Settings(dns_domain="example.com")),
        "The DNS domain: cluster.local becomes example.com.",
    ),
    (
        "control_plane",
        "api_endpoint",
        plan(),
        plan(
            some=[
                replace(THREE[0], groups=WITH_ETCD),
                replace(THREE[1], groups=WITH_ETCD ^ {"etcd", "kube_control_plane"}),
                THREE[2],
            ]
        ),
        "Nodes, backends and kubeconfigs reach the API at https://192.0.2.12:6443 in place of "
        "https://192.0.2.11:6443.",
    ),
    (
        "dns_addresses",
        "dns_addresses",
        plan(),
        plan(Settings(dns_addresses=("10.32.0.53",))),
        "The DNS address: 10.32.0.10 becomes 10.32.0.53.",
    ),
    (
        "service_cidrs",
        "service_cidrs",
        plan(),
        plan(Settings(service_cidrs=("10.33.0.0/24",))),
        "The service networks: 10.32.0.0/24 becomes 10.33.0.0/24.",
    ),
    (
        "pod_cidrs",
        "pod_cidrs",
        plan(),
        plan(Settings(pod_cidrs=("10.201.0.0/16",))),
        "The pod networks: 10.200.0.0/16 becomes 10.201.0.0/16.",
    ),
    (
        "families",
        "pod_cidrs",
        plan(DUAL, DUAL_HOSTS),
        plan(some=DUAL_HOSTS),
        "The pod networks: 10.200.0.0/16, 2001:db8:200::/56 becomes 10.200.0.0/16.",
    ),
    (
        "node_pod_cidrs",
        "node pod network",
        plan(),
        plan(nodes=NODES_MOVED),
        "The pods move: control-plane-1 from 10.200.0.0/24 to 10.200.9.0/24 and node-1 from 10.200.1.0/24 to "
        "10.200.8.0/24.",
    ),
    (
        "node_names",
        "node renamed",
        plan(),
        plan(some=[*THREE[:2], host("node-2", "192.0.2.13", node_name="worker-2")]),
        "The Node name node-2 becomes worker-2.",
    ),
    (
        "backend",
        "backend",
        plan(contract=FLANNEL),
        plan(),
        "The backend: flannel becomes kubenet.",
    ),
    (
        "policy_engine",
        "policy_engine",
        GUARDED,
        plan(),
        "Network policies: example becomes none.",
    ),
    (
        "backend_mode",
        "backend_mode",
        plan(contract=MODES),
        plan(Settings(network_backend_mode="tunnel"), contract=MODES),
        "The backend: kubenet in mode direct becomes kubenet in mode tunnel.",
    ),
    (
        "etcd_members",
        "etcd members",
        plan(),
        plan(some=[THREE[0], host("node-1", "192.0.2.12", groups={"etcd", "kube_node"}), THREE[2]]),
        "The members of etcd: control-plane-1 becomes control-plane-1 and node-1.",
    ),
]


@pytest.mark.parametrize(
    ("kind", "subject", "deployed", "wanted", "words"), JUDGED, ids=[judged[0] for judged in JUDGED]
)
def test_what_a_running_cluster_does_not_follow_is_refused_in_the_words_of_the_one_judgement(
    kind: str, subject: str, deployed: dict[str, Any], wanted: dict[str, Any], words: str
) -> None:
    found = difference(deployed, wanted)
    change = next(change for change in found.changes if change.subject == subject)
    judged = next(change for change in immutable_changes(deployed, wanted) if change.kind == kind)
    assert (change.words, change.refused) == (words, KINDS[kind].reason)
    assert change.remedy == f"{KINDS[kind].keep}; or {judged.how}"
    assert found.changes[0].refused, "refused changes come first"
    assert len(found.refused) == len({change.kind for change in immutable_changes(deployed, wanted)})
    assert found.summary.endswith("refused: this plan cannot be provisioned.")


@pytest.mark.parametrize(
    ("kind", "subject", "deployed", "wanted", "words"), JUDGED, ids=[judged[0] for judged in JUDGED]
)
def test_a_change_that_is_allowed_says_what_it_takes_and_what_it_restarts(
    kind: str, subject: str, deployed: dict[str, Any], wanted: dict[str, Any], words: str
) -> None:
    found = plan_difference(deployed, wanted, [kind])
    change = next(change for change in found.changes if change.subject == subject)
    judged = next(change for change in immutable_changes(deployed, wanted) if change.kind == kind)
    assert (change.words, change.refused, change.remedy) == (words, "", "")
    assert change.effects[:2] == (
        f"Allowed, though {KINDS[kind].reason}.",
        f"To be done by hand: {judged.how}.",
    )


def test_every_kind_of_change_that_is_judged_is_told_here() -> None:
    assert {judged[0] for judged in JUDGED} == set(KINDS)


def test_a_domain_and_a_service_network_restart_what_reads_them() -> None:
    found = plan_difference(plan(), plan(Settings(dns_domain="example.com")), ["dns_domain"])
    assert restarts(by_subject(found)["dns_domain"]) == {"kube-apiserver": FIRST, "kubelet": NODES}
    wanted = plan(Settings(service_cidrs=("10.33.0.0/24",)))
    changes = by_subject(plan_difference(plan(), wanted, ["service_cidrs"]))
    assert restarts(changes["service_cidrs"]) == {"kube-apiserver": FIRST, "kube-controller-manager": FIRST}
    assert changes["dns_addresses"].refused


def test_the_restarts_of_refused_changes_are_not_counted() -> None:
    found = difference(plan(), plan(Settings(dns_domain="example.com")))
    assert {restart.unit for restart in found.restarts} == {"kube-apiserver"}


def test_a_node_that_moves_restarts_its_own_kubelet_alone() -> None:
    change = only(difference(plan(), plan(some=[*THREE[:2], host("node-2", "192.0.2.99")])))
    assert change.words == "The address moves: node-2 from 192.0.2.13 to 192.0.2.99."
    assert change.effects == (
        "Its certificate is issued again with the new address.",
        "The routes to the pods there change their gateway on every other host.",
        TABLE,
    )
    assert restarts(change) == {"kubelet": ("node-2",)}


def test_a_node_that_moves_restarts_its_tunnel() -> None:
    wanted = plan(some=[*THREE[:2], host("node-2", "192.0.2.99")], contract=FLANNEL)
    change = only(difference(PLANS["flannel"], wanted))
    assert restarts(change) == {"kubelet": ("node-2",), "flanneld": ("node-2",)}


def test_a_control_plane_that_moves_is_known_to_every_node() -> None:
    moved = [host("control-plane-1", "192.0.2.99", groups=ALL_GROUPS), *THREE[1:]]
    changes = by_subject(difference(plan(), plan(some=moved)))
    assert sorted(changes) == ["api_endpoint", "apiserver_sans", "etcd members", "node address"]
    assert restarts(changes["api_endpoint"]) == {"kubelet": NODES, "kube-proxy": NODES}
    assert restarts(changes["etcd members"]) == {"etcd": FIRST, "kube-apiserver": FIRST}
    assert restarts(changes["node address"]) == {"kubelet": FIRST, "kube-apiserver": FIRST}
    assert changes["etcd members"].refused == ""


def test_an_etcd_member_among_several_does_not_move_by_its_flags() -> None:
    def three(address: str) -> list[Host]:
        return [
            host("a", address, groups=ALL_GROUPS),
            *(host(n, f"192.0.2.2{n}", groups=WITH_ETCD) for n in "12"),
        ]

    change = by_subject(difference(plan(some=three("192.0.2.30")), plan(some=three("192.0.2.31"))))[
        "etcd members"
    ]
    assert change.words == "The address of the etcd member a moves."
    assert change.remedy.endswith(
        "or tell etcd first, with etcdctl member update, one member after the other"
    )


def test_another_inventory_name_is_no_change() -> None:
    renamed = [*THREE[:2], host("host-7", "192.0.2.13", node_name="node-2")]
    assert difference(plan(), plan(some=renamed)).changes == ()


def test_another_node_name_restarts_what_carries_it() -> None:
    renamed = [*THREE[:2], host("node-2", "192.0.2.13", node_name="worker-2")]
    changes = by_subject(difference(plan(), plan(some=renamed)))
    change = changes["node renamed"]
    assert change.words == "The Node name node-2 becomes worker-2."
    assert restarts(change) == {"kubelet": ("node-2",), "kube-proxy": ("node-2",)}


def test_a_host_that_gets_another_part_starts_and_keeps_units() -> None:
    wanted = plan(some=[THREE[0], host("node-1", "192.0.2.12", groups={"etcd"}), THREE[2]])
    change = by_subject(difference(plan(), wanted))["node part"]
    assert change.words == "node-1 becomes an etcd member and is no longer a node."
    assert change.effects == (
        "etcd starts there.",
        "containerd, kubelet and kube-proxy keep running there: provisioning stops nothing on a host that "
        "left a group.",
    )


def test_a_key_that_is_not_known_is_told_and_not_passed_over() -> None:
    change = only(difference(plan() | {"colour": "blue"}, plan() | {"colour": "red"}))
    assert change.words == "colour changes, which another version of flatnet wrote."
    assert change.effects == ("At most every unit restarts; run --check --diff to see which.",)
    assert {unit for group in UNITS.values() for unit in group} == set(restarts(change))


def test_a_flag_that_is_new_restarts_its_daemon() -> None:
    wanted = plan()
    wanted["flags"] = wanted["flags"] | {"kube-apiserver": wanted["flags"]["kube-apiserver"] | {"v": "4"}}
    change = only(difference(plan(), wanted))
    assert (change.words, restarts(change)) == (
        "Flags of kube-apiserver: --v unset becomes 4.",
        {"kube-apiserver": FIRST},
    )


def test_what_the_backend_declares_may_change() -> None:
    wanted = plan(contract=FLANNEL | {"ports": [{"protocol": "udp", "port": 8473, "purpose": "VXLAN"}]})
    assert only(difference(PLANS["flannel"], wanted)).words == "What backend flannel declares changes: ports."


def test_an_effect_of_several_changes_is_said_once() -> None:
    found = difference(plan(), plan(some=[THREE[0], THREE[1], host("node-9", "192.0.2.19")]))
    assert [TABLE in change.effects for change in found.changes] == [True, False]


def test_a_unit_restarts_once_on_all_of_its_hosts() -> None:
    both = combined(
        [
            Restart("kubelet", ("b",)),
            Restart("etcd", ("a",)),
            Restart("kubelet", ("a", "b")),
            Restart("x", ()),
        ]
    )
    assert both == (Restart("etcd", ("a",)), Restart("kubelet", ("a", "b")))


@settings(max_examples=40)
@given(st.permutations(THREE), st.permutations([*THREE, host("node-3", "192.0.2.14")]))
def test_the_order_of_hosts_means_nothing(deployed: list[Host], wanted: list[Host]) -> None:
    assert difference(plan(some=deployed), plan(some=wanted)) == difference(
        plan(), plan(some=[*THREE, host("node-3", "192.0.2.14")])
    )


def test_an_engine_that_is_chosen_is_installed() -> None:
    change = only(difference(plan(), GUARDED))
    assert change.words == "Network policies: none becomes example."
    assert change.effects == ("example is installed and started on every node.",)


def test_without_kube_proxy_it_is_removed_and_does_not_restart() -> None:
    contract = KUBENET | {"kube_proxy_modes": ["iptables", "none"]}
    without = plan(Settings(kube_proxy_mode="none"), contract=contract)
    change = only(difference(plan(contract=contract), without))
    assert change.words == "The mode of kube-proxy: iptables becomes none."
    assert change.effects == ("kube-proxy is taken off every node.",)
    wider = plan(Settings(kube_proxy_mode="none", pod_cidrs=("10.200.0.0/15",)), contract=contract)
    assert restarts(only(difference(without, wider))) == {"kube-controller-manager": FIRST}
