from dataclasses import replace
from typing import Any

import pytest
from plan_cases import ALL_GROUPS, FLANNEL, HOSTS, KUBENET, host, hosts, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Settings, node_routes


def test_each_host_gets_the_routes_to_the_others() -> None:
    some = [
        host("cp", "192.0.2.10", groups=["kube_control_plane"]),
        host("db", "192.0.2.9", groups=["etcd"]),
        *HOSTS[1:],
    ]
    plan = prepare(some=some).plan
    both = [
        {"destination": "10.200.0.0/24", "gateway": "192.0.2.12"},
        {"destination": "10.200.1.0/24", "gateway": "192.0.2.13"},
    ]
    assert {name: node_routes(plan, name) for name in ("cp", "db", "node-b", "node-c")} == {
        "cp": both,
        "db": [],
        "node-b": both[1:],
        "node-c": both[:1],
    }


def test_routes_are_by_destination_as_a_number_whatever_the_names_are() -> None:
    ledger = {"nodes": {"node-b": ["10.200.100.0/24"], "node-c": ["10.200.20.0/24"]}}
    assert [route["destination"] for route in node_routes(prepare(allocations=ledger).plan, "node-a")] == [
        "10.200.20.0/24",
        "10.200.100.0/24",
    ]


def test_a_control_plane_that_is_no_node_has_none_where_the_backend_makes_none_there() -> None:
    some = [replace(HOSTS[0], groups=ALL_GROUPS - {"kube_node"}), *HOSTS[1:]]
    contract = KUBENET | {"control_plane_routes": False}
    assert node_routes(prepare(some=some, contract=contract).plan, "node-a") == []


@pytest.mark.parametrize("contract", [KUBENET, FLANNEL])
def test_what_pods_send_to_a_host_without_a_way_back_comes_from_their_node(contract: dict[str, Any]) -> None:
    some = [
        replace(HOSTS[0], groups=frozenset({"kube_control_plane"})),
        host("db", "192.0.2.9", groups=["etcd"]),
        *HOSTS[1:],
    ]
    apart = ["192.0.2.11/32"] if contract["control_plane_routes"] else []
    nodes = ["192.0.2.12/32", "192.0.2.13/32"]
    assert prepare(some=some, contract=contract).plan["masquerade"]["not_to"] == [
        "10.200.0.0/16",
        *apart,
        *nodes,
    ]


def test_nobody_has_routes_where_the_backend_makes_them() -> None:
    assert node_routes(prepare(contract=FLANNEL).plan, "node-a") == []


def test_a_host_that_is_not_in_the_plan_has_no_routes_but_an_error() -> None:
    with pytest.raises(FlatnetError, match="there is no host 'x' in the plan; plan again with the present"):
        node_routes(prepare().plan, "x")


def test_every_host_of_a_large_plan_has_routes_to_all_others() -> None:
    plan = prepare(Settings(pod_cidrs=("10.192.0.0/12",)), hosts(300)).plan
    routes = node_routes(plan, "node-0123")
    assert len(routes) == 299
    assert {"destination": "10.192.122.0/24", "gateway": "198.18.0.123"} in routes
