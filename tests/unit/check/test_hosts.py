"""What is wrong with nodes as they are, and what follows from it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from check_example import SETTINGS, checks, cluster, plan, wrong
from check_symptoms import ROUTES, Symptom, causes, run, way

from flatnet.check.hosts.checks import SUBJECTS, faults, host_checks
from flatnet.check.hosts.node import unit_faults, units_of
from flatnet.check.model import Check, Json

_FILTER: Json = {
    "name": "iptables-nft",
    "policies": [],
    "drops": [],
    "translations": [],
    "host_ports": [],
    "services": 40,
}


def _interface(name: str, kind: str, addresses: list[str], mac: str, ports: list[str]) -> Json:
    found = {"name": name, "kind": kind, "addresses": addresses, "mac": mac, "ports": ports}
    return {**found, "up": True}


def state(node: int, **changes: object) -> Json:
    """Return the state of a node that is well, but for the changes."""
    usual = {
        "units": {
            unit: {"state": "active/running", "restarts": 0, "last": ""}
            for unit in ("containerd", "kubelet", "kube-proxy")
        },
        "settings": {"net.ipv4.ip_forward": "1"},
        "forwarding": {},
        "interfaces": [
            _interface("eth0", "ether", [f"192.0.2.{11 + node}/24"], f"02:00:00:00:00:{11 + node}", []),
            _interface("cbr0", "bridge", [f"10.200.{node}.1/24"], "02:00:00:00:aa:01", ["veth1"]),
        ],
        "routes": ROUTES[f"node-{node}"],
        "rules": [_rule(32766, "main")],
        "neighbours": [],
        "filters": [_FILTER],
        "pods": ["10.200.1.7"],
        "kube_proxy": {"masquerade_all": False, "cluster_cidr": "10.200.0.0/16"},
    }
    return {**usual, **changes}


def _rule(priority: int, table: str, **changes: str) -> Json:
    usual = dict.fromkeys(("source", "destination", "mark", "input", "output", "action", "protocol"), "")
    return {**usual, "family": "ipv4", "inverted": False, "priority": priority, "table": table, **changes}


def _translation(destination: str, chain: str = "PREROUTING") -> Json:
    rule = f"-A {chain} -d {destination} -j DNAT --to-destination 10.200.1.250"
    entry = {"filter": "iptables-nft", "family": "ipv4", "chain": chain, "rule": rule, "packets": 0}
    return {**entry, "destination": destination}


def _host_port(pod: str) -> Json:
    entry = {"filter": "iptables-nft", "family": "ipv4", "chain": "CNI-DN-x", "rule": "-j DNAT", "packets": 0}
    return {**entry, "port": 8989, "protocol": "tcp", "pod": pod}


_ELSEWHERE = [way("0.0.0.0/0", "192.0.2.1", table="101")]
_TABLE_RULES = [_rule(100, "101", source="192.0.2.12/32"), _rule(32766, "main")]


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (
            {"units": {"kubelet": {"state": "failed/failed", "restarts": 5, "last": "no space left"}}},
            "kubelet does not run on node-1 (failed/failed after 5 restarts): no space left",
        ),
        (
            {"claims": [{"address": "192.0.2.12", "device": "eth0", "mac": "02:00:00:00:00:98"}]},
            "another host has 192.0.2.12, the address of node-1, too: its Ethernet address is "
            "02:00:00:00:00:98",
        ),
        (
            {"settings": {"net.ipv4.ip_forward": "0"}},
            "node-1 does not forward packets: net.ipv4.ip_forward is 0",
        ),
        (
            {"settings": {"net.bridge.bridge-nf-call-iptables": "0"}},
            "bridged packets pass kube-proxy's rules by on node-1",
        ),
        (
            {"forwarding": {"eth0": ["ipv4"]}},
            "node-1 does not forward packets that come in by eth0: net.ipv4.conf.eth0.forwarding is 0",
        ),
        (
            {"interfaces": [_interface("cbr0", "bridge", [], "02:00:00:00:aa:01", ["veth1"])]},
            "the bridge cbr0 of node-1 has lost 10.200.1.1, the gateway of its pods",
        ),
        (
            {
                "interfaces": [
                    {**_interface("cbr0", "bridge", ["10.200.1.1/24"], "", ["veth1"]), "up": False},
                ]
            },
            "the bridge cbr0 of node-1, by which its pods leave it, is down",
        ),
        (
            {"routes": [*ROUTES["node-1"], way("10.200.2.0/24", type="blackhole", device="")][::-1]},
            "the blackhole route to 10.200.2.0/24 on node-1 swallows what is for 10.200.2.0/24 (pods of "
            "node-2)",
        ),
        (
            {"filters": [{**_FILTER, "translations": [_translation("10.32.0.10/32")]}]},
            "a rule on node-1 that is not kube-proxy's leads the service address 10.32.0.10/32 elsewhere: "
            "iptables-nft, chain PREROUTING: -A PREROUTING -d 10.32.0.10/32 -j DNAT --to-destination "
            "10.200.1.250",
        ),
        (
            {"filters": [_FILTER, {**_FILTER, "name": "iptables-legacy"}]},
            "node-1 has rules of another mode of kube-proxy than iptables: KUBE-SERVICES in both "
            "iptables-legacy and iptables-nft",
        ),
        (
            {"filters": [{**_FILTER, "host_ports": [_host_port("10.200.1.77")]}]},
            "a rule of a pod that is gone leads the host port 8989/tcp of node-1 to 10.200.1.77: "
            "iptables-nft, chain CNI-DN-x",
        ),
        (
            {"filters": [_FILTER, {**_FILTER, "name": "nft"}]},
            "node-1 has rules of another mode of kube-proxy than iptables: the nftables table kube-proxy",
        ),
    ],
)
def test_what_is_wrong_with_a_node_is_named_without_a_packet(changes: Json, cause: str) -> None:
    assert [fault.cause for fault in faults(cluster(), "node-1", state(1, **changes))] == [cause]


def test_a_table_that_a_rule_names_before_main_is_one_fault_however_many_networks_it_leads_away() -> None:
    changed = state(1, routes=[*ROUTES["node-1"], *_ELSEWHERE], rules=_TABLE_RULES)
    assert [fault.cause for fault in faults(cluster(), "node-1", changed)] == [
        "the routing table 101, which a rule names before main, leads what is for pods of node-0 and 2 more "
        "nodes on node-1 to 192.0.2.1"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        # Another node's address, a mark, an interface, and a table without a route for pods.
        {"rules": [_rule(100, "101", source="192.0.2.99/32"), _rule(32766, "main")], "extra": _ELSEWHERE},
        {"rules": [_rule(100, "101", mark="0x1"), _rule(32766, "main")], "extra": _ELSEWHERE},
        {"rules": [_rule(100, "101", input="eth1"), _rule(32766, "main")], "extra": _ELSEWHERE},
        {"rules": _TABLE_RULES, "extra": [way("198.51.100.0/24", "192.0.2.1", table="101")]},
        # The settings of interfaces that no pod's packets come in by.
        {"forwarding": {"lo": ["ipv4"], "docker0": ["ipv4"], "eth0": ["ipv6"]}},
        # A bridge that serves no pod yet, and one of somebody else.
        {"interfaces": [_interface("cbr0", "bridge", [], "", [])]},
        {"interfaces": [_interface("docker0", "bridge", [], "", ["veth9"])]},
        # What others translate, of addresses that are no services'.
        {"filters": [{**_FILTER, "translations": [_translation("198.51.100.7/32"), _translation("")]}]},
        # Host ports of a pod that runs, and of all where none is recorded.
        {"filters": [{**_FILTER, "host_ports": [_host_port("10.200.1.7")]}]},
        {"filters": [{**_FILTER, "host_ports": [_host_port("10.200.1.77")]}], "pods": []},
        # The same rules for the other family.
        {"filters": [_FILTER, {**_FILTER, "name": "ip6tables-nft"}]},
    ],
)
def test_what_touches_no_pod_is_not_held_against_a_node(changes: Json) -> None:
    routes = [*ROUTES["node-1"], *changes.pop("extra", [])]
    assert faults(cluster(), "node-1", state(1, **{"routes": routes, **changes})) == []


def test_a_node_may_refuse_what_is_for_no_pod_where_its_pods_have_routes_of_their_own() -> None:
    refusal = way("10.200.1.0/24", type="unreachable", device="")
    others = [one for one in ROUTES["node-1"] if one["destination"] != "10.200.1.0/24"]
    changed = state(1, routes=[*others, refusal, way("10.200.1.7/32", device="veth1")])
    facts = cluster()
    assert [fault.cause for fault in faults(facts, "node-1", changed)] == [
        "the unreachable route to 10.200.1.0/24 on node-1 swallows what is for 10.200.1.0/24 (pods of node-1)"
    ]
    facts.plan["backend"]["makes"]["pod_interfaces"] = ["veth*"]
    assert faults(facts, "node-1", changed) == []


def test_tables_that_the_backend_makes_are_its_own_business() -> None:
    facts = cluster()
    facts.plan["backend"]["makes"]["rules"] = [{"priority": 100, "table": 101}]
    changed = state(1, routes=[*ROUTES["node-1"], *_ELSEWHERE], rules=_TABLE_RULES)
    assert faults(facts, "node-1", changed) == []


@pytest.mark.parametrize(
    ("name", "makes"),
    [
        ("nft", {"tables": [{"family": "ip", "name": "kube-proxy"}]}),
        ("iptables-nft", {"chains": ["EXAMPLE-*", "KUBE-*"]}),
    ],
)
def test_rules_for_services_are_not_another_modes_where_the_backend_makes_them(
    name: str, makes: Json
) -> None:
    def found(makes: Json) -> list[str]:
        data = plan()
        data["kube_proxy_mode"] = "none"
        data["backend"] = {**data["backend"], "makes": {**data["backend"]["makes"], **makes}}
        seen = state(1, filters=[{**_FILTER, "services": 0}, {**_FILTER, "name": name}])
        return [fault.cause for fault in faults(replace(cluster(), plan=data), "node-1", seen)]

    assert found(makes) == []
    assert len(found({})) == 1


def test_every_subject_of_every_node_is_a_check_and_every_fault_is_one_that_failed() -> None:
    broken = state(
        1, units={name: {"state": "inactive/dead", "restarts": 0, "last": ""} for name in ("a", "b")}
    )
    found = host_checks(cluster(), SETTINGS, {"node-0": state(0), "node-1": broken})
    assert len({check["id"] for check, _ in found}) == len(found) == 2 * len(SUBJECTS) + 1
    assert [check["id"] for check, result in found if not result["ok"]] == [
        "host_state/units/node-1",
        "host_state/units-2/node-1",
    ]


def test_the_units_of_a_node_are_those_of_its_groups_its_backend_and_its_kube_proxy() -> None:
    network = plan(1)
    network["nodes"]["node-0"]["groups"] = ["etcd", "kube_control_plane", "kube_node"]
    network["backend"]["units"] = ["flanneld"]
    assert {"etcd", "kube-apiserver", "kubelet", "kube-proxy", "flanneld"} <= set(units_of(network, "node-0"))
    network["kube_proxy_mode"] = "none"
    assert "kube-proxy" not in units_of(network, "node-0")


def _silent(involved: Callable[[Check], bool]) -> Symptom:
    return lambda check: wrong(check, error="timeout", detail="no answer") if involved(check) else None


def _pods_of(node: str) -> Callable[[Check], bool]:
    return lambda check: (
        check["class"] != "node_to_node"
        and node
        in (
            check["source"]["node"],
            check["target"]["node"],
        )
    )


def test_what_follows_from_a_fault_is_laid_to_it() -> None:
    states = {f"node-{index}": state(index) for index in range(3)}
    states["node-1"] = state(1, settings={"net.ipv4.ip_forward": "0"})
    failures = run(
        lambda check: (
            None
            if check["class"] in ("planned_address", "pod_own_address", "pod_mtu", "unique_address")
            else _silent(_pods_of("node-1"))(check)
        ),
        states=states,
    )
    assert causes(failures) == {"node-1 does not forward packets: net.ipv4.ip_forward is 0"}
    assert len(failures) > 10


_DROP = {"filter": "iptables-nft", "family": "ipv4", "chain": "FORWARD", "packets": 12}
_POLICY = {**_DROP, "rule": "policy DROP"}
_RULE = {**_DROP, "rule": "-A FORWARD -s 10.200.1.0/24 -j DROP"}


def _filtering(**changes: list[Json]) -> Json:
    return {"filters": [{**_FILTER, **changes}]}


def _pair(check: Check) -> bool:
    ends = {check["source"]["node"], check["target"]["node"]}
    return ends == {"node-0", "node-1"} and check["class"] == "pod_to_pod_other_node"


def test_a_policy_that_counted_packets_meanwhile_is_the_one_that_dropped_them() -> None:
    before = {"node-1": state(1, filters=[{**_FILTER, "policies": [{**_POLICY, "packets": 3}]}])}
    found = run(_silent(_pair), {"node-1": _filtering(policies=[_POLICY])}, states=before)
    assert causes(found) == {
        "node-1 drops forwarded packets: the policy of iptables-nft, chain FORWARD is to drop what no rule "
        "accepts"
    }


def test_a_rule_that_counted_packets_meanwhile_says_more_than_a_policy() -> None:
    evidence = {"node-1": _filtering(policies=[_POLICY], drops=[_RULE])}
    assert causes(run(_silent(_pair), evidence)) == {
        "a rule on node-1 drops packets: iptables-nft, chain FORWARD: -A FORWARD -s 10.200.1.0/24 -j DROP"
    }


def test_a_rule_that_counted_nothing_is_not_blamed() -> None:
    before = {"node-1": state(1, filters=[{**_FILTER, "drops": [_RULE]}])}
    found = run(_silent(_pair), {"node-1": _filtering(drops=[_RULE])}, states=before)
    assert not any("drops" in cause for cause in causes(found))


@pytest.mark.parametrize(
    ("rule", "blamed"), [("ip saddr 10.200.0.0/16 drop", True), ("ip saddr 198.51.100.7 drop", False)]
)
def test_a_rule_without_a_counter_is_blamed_for_what_it_names(rule: str, *, blamed: bool) -> None:
    entry = {"filter": "nft table site", "family": "", "chain": "forward", "rule": rule, "packets": None}
    found = run(_silent(_pair), {"node-1": _filtering(drops=[entry])})
    assert any("a rule on node-1 drops packets: nft table site" in cause for cause in causes(found)) == blamed


def test_a_neighbour_with_another_ethernet_address_is_named() -> None:
    entry = {
        "address": "192.0.2.12",
        "device": "eth0",
        "mac": "02:00:00:00:00:99",
        "state": ["PERMANENT"],
    }
    states = {f"node-{index}": state(index) for index in range(3)}
    apart = _silent(lambda check: {check["source"]["node"], check["target"]["node"]} == {"node-0", "node-1"})
    found = run(apart, {"node-0": {"neighbours": [entry]}}, states=states)
    assert causes(found) == {
        "node-0 sends what is for node-1 (192.0.2.12) to the Ethernet address 02:00:00:00:00:99 by a fixed "
        "entry, which is none of node-1's"
    }
    stolen = {**entry, "mac": "02:00:00:00:00:13", "state": ["REACHABLE"]}
    assert causes(run(apart, {"node-0": {"neighbours": [stolen]}}, states=states)) == {
        "node-0 sends what is for node-1 (192.0.2.12) to the Ethernet address 02:00:00:00:00:13, which is "
        "that of node-2"
    }


def test_two_nodes_with_one_ethernet_address_are_named() -> None:
    states = {"node-0": state(0), "node-1": state(1)}
    states["node-1"]["interfaces"][0]["mac"] = "02:00:00:00:00:11"
    found = run(_silent(_pair), states=states)
    assert causes(found) == {"node-0 and node-1 have one Ethernet address, 02:00:00:00:00:11"}


def test_calls_of_services_that_kube_proxy_masquerades_all_are_no_wrong_cluster_cidr() -> None:
    states = {"node-0": state(0, kube_proxy={"masquerade_all": True, "cluster_cidr": ""})}

    def symptom(check: Check) -> Json | None:
        seen = check["class"] == "cluster_ip" and check["source"]["name"] == "client-0"
        return wrong(check, observed="192.0.2.11") if seen else None

    assert causes(run(symptom, states=states)) == {
        "kube-proxy on node-0 masquerades all calls of services: masqueradeAll is on"
    }


def test_lost_packets_are_named_by_the_pair_or_by_the_node_that_they_have_in_common() -> None:
    def losing(*nodes: str) -> Symptom:
        def symptom(check: Check) -> Json | None:
            ends = {check["source"]["node"], check["target"]["node"]}
            lost = (
                check["class"] == "packet_loss"
                and ends & set(nodes[:1])
                and (not nodes[1:] or nodes[1] in ends)
            )
            return wrong(check, observed="53 of 1000 packets lost") if lost else None

        return symptom

    assert causes(run(losing("node-1", "node-2"))) == {"packets get lost between node-1 and node-2"}
    assert causes(run(losing("node-1"))) == {"packets get lost on the way to and from node-1"}


def test_loss_is_asked_for_between_pods_of_all_pairs_with_enough_packets_to_see_one_in_a_hundred() -> None:
    made = [check for check in checks() if check["class"] == "packet_loss"]
    assert len(made) == 6
    assert {check["how"]["packets"] for check in made} == {1000}
    # P(at most 2 of 1000 | 1 %) is 0.3 %.
    assert made[0]["expected"] == [f"{lost} of 1000 packets lost" for lost in range(3)]


def test_of_a_control_plane_host_that_is_no_node_only_units_and_routes_are_judged() -> None:
    facts = cluster()
    apart = replace(facts, nodes=("node-0", "node-2"))
    changed = state(1, settings={"net.ipv4.ip_forward": "0"}, filters=[{**_FILTER, "name": "nft"}])
    assert faults(apart, "node-1", changed) == []
    changed["units"]["kubelet"]["state"] = "failed/failed"
    assert [fault.subject for fault in faults(apart, "node-1", changed)] == ["units"]


def test_a_unit_that_set_something_up_and_is_over_works() -> None:
    over = {"state": "active/exited", "restarts": 0, "last": ""}
    assert list(unit_faults(cluster(), "node-1", {"units": {"flatnet-l2-bridge": over}})) == []
