from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from check_example import SETTINGS, checks, cluster, plan, pod, pods, services, with_pod
from hypothesis import given
from hypothesis import strategies as st

from flatnet.check.facts import Cluster, cluster_facts
from flatnet.check.matrix import CLASSES, OTHER_CLASSES, matrix, part
from flatnet.check.model import Check, Json, Settings
from flatnet.contract import Resolved, find_contracts
from flatnet.contract.schema import SOURCES
from flatnet.errors import FlatnetError

CONTRACTS = [
    contract.in_mode(mode)
    for contract in find_contracts([Path(__file__).parents[3] / "roles"]).backends.values()
    for mode in contract.modes
]


def _counts(nodes: int) -> dict[str, int]:
    others = nodes * (nodes - 1)
    return {
        "planned_address": 2 * nodes,
        "unique_address": 2 * nodes,
        "pod_own_address": 2 * nodes,
        "pod_mtu": 2 * nodes,
        "running_pods": nodes,
        "running_host_ports": nodes,
        "node_to_node": others,
        "pod_to_pod_same_node": 2 * nodes,
        "pod_to_pod_other_node": 2 * others,
        "large_packets": 2 * others,
        "packet_loss": others,
        "node_to_pod": nodes**2,
        "pod_to_node": nodes**2,
        "cluster_ip": 3 * nodes,
        "hairpin": nodes,
        "node_port": 2 * nodes,
        "node_port_from_pod": nodes**2,
        "host_port": 2 * others,
        "dns_service": 6 * nodes,
        "dns_outside_refused": nodes,
    }


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
def test_every_class_has_exactly_its_number_of_checks(nodes: int) -> None:
    counted = Counter(check["class"] for check in checks(cluster(nodes)))
    assert dict(counted) == {kind: count for kind, count in _counts(nodes).items() if count}


@given(st.integers(1, 7), st.sampled_from([("ipv4",), ("ipv4", "ipv6")]), st.integers(0, 3))
def test_no_two_checks_share_an_id_and_the_parts_make_up_the_matrix(
    nodes: int, families: tuple[str, ...], peers: int
) -> None:
    facts, settings = cluster(nodes, families=families), Settings(peers=peers)
    whole = matrix(facts, settings)
    assert len({check["id"] for check in whole}) == len(whole)
    assert whole == [check for node in facts.nodes for check in part(facts, settings, node)]


@given(st.integers(2, 9), st.integers(1, 12))
def test_with_peers_every_node_is_source_and_target_of_as_many_nodes(nodes: int, peers: int) -> None:
    whole = matrix(cluster(nodes), Settings(peers=peers, classes=("node_to_node",)))
    expected = {f"node-{index}": min(peers, nodes - 1) for index in range(nodes)}
    assert Counter(check["source"]["node"] for check in whole) == expected
    assert Counter(check["target"]["node"] for check in whole) == expected


def _check(identity: str) -> Check:
    return {check["id"]: check for check in checks()}[identity]


@pytest.mark.parametrize(("protocol", "port"), [("http", 8080), ("udp", 8081)])
def test_a_pod_on_another_node_sees_the_pods_own_address(protocol: str, port: int) -> None:
    check = _check(f"pod_to_pod_other_node/ipv4/{protocol}/node-0:client-0->node-2:server-2")
    assert check["expected"] == ["10.200.0.11"]
    assert check["how"] == {
        "method": "dial",
        "via": "10.200.0.11",
        "via_port": 8080,
        "host": "10.200.2.10",
        "port": port,
        "request": "clientip",
        "protocol": protocol,
    }


@pytest.mark.parametrize(("backend", "remote"), [("kubenet", "192.0.2.11"), ("flannel", "10.200.0.0")])
def test_a_pod_sees_a_node_as_the_backends_contract_says(backend: str, remote: str) -> None:
    found = {
        check["target"]["node"]: check["expected"]
        for check in checks(cluster(backend=backend))
        if check["class"] == "node_to_pod" and check["source"]["node"] == "node-0"
    }
    assert found == {"node-0": ["10.200.0.1"], "node-1": [remote], "node-2": [remote]}


def test_a_contract_may_name_a_device_or_several_addresses() -> None:
    facts = cluster()
    facts.plan["backend"]["check"]["node_to_remote_pod"] = ["device:cilium_host", "node_address"]
    found = {check["id"]: check["expected"] for check in checks(facts)}
    assert found["node_to_pod/ipv4/http/node-0->node-1:server-1"] == ["device:cilium_host", "192.0.2.11"]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.title)
def test_every_backends_contract_makes_a_matrix(contract: Resolved) -> None:
    facts = cluster()
    found = matrix(replace(facts, plan={**facts.plan, "backend": contract.data}), SETTINGS)
    assert {check["class"] for check in found} >= {"node_to_pod", "hairpin"}
    assert all(check["expected"] for check in found)


def test_the_outside_expects_a_pod_to_come_from_its_node_where_it_is_asked() -> None:
    unasked, asked = (
        replace(SETTINGS, classes=("pod_to_outside",), outside_enabled=on) for on in (False, True)
    )
    assert part(cluster(), unasked, "node-1") == []
    found = part(cluster(), asked, "node-1")
    assert [check["expected"] for check in found] == [["192.0.2.12"]]
    assert found[0]["how"]["via"] == "10.200.1.11"


def test_every_node_sees_a_pods_own_address() -> None:
    found = {
        check["target"]["address"]: check["expected"]
        for check in checks()
        if check["class"] == "pod_to_node" and check["source"]["node"] == "node-1"
    }
    assert found == {address: ["10.200.1.11"] for address in ("192.0.2.11", "192.0.2.12", "192.0.2.13")}


@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_a_pod_keeps_its_address_towards_a_service(protocol: str) -> None:
    check = _check(f"cluster_ip/ipv4/{protocol}/node-1:client-1->server")
    assert (check["expected"], check["reads"]) == (["10.200.1.11"], "source")
    assert (check["how"]["host"], check["how"]["port"]) == ("10.32.0.100", 80 if protocol == "http" else 8081)


def test_a_node_is_answered_by_a_pod_behind_the_service() -> None:
    check = _check("cluster_ip/ipv4/http/node-1->server")
    assert (check["expected"], check["reads"]) == (["server-0", "server-1", "server-2"], "text")
    assert check["how"] == {"method": "http", "host": "10.32.0.100", "port": 80, "path": "hostname"}


def test_a_pod_that_calls_itself_uses_the_service_that_only_it_can_answer() -> None:
    check = _check("hairpin/ipv4/http/node-2:server-2->server-local")
    assert check["expected"] == ["10.200.2.1"]
    assert (check["how"]["via"], check["how"]["host"]) == ("10.200.2.10", "10.32.0.101")


def test_a_local_node_port_must_see_the_source_that_the_node_sees() -> None:
    check = _check("node_port/ipv4/http/local/controller->node-1")
    assert check["expected"] == ["reference"]
    assert check["how"] == {
        "method": "http",
        "host": "192.0.2.12",
        "port": 30081,
        "path": "clientip",
        "reference": {"method": "http", "host": "192.0.2.12", "port": 18080, "path": "clientip"},
    }


def test_a_host_port_sees_nodes_and_pods_with_their_own_addresses() -> None:
    from_node = _check("host_port/ipv4/http/node-0->node-1")
    from_pod = _check("host_port/ipv4/http/node-0:client-0->node-1")
    assert (from_node["expected"], from_node["how"]["port"]) == (["192.0.2.11"], 8989)
    assert (from_pod["expected"], from_pod["how"]["host"]) == (["10.200.0.11"], "192.0.2.12")


def test_names_are_asked_for_as_pods_write_them_and_as_nodes_ask_the_planned_address() -> None:
    short = _check("dns_service/ipv4/http/node-0:client-0->named-0")
    full = _check("dns_service/ipv4/http/node-0:client-0->named-0.flatnet-check.svc.cluster.local")
    hosts = short["how"]["host"], full["how"]["host"]
    assert hosts == ("named-0", "named-0.flatnet-check.svc.cluster.local")
    first = _check("dns_service/ipv4/dns-tcp/node-0->kubernetes.default.svc.cluster.local")
    assert first["expected"] == ["10.32.0.1"]
    assert first["how"] == {
        "method": "dns",
        "server": "10.32.0.10",
        "name": "kubernetes.default.svc.cluster.local",
        "type": "A",
        "transport": "tcp",
    }


@pytest.mark.parametrize(("setting", "expected"), [("refused", ["REFUSED"]), ("resolved", ["NOERROR"])])
def test_a_name_outside_is_expected_as_the_setting_says(setting: str, expected: list[str]) -> None:
    whole = matrix(cluster(), Settings(dns_outside=setting, classes=("dns_outside_refused",)))
    assert [check["expected"] for check in whole] == [expected] * 3
    assert {check["how"]["name"] for check in whole} == {"example.com"}


def test_names_outside_can_be_left_out() -> None:
    assert matrix(cluster(), Settings(dns_outside="skipped", classes=("dns_outside_refused",))) == []


def test_both_families_of_a_dual_stack_cluster_are_checked_each_with_its_addresses() -> None:
    found = {
        check["family"]: (check["expected"], check["how"]["host"], check["how"]["via"])
        for check in checks(cluster(families=("ipv4", "ipv6")))
        if check["class"] == "pod_to_pod_other_node"
        and (check["source"]["node"], check["target"]["node"], check["protocol"])
        == ("node-1", "node-2", "udp")
    }
    assert found == {
        "ipv4": (["10.200.1.11"], "10.200.2.10", "10.200.1.11"),
        "ipv6": (["2001:db8:1::11"], "2001:db8:2::10", "2001:db8:1::11"),
    }


def test_an_address_outside_the_nodes_pod_network_is_wrong_without_any_traffic() -> None:
    facts = with_pod(0, "client", ["10.88.0.5"])
    found = {check["id"]: check for check in checks(facts) if check["class"] == "planned_address"}
    assert found["planned_address/ipv4/none/node-0:client-0->node-0"]["expected"] == ["10.200.0.0/24"]
    assert found["planned_address/ipv4/none/node-0:client-0->node-0"]["how"]["observed"] == "10.88.0.5"
    assert found["planned_address/ipv4/none/node-0:server-0->node-0"]["expected"] == ["10.200.0.10"]


def _backend_owns_addresses(*probes: Json) -> Cluster:
    """Return a cluster whose backend hands out the addresses, out of the pool; nodes have no networks."""
    network = plan()
    network["backend"] = {**network["backend"], "ipam": "backend", "routes": "backend"}
    for node in network["nodes"].values():
        del node["pod_cidrs"], node["pod_gateways"]
    network["backend"]["check"] = {
        "node_to_local_pod": "node_address",
        "node_to_remote_pod": ["node_address", "device:vxlan.calico"],
        "hairpin": "device:tunl0",
    }
    others = [item for item in pods() if item["name"] not in {probe["name"] for probe in probes}]
    return cluster_facts(network, [*others, *probes], services())


def test_where_the_backend_hands_out_addresses_the_pool_is_what_they_are_held_against() -> None:
    facts = _backend_owns_addresses(pod(0, "client", ["10.88.0.5"]), pod(1, "client", ["10.200.77.8"]))
    found = {check["id"]: check for check in checks(facts) if check["class"] == "planned_address"}
    assert found["planned_address/ipv4/none/node-0:client-0->node-0"]["expected"] == ["10.200.0.0/16"]
    # In the pool, wherever the node's others are.
    assert found["planned_address/ipv4/none/node-1:client-1->node-1"]["expected"] == ["10.200.77.8"]


def test_what_the_backend_says_of_sources_reaches_the_nodes_as_it_is() -> None:
    found = {check["id"]: check["expected"] for check in checks(_backend_owns_addresses())}
    assert found["node_to_pod/ipv4/http/node-0->node-0:server-0"] == ["192.0.2.11"]
    assert found["node_to_pod/ipv4/http/node-0->node-1:server-1"] == ["192.0.2.11", "device:vxlan.calico"]
    assert found["hairpin/ipv4/http/node-0:server-0->server-local"] == ["device:tunl0"]


def test_pods_of_different_nodes_with_one_address_are_found() -> None:
    facts = _backend_owns_addresses(pod(0, "client", ["10.200.7.7"]), pod(1, "server", ["10.200.7.7"]))
    shared = [
        (check["source"]["name"], check["how"]["observed"])
        for check in checks(facts)
        if check["class"] == "unique_address" and check["how"]["observed"] not in check["expected"]
    ]
    assert shared == [
        ("client-0", "10.200.7.7, which server-1 on node-1 has as well"),
        ("server-1", "10.200.7.7, which client-0 on node-0 has as well"),
    ]


def test_a_check_without_its_pod_says_why_and_the_others_are_made() -> None:
    facts = with_pod(2, "server", [], "CreateContainerError: no such image")
    unmade = [check for check in checks(facts) if check["how"]["method"] == "none"]
    assert {check["how"]["reason"] for check in unmade} == {
        "pod server-2 on node-2 is not ready: CreateContainerError: no such image"
    }
    assert "pod_to_pod_other_node/ipv4/http/node-0:client-0->node-2:server-2" in {
        check["id"] for check in unmade
    }
    assert {check["id"]: check for check in checks(facts)}["cluster_ip/ipv4/http/node-2->server"][
        "expected"
    ] == [
        "server-0",
        "server-1",
    ]


@pytest.mark.parametrize(("peers", "targets"), [(0, 3), (2, 2)])
def test_a_control_plane_that_is_not_a_node_calls_pods_from_its_own_address_and_has_no_other_part(
    peers: int, targets: int
) -> None:
    facts = cluster(3)
    apart = {"name": "cp", "groups": ["kube_control_plane"], "addresses": ["192.0.2.9"], "pod_cidrs": []}
    facts = replace(facts, plan={**facts.plan, "nodes": {**facts.plan["nodes"], "cp": apart}})
    found = part(facts, replace(SETTINGS, peers=peers), "cp")
    assert [check["class"] for check in found] == ["control_plane_to_pod"] * targets
    assert found[1]["id"] == "control_plane_to_pod/ipv4/http/cp->node-1:server-1"
    assert found[1]["expected"] == ["192.0.2.9"]
    assert found[1]["how"] == {"method": "http", "host": "10.200.1.10", "port": 8080, "path": "clientip"}
    assert "control_plane_to_pod" not in {check["class"] for check in part(facts, SETTINGS, "node-0")}


def test_only_the_named_classes_are_checked() -> None:
    whole = matrix(cluster(), Settings(classes=("hairpin", "node_port")))
    assert {check["class"] for check in whole} == {"hairpin", "node_port"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            Settings(classes=("pod_to_moon",)),
            f"network_check_classes names pod_to_moon, which is not one of: "
            f"{', '.join((*CLASSES, *OTHER_CLASSES))}",
        ),
        (
            Settings(dns_outside="ignored"),
            "network_check_dns_outside is ignored; it is one of refused, resolved, answered, skipped",
        ),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(settings: Settings, message: str) -> None:
    with pytest.raises(FlatnetError) as refused:
        matrix(cluster(), settings)
    assert str(refused.value) == message


def test_a_node_outside_the_plan_is_refused() -> None:
    with pytest.raises(FlatnetError) as refused:
        cluster_facts(plan(2), pods(2), services(), ["node-0", "node-7"])
    assert str(refused.value) == (
        "node node-7 is to be checked but is not in the plan, which has node-0, node-1; "
        "plan it first or take it out of network_check_nodes"
    )


def test_a_contract_that_the_plan_cannot_keep_is_refused() -> None:
    facts = cluster()
    facts.plan["backend"]["check"]["hairpin"] = "tunnel_address"
    facts.plan["nodes"]["node-0"]["tunnel_addresses"] = []
    with pytest.raises(FlatnetError) as refused:
        matrix(facts, SETTINGS)
    assert str(refused.value) == (
        "the contract of backend kubenet expects the tunnel_address of node-0 for hairpin, but the plan of "
        "node-0 has no ipv4 tunnel_addresses; plan again for this backend"
    )


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_that_a_contract_may_name_is_found_in_the_plan(name: str) -> None:
    facts = cluster(backend="flannel")
    facts.plan["backend"]["check"]["hairpin"] = name
    hairpins = [check for check in checks(facts) if check["class"] == "hairpin"]
    assert all(len(check["expected"]) == 1 for check in hairpins)


def test_pods_on_their_way_out_and_strangers_take_no_part() -> None:
    leaving = pod(0, "server", ["10.200.0.99"], "it is being deleted")
    elsewhere = pod(9, "server", ["10.200.9.10"])
    facts = cluster_facts(plan(), [leaving, *pods(), leaving, elsewhere], services())
    assert facts.pod_address("node-0", "server", "ipv4") == "10.200.0.10"
    assert facts.ready_servers == ["server-0", "server-1", "server-2"]
