"""Groups of hosts: their parts of the pod network, who has which, and the routes that follow."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import DUAL, GROUPED, group, host, hosts, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, Host, PlanError, Settings, node_routes
from flatnet.plan.addresses import parse_network
from flatnet.plan.group_routes import parent_of, populated, ways_of
from flatnet.plan.pod_topology import parts_of, slot_of

Plan = dict[str, Any]


def plan(topology: list[Any], some: list[Host], before: Allocations | None = None) -> Plan:
    return prepare(
        Settings(pod_topology=topology, pod_cidrs=("10.192.0.0/12",)),
        some,
        GROUPED,
        before.to_mapping() if before else None,
    ).plan


def spread(names: list[str], shape: list[list[int]]) -> list[Any]:
    """Return zones of racks; a number is how many of the names are in a rack, the last rack has the rest."""
    left = list(names)
    zones: list[Any] = []
    for zone, racks in enumerate(shape):
        groups = []
        for rack, count in enumerate(racks):
            groups.append(group(f"rack-{rack}", *left[:count]))
            del left[:count]
        zones.append({"name": f"zone-{zone}", "groups": groups})
    zones[-1]["groups"][-1]["hosts"] += left
    return zones


SHAPES = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=5), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("count", "networks"),
    [
        (1, ["10.0.0.0/16"]),
        (2, ["10.0.0.0/17", "10.0.128.0/17"]),
        (3, ["10.0.0.0/18", "10.0.128.0/18", "10.0.64.0/18"]),
        (4, ["10.0.0.0/18", "10.0.128.0/18", "10.0.64.0/18", "10.0.192.0/18"]),
    ],
)
def test_groups_are_padded_to_a_power_of_two(count: int, networks: list[str]) -> None:
    assert [str(part) for part in parts_of(parse_network("10.0.0.0/16"), count)] == networks


def test_a_network_without_as_many_addresses_as_groups_is_refused() -> None:
    with pytest.raises(FlatnetError, match=r"10.0.0.0/31 cannot be split into 4 parts"):
        parts_of(parse_network("10.0.0.0/31"), 3)


@given(bits=st.integers(0, 10))
def test_every_slot_is_taken_once(bits: int) -> None:
    assert sorted(slot_of(index, bits) for index in range(1 << bits)) == list(range(1 << bits))


@given(count=st.integers(1, 200), more=st.integers(0, 200))
def test_a_group_that_joins_lets_every_part_begin_where_it_did(count: int, more: int) -> None:
    whole = parse_network("10.0.0.0/8")
    before, after = parts_of(whole, count), parts_of(whole, count + more)
    assert [part.first for part in before] == [part.first for part in after[:count]]
    assert all(old.contains(new) for old, new in zip(before, after, strict=False))


@given(shape=SHAPES, count=st.integers(1, 30))
def test_parts_are_disjoint_nested_and_hold_all_networks_of_their_nodes(
    shape: list[list[int]], count: int
) -> None:
    some = hosts(count)
    found = plan(spread([one.inventory_name for one in some], shape), some)
    groups = {one["name"]: one for one in found["pod_topology"]}
    parts = {name: parse_network(one["cidrs"][0]) for name, one in groups.items()}
    pool = parse_network(found["pod_cidrs"][0])
    for name, part in parts.items():
        assert parts.get(parent_of(name), pool).contains(part)
        for node in groups[name]["hosts"]:
            assert part.contains(parse_network(found["nodes"][node]["pod_cidrs"][0]))
    for one, other in combinations(groups, 2):
        if parent_of(one) == parent_of(other):
            assert not parts[one].overlaps(parts[other])
    nodes = [parse_network(node["pod_cidrs"][0]) for node in found["nodes"].values()]
    assert not any(one.overlaps(other) for one, other in combinations(nodes, 2))


def levels(name: str) -> Iterator[str]:
    while name:
        yield name
        name = parent_of(name)


@given(shape=SHAPES, count=st.integers(1, 30))
def test_a_host_has_a_route_to_each_foreign_group_of_each_level_and_to_each_host_of_its_own(
    shape: list[list[int]], count: int
) -> None:
    some = hosts(count)
    found = plan(spread([one.inventory_name for one in some], shape), some)
    used = populated(found["pod_topology"], found["nodes"])
    for leaf in found["pod_topology"]:
        for name in leaf["hosts"]:
            foreign = sum(
                1
                for other in used
                if other not in levels(leaf["name"])
                and parent_of(other) in {parent_of(level) for level in levels(leaf["name"])}
            )
            routes = node_routes(found, name)
            assert len(routes) == foreign + len(leaf["hosts"]) - 1
            # Each pod of every other node is led to by exactly one route.
            for other, node in found["nodes"].items():
                pods = parse_network(node["pod_cidrs"][0])
                ways = [one for one in routes if parse_network(one["destination"]).contains(pods)]
                assert len(ways) == (other != name)


@given(shape=SHAPES, count=st.integers(1, 20), more=st.integers(1, 10))
def test_nodes_that_join_take_free_networks_and_move_nobody(
    shape: list[list[int]], count: int, more: int
) -> None:
    some = hosts(count + more)
    names = [one.inventory_name for one in some]
    settings = Settings(pod_topology=spread(names[:count], shape), pod_cidrs=("10.192.0.0/12",))
    before = prepare(settings, some[:count], GROUPED)
    topology = spread(names[:count], shape)
    topology[0]["groups"][0]["hosts"] += names[count:]
    after = plan(topology, some, before.allocations)
    for name, node in before.plan["nodes"].items():
        assert after["nodes"][name]["pod_cidrs"] == node["pod_cidrs"]


def test_a_rack_that_joins_moves_nobody() -> None:
    some = hosts(5)
    racks = [group(f"rack-{i}", f"node-000{i}") for i in range(5)]
    before = prepare(Settings(pod_topology=racks[:4]), some[:4], GROUPED)
    found = prepare(Settings(pod_topology=racks), some, GROUPED, before.allocations.to_mapping()).plan
    assert [node["pod_cidrs"][0] for node in found["nodes"].values()] == [
        "10.200.0.0/24",
        "10.200.128.0/24",
        "10.200.64.0/24",
        "10.200.192.0/24",
        "10.200.32.0/24",
    ]


def test_a_node_in_another_rack_is_refused_until_it_has_another_network() -> None:
    racks = [group("rack-1", "node-0000", "node-0001"), group("rack-2", "node-0002")]
    before = prepare(Settings(pod_topology=racks), hosts(3), GROUPED)
    moved = [group("rack-1", "node-0000"), group("rack-2", "node-0002", "node-0001")]
    ledger = before.allocations.to_mapping()
    with pytest.raises(PlanError) as refusal:
        prepare(Settings(pod_topology=moved), hosts(3), GROUPED, ledger)
    assert "[topology-moved] node-0001: allocation 10.200.1.0/24: its group has 10.200.128.0/17" in str(
        refusal.value
    )
    del ledger["nodes"]["node-0001"]
    found = prepare(Settings(pod_topology=moved), hosts(3), GROUPED, ledger).plan
    assert found["nodes"]["node-0001"]["pod_cidrs"] == ["10.200.129.0/24"]


def test_without_a_topology_all_nodes_are_one_group() -> None:
    found = prepare(Settings(), hosts(3), GROUPED).plan
    assert "pod_topology" not in found
    assert node_routes(found, "node-0001") == [
        {"destination": "10.200.0.0/24", "gateway": "198.18.0.1"},
        {"destination": "10.200.2.0/24", "gateway": "198.18.0.3"},
    ]


def test_both_families_have_parts_and_gateways() -> None:
    some = [
        host("a", "192.0.2.11", "2001:db8::11", groups=("etcd", "kube_control_plane", "kube_node")),
        host("b", "198.51.100.12", "2001:db8:1::12"),
    ]
    topology = [
        group("rack-1", "a", gateways=("192.0.2.1", "2001:db8::1")),
        group("rack-2", "b", gateways=("2001:db8:1::1", "198.51.100.1")),
    ]
    found = prepare(
        Settings(pod_topology=topology, pod_cidrs=DUAL.pod_cidrs, service_cidrs=DUAL.service_cidrs),
        some,
        GROUPED,
    ).plan
    assert node_routes(found, "b") == [
        {"destination": "10.200.0.0/17", "gateway": "198.51.100.1"},
        {"destination": "2001:db8:200::/57", "gateway": "2001:db8:1::1"},
    ]


def test_a_control_plane_that_is_no_node_has_a_place_and_no_part_of_its_own() -> None:
    some = [
        host("a", "192.0.2.11", groups=("etcd", "kube_control_plane")),
        host("b", "192.0.2.12"),
        host("c", "192.0.2.13"),
    ]
    racks = [group("rack-1", "a", "b"), group("rack-2", "c")]
    found = prepare(Settings(pod_topology=racks), some, GROUPED).plan
    assert node_routes(found, "a") == [
        {"destination": "10.200.0.0/24", "gateway": "192.0.2.12"},
        {"destination": "10.200.128.0/17", "gateway": "192.0.2.1"},
    ]
    assert ways_of(found["pod_topology"], found["nodes"], "nobody") is None


def test_gateways_of_a_zone_are_those_of_its_racks() -> None:
    racks = [group("rack-1", "node-0000", gateways=()), group("rack-2", "node-0001", gateways=("192.0.2.2",))]
    topology = [{"name": "zone-1", "groups": racks, "gateways": "192.0.2.1"}, group("zone-2", "node-0002")]
    found = plan(topology, hosts(3))
    assert [one["gateways"] for one in found["pod_topology"]] == [
        ["192.0.2.1"],
        ["192.0.2.1"],
        ["192.0.2.2"],
        ["192.0.2.1"],
    ]
