"""What is deployed and cannot be changed under a running cluster."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import DUAL, FLANNEL, HOSTS, KUBENET, WITH_ETCD, findings, members, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Host, Settings, immutable_changes
from flatnet.plan.catalog import RULES
from flatnet.plan.immutable import KINDS

DUAL_HOSTS = [replace(one, addresses=(*one.addresses, f"2001:db8::{i}")) for i, one in enumerate(HOSTS, 1)]
DEPLOYED = prepare().plan
REPLACE = (
    "drain the node, stop its kubelet, delete its Node object with kubectl and the bridge of its pods with "
    "ip link delete, and provision"
)


def changes(deployed: dict[str, Any], wanted: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(c.kind, c.value, c.deployed, c.host) for c in immutable_changes(deployed, wanted)]


def test_the_same_plan_changes_nothing() -> None:
    assert changes(DEPLOYED, prepare().plan) == []
    assert prepare(deployed=DEPLOYED).warnings == []


@pytest.mark.parametrize(
    "settings",
    [
        Settings(pod_cidrs=("10.200.0.0/15",)),
        Settings(kube_proxy_mode="nftables", max_pods=50),
        Settings(extra_service_cidrs=("10.33.0.0/24",)),
        Settings(extra_apiserver_sans=("api.example.com",)),
    ],
    ids=["wider pods", "other daemons", "more services", "more names"],
)
def test_what_a_running_cluster_follows_is_no_finding(settings: Settings) -> None:
    assert prepare(settings, allocations=prepare().allocations.to_mapping(), deployed=DEPLOYED).warnings == []


def test_a_node_that_leaves_is_told_of_with_what_it_takes() -> None:
    assert prepare(some=HOSTS[:1], deployed=DEPLOYED).warnings == [
        "[node-leaving] node-b, node-c: deployed, and not among the planned nodes: the pods there are cut "
        "off from all others. Fix: nothing, once the node is drained and deleted; else put it back, and do "
        "that first."
    ]


def test_a_node_whose_networks_the_backend_gives_out_is_told_of_too() -> None:
    deployed = {"nodes": {"node-z": {"name": "node-z", "groups": ["kube_node"]}}}
    assert [line.partition(": ")[0] for line in prepare(deployed=deployed).warnings] == [
        "[node-leaving] node-z"
    ]


def test_a_second_pod_network_and_another_node_are_no_finding() -> None:
    more = Settings(pod_cidrs=("10.200.0.0/16", "10.201.0.0/16"))
    assert prepare(more, contract=KUBENET | {"several_pod_cidrs": True}, deployed=DEPLOYED).warnings == []
    fewer = prepare(some=HOSTS[:2]).plan
    assert prepare(deployed=fewer).warnings == []


def test_another_pod_network_says_what_each_node_would_have_to_go_through() -> None:
    assert changes(DEPLOYED, prepare(Settings(pod_cidrs=("10.201.0.0/16",))).plan) == [
        ("pod_cidrs", "cluster_pod_cidrs 10.201.0.0/16", "10.200.0.0/16", ""),
        ("node_pod_cidrs", "pod network 10.201.0.0/24", "10.200.0.0/24", "node-a"),
        ("node_pod_cidrs", "pod network 10.201.1.0/24", "10.200.1.0/24", "node-b"),
        ("node_pod_cidrs", "pod network 10.201.2.0/24", "10.200.2.0/24", "node-c"),
    ]
    assert findings(Settings(pod_cidrs=("10.201.0.0/16",)), deployed=DEPLOYED)[0] == (
        "[immutable-node-cidr] node-a: pod network 10.201.0.0/24 in place of 10.200.0.0/24; "
        "node-b: pod network 10.201.1.0/24 in place of 10.200.1.0/24; "
        "node-c: pod network 10.201.2.0/24 in place of 10.200.2.0/24: Node.spec.podCIDRs is immutable, "
        "and pods that run keep their addresses. "
        f"Fix: keep what is deployed, with a pin if need be; or {REPLACE}, "
        "and say so with cluster_allowed_changes: [node_pod_cidrs]."
    )


@pytest.mark.parametrize("wanted", ["10.32.0.0/23", "10.40.0.0/24", "10.32.0.0/25"])
def test_another_service_network_is_refused_even_when_it_is_wider(wanted: str) -> None:
    lines = findings(Settings(service_cidrs=(wanted,), dns_addresses=()), deployed=DEPLOYED)
    assert [line for line in lines if "immutable-service-cidr" in line] == [
        f"[immutable-service-cidr] cluster_service_cidrs {wanted} in place of 10.32.0.0/24: a Service "
        "keeps its "
        "addresses, and the API server goes on with what is deployed. "
        "Fix: keep what is deployed, and add networks with cluster_extra_service_cidrs; "
        "or delete every Service and the ServiceCIDR kubernetes with kubectl delete --wait=false, "
        "stop every API server before it makes them again, "
        "provision twice, since the network is taken over some seconds after the start, "
        "and create every Service and every pod again, "
        "and say so with cluster_allowed_changes: [service_cidrs]."
    ]


def test_a_second_family_asks_for_every_nodes_object_and_for_nothing_else() -> None:
    wanted = prepare(DUAL, DUAL_HOSTS, allocations=prepare().allocations.to_mapping()).plan
    assert [kind for kind, *_ in changes(DEPLOYED, wanted)] == ["node_pod_cidrs"] * 3


def test_giving_up_a_family_and_turning_families_around_are_refused() -> None:
    dual = prepare(DUAL, DUAL_HOSTS).plan
    turned = Settings(pod_cidrs=DUAL.pod_cidrs[::-1], service_cidrs=DUAL.service_cidrs[::-1])
    for some, families in ((Settings(), "ipv4"), (turned, "ipv6, ipv4")):
        found = changes(dual, prepare(some, DUAL_HOSTS).plan)
        assert found[0] == ("families", f"families {families}", "ipv4, ipv6", "")
        assert {kind for kind, *_ in found} <= {"families", "dns_addresses"}


def test_another_dns_domain_and_address_are_refused_in_one_go_with_everything_else() -> None:
    wrong = Settings(dns_domain="example.com", dns_addresses=("10.32.0.53",), kube_proxy_mode="x")
    rules = [line.partition("]")[0][1:] for line in findings(wrong, deployed=DEPLOYED)]
    assert rules == ["immutable-dns-address", "immutable-dns-domain", "kube-proxy-mode"]


def test_another_name_of_a_node_is_named_with_its_host() -> None:
    some = [HOSTS[0], replace(HOSTS[1], node_name="new-b"), HOSTS[2]]
    assert findings(some=some, allocations=prepare().allocations.to_mapping(), deployed=DEPLOYED) == [
        "[immutable-node-name] node-b: node name new-b in place of node-b: a Node object keeps its name. "
        f"Fix: keep what is deployed; or {REPLACE} (its pod network stays with the old name), "
        "and say so with cluster_allowed_changes: [node_names]."
    ]


def test_hosts_are_matched_by_their_node_and_only_then_by_their_name() -> None:
    renamed = [*HOSTS[:2], replace(HOSTS[2], inventory_name="host-7", node_name="node-c")]
    moved = prepare(some=renamed, allocations={"nodes": {"node-c": ["10.200.9.0/24"]}}).plan
    assert changes(DEPLOYED, moved) == [
        ("node_pod_cidrs", "pod network 10.200.9.0/24", "10.200.2.0/24", "host-7")
    ]


B, C = HOSTS[1], HOSTS[2]


@pytest.mark.parametrize(
    "swapped",
    [
        [replace(B, node_name="node-c"), replace(C, node_name="node-b")],
        [replace(B, addresses=C.addresses), replace(C, addresses=B.addresses)],
        [
            replace(B, inventory_name="node-c", node_name="node-c"),
            replace(C, inventory_name="node-b", node_name="node-b"),
        ],
    ],
    ids=["node names", "addresses", "both names"],
)
def test_names_that_two_deployed_nodes_exchanged_are_refused_with_both(swapped: list[Host]) -> None:
    found = [line for line in findings(some=[HOSTS[0], *swapped], deployed=DEPLOYED) if "node-name" in line]
    told = " ".join(found)
    assert "node name node-c at 192.0.2.12 in place of node-b" in told
    assert "node name node-b at 192.0.2.13 in place of node-c" in told
    assert all(line.startswith("[immutable-node-name] ") for line in found)


def test_an_address_that_nobody_has_any_more_may_become_another_nodes() -> None:
    assert changes(DEPLOYED, prepare(some=[HOSTS[0], replace(B, addresses=C.addresses)]).plan) == []
    moved = [HOSTS[0], replace(B, addresses=("192.0.2.99",)), replace(C, addresses=B.addresses)]
    assert [kind for kind, *_ in changes(DEPLOYED, prepare(some=moved).plan)] == ["node_names"]


def test_a_host_that_is_no_longer_a_node_leaves_without_a_finding() -> None:
    some = [*HOSTS[:2], replace(HOSTS[2], groups=frozenset({"etcd"}))]
    assert [kind for kind, *_ in changes(DEPLOYED, prepare(some=some).plan)] == ["etcd_members"]


def test_a_control_plane_on_another_host_is_refused_and_one_that_keeps_its_node_is_the_same() -> None:
    moved = [
        replace(HOSTS[0], groups=WITH_ETCD),
        replace(HOSTS[1], groups=frozenset({"kube_control_plane", "kube_node"})),
        HOSTS[2],
    ]
    assert findings(some=moved, deployed=DEPLOYED) == [
        "[immutable-control-plane] control plane node-b in place of node-a: the daemons of the former "
        "host go "
        "on, and two controller managers and schedulers, each with an API server of its own, are in "
        "charge of "
        "the same nodes. Fix: keep the host in the group kube_control_plane; or stop and disable "
        "kube-apiserver, kube-controller-manager and kube-scheduler on node-a, and provision every host "
        "in the "
        "same run, and say so with cluster_allowed_changes: [control_plane]."
    ]
    renamed = [replace(HOSTS[0], inventory_name="host-7", node_name="node-a"), *HOSTS[1:]]
    assert changes(DEPLOYED, prepare(some=renamed).plan) == []


def test_another_backend_and_other_members_of_etcd_are_judged_too() -> None:
    wanted = prepare(some=[*members(HOSTS[:2]), HOSTS[2]], contract=FLANNEL).plan
    assert changes(DEPLOYED, wanted) == [
        ("backend", "cluster_network_backend flannel", "kubenet", ""),
        ("etcd_members", "etcd on node-a, node-b", "node-a", ""),
    ]


def test_a_single_member_of_etcd_may_move_and_one_of_several_may_not() -> None:
    moved = [replace(HOSTS[0], addresses=("192.0.2.99",)), *HOSTS[1:]]
    assert changes(DEPLOYED, prepare(some=moved).plan) == []
    three, three_moved = members(HOSTS), members(moved)
    assert changes(prepare(some=three).plan, prepare(some=three_moved).plan) == [
        ("etcd_members", "etcd at 192.0.2.99", "192.0.2.11", "")
    ]


def test_what_is_deployed_is_held_against_a_plan_that_is_refused_for_something_else() -> None:
    some = [HOSTS[0], replace(HOSTS[1], node_name="new-b"), HOSTS[2]]
    known = prepare().allocations.to_mapping()
    lines = findings(Settings(kube_proxy_mode="x"), some, FLANNEL, known, DEPLOYED)
    rules = [line.partition("]")[0][1:] for line in lines]
    assert rules == ["immutable-backend", "immutable-node-name", "kube-proxy-mode"]


def test_a_change_that_is_allowed_is_a_warning_that_says_what_has_to_happen() -> None:
    wanted = Settings(dns_domain="example.com", allowed_changes=("dns_domain",))
    assert prepare(wanted, deployed=DEPLOYED).warnings == [
        "[immutable-dns-domain] cluster_dns_domain_name example.com in place of cluster.local: a pod "
        "that runs looks "
        "names up below the domain that it was created with, and its token is from an issuer of that name, "
        "which the API server would no longer believe. Fix: provision, and create every pod again at once."
    ]


def test_every_kind_of_change_has_a_rule() -> None:
    assert {kind.rule for kind in KINDS.values()} == {rule for rule in RULES if rule.startswith("immutable-")}


def test_what_one_plan_does_not_say_is_not_compared() -> None:
    assert immutable_changes({}, DEPLOYED) == immutable_changes(DEPLOYED, {}) == []
    assert immutable_changes({"nodes": {"node-a": {"name": "node-a"}}}, DEPLOYED) == []


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([1], "it is not a mapping"),
        ({"nodes": []}, "its nodes are not mappings"),
        ({"nodes": {"a": 5}}, "its nodes are not mappings"),
        ({"nodes": {"a": {"name": []}}}, "the name of its node a is not text"),
        ({"nodes": {"a": {"addresses": 5}}}, "addresses of its node a is not a list"),
        ({"pod_cidrs": "10.0.0.0/8"}, "its pod_cidrs is not a list"),
        ({"service_cidrs": ["x"]}, "'x' is not a network; write it like 192.0.2.0/24 or 2001:db8::/64"),
    ],
)
def test_a_record_that_is_no_plan_is_refused(record: object, reason: str) -> None:
    assert findings(deployed=record) == [
        f"[deployed-format] the record of what is deployed: {reason}. "
        "Fix: restore it from version control, or delete it to have nothing compared."
    ]


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda x: (
        st.lists(x, max_size=2) | st.dictionaries(st.text(max_size=5) | st.just("node-a"), x, max_size=2)
    ),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*DEPLOYED]), anything, max_size=3))
def test_an_arbitrary_record_raises_nothing_but_the_error_for_users(changed: dict[str, Any]) -> None:
    try:
        prepare(deployed=DEPLOYED | changed)
    except FlatnetError:
        return
