from dataclasses import replace

import pytest
from plan_cases import ALL_GROUPS, DUAL, HOSTS, KUBENET, OWN_IPAM, findings, host, hosts, pod_cidrs, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, Host, Settings, node_routes
from flatnet.plan.addresses import parse_network
from flatnet.plan.allocate import allocate
from flatnet.plan.findings import Findings
from flatnet.plan.request import Pool, Request


def test_new_nodes_get_the_lowest_free_networks_in_the_order_of_their_names() -> None:
    assert pod_cidrs(prepare(some=[HOSTS[2], HOSTS[0], HOSTS[1]])) == {
        "node-a": ["10.200.0.0/24"],
        "node-b": ["10.200.1.0/24"],
        "node-c": ["10.200.2.0/24"],
    }


def test_an_entry_stays_and_a_new_node_fills_the_gap() -> None:
    ledger = {"nodes": {"node-c": ["10.200.0.0/24"], "node-a": ["10.200.2.0/24"]}}
    assert pod_cidrs(prepare(allocations=ledger)) == {
        "node-a": ["10.200.2.0/24"],
        "node-b": ["10.200.1.0/24"],
        "node-c": ["10.200.0.0/24"],
    }


def test_a_node_that_left_keeps_its_network_and_gets_it_back() -> None:
    first = prepare()
    without = prepare(
        some=[HOSTS[0], HOSTS[2], host("node-0", "192.0.2.20")], allocations=first.allocations.to_mapping()
    )
    assert without.allocations.to_mapping() == {
        "cluster": "kubernetes",
        "nodes": {"node-0": ["10.200.3.0/24"], "node-a": ["10.200.0.0/24"], "node-c": ["10.200.2.0/24"]},
        "removed": {"node-b": ["10.200.1.0/24"]},
    }
    back = prepare(allocations=without.allocations.to_mapping())
    assert pod_cidrs(back) == pod_cidrs(first)
    assert back.allocations.to_mapping()["removed"] == {"node-0": ["10.200.3.0/24"]}


def test_only_hosts_of_kube_node_get_a_network() -> None:
    some = [
        host("cp", "192.0.2.10", groups=["kube_control_plane"]),
        host("db", "192.0.2.9", groups=["etcd"]),
        *HOSTS[1:],
    ]
    planned = prepare(some=some)
    assert pod_cidrs(planned)["cp"] == pod_cidrs(planned)["db"] == []
    assert sorted(planned.allocations.nodes) == ["node-b", "node-c"]
    assert [route["destination"] for route in node_routes(planned.plan, "cp")] == [
        "10.200.0.0/24",
        "10.200.1.0/24",
    ]
    assert node_routes(planned.plan, "db") == []


def test_a_pin_wins_and_others_are_allocated_around_it() -> None:
    some = [HOSTS[0], HOSTS[1], replace(HOSTS[2], pod_cidr_pins=("10.200.0.0/23",))]
    assert pod_cidrs(prepare(some=some)) == {
        "node-a": ["10.200.2.0/24"],
        "node-b": ["10.200.3.0/24"],
        "node-c": ["10.200.0.0/23"],
    }


def test_a_pin_on_another_network_than_the_nodes_own_warns_that_the_node_moves() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.9.0/24",)), *HOSTS[1:]]
    planned = prepare(some=some, allocations=prepare().allocations.to_mapping())
    assert pod_cidrs(planned)["node-a"] == ["10.200.9.0/24"]
    assert [line.split("]")[0] for line in planned.warnings] == ["[pin-moves-node"]
    assert "10.200.0.0/24" in planned.warnings[0]


def test_two_pins_on_the_same_network_name_both_nodes() -> None:
    some = [HOSTS[0], *(replace(one, pod_cidr_pins=("10.200.7.0/24",)) for one in HOSTS[1:])]
    assert findings(some=some) == [
        "[pin-conflict] node-c: 10.200.7.0/24: it overlaps 10.200.7.0/24 of node-b. "
        "Fix: pin another network, for one of the two."
    ]


def test_a_pin_on_the_network_that_another_node_has_names_both_nodes() -> None:
    some = [HOSTS[0], HOSTS[1], replace(HOSTS[2], pod_cidr_pins=("10.200.0.0/24",))]
    assert findings(some=some, allocations={"nodes": {"node-a": ["10.200.0.0/24"]}}) == [
        "[pin-conflict] node-c: 10.200.0.0/24: it overlaps 10.200.0.0/24 of node-a. "
        "Fix: pin another network, for one of the two."
    ]


def test_a_pin_takes_the_network_of_a_node_that_left() -> None:
    some = [*HOSTS[:2], replace(HOSTS[2], pod_cidr_pins=("10.200.5.0/24",))]
    planned = prepare(some=some, allocations={"removed": {"gone": ["10.200.5.0/24"]}})
    assert pod_cidrs(planned)["node-c"] == ["10.200.5.0/24"]
    assert planned.allocations.removed == {}
    assert planned.warnings[0].startswith(
        "[pin-takes-tombstone] node-c: pod_cidr pin over 10.200.5.0/24, kept for gone: the node that left"
    )


def test_entries_that_a_merge_of_branches_made_overlap_name_both_nodes() -> None:
    ledger = {"nodes": {"node-a": ["10.200.4.0/23"], "node-b": ["10.200.5.0/24"]}}
    assert findings(allocations=ledger) == [
        "[allocation-conflict] node-b: 10.200.5.0/24: it overlaps 10.200.4.0/23 of node-a. "
        "Fix: keep the one whose Node object has it, delete the other's entry, for one of the two."
    ]


def test_entries_outside_changed_pod_networks_are_refused_instead_of_moved() -> None:
    assert findings(
        Settings(pod_cidrs=("10.201.0.0/16",)), allocations={"nodes": {"node-a": ["10.200.0.0/24"]}}
    ) == [
        "[allocation-outside] node-a: allocation 10.200.0.0/24: it is outside 10.201.0.0/16. "
        "Fix: let cluster_pod_cidrs cover it, or pin a network inside and replace the node; "
        "the entry of a node that does not run yet can be deleted."
    ]


def test_a_wider_cluster_network_and_another_node_prefix_move_nobody() -> None:
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"], "node-b": ["10.200.1.0/24"]}}
    planned = prepare(Settings(pod_cidrs=("10.200.0.0/15",), node_prefixes=(25,)), allocations=ledger)
    assert pod_cidrs(planned) == {
        "node-a": ["10.200.0.0/24"],
        "node-b": ["10.200.1.0/24"],
        "node-c": ["10.200.2.0/25"],
    }


def test_a_second_family_is_added_beside_the_first() -> None:
    some = [replace(one, addresses=(*one.addresses, f"2001:db8::{i}")) for i, one in enumerate(HOSTS, 1)]
    planned = prepare(DUAL, some, allocations={"nodes": {"node-b": ["10.200.0.0/24"]}})
    assert pod_cidrs(planned) == {
        "node-a": ["10.200.1.0/24", "2001:db8:200::/64"],
        "node-b": ["10.200.0.0/24", "2001:db8:200:1::/64"],
        "node-c": ["10.200.2.0/24", "2001:db8:200:2::/64"],
    }


def test_a_family_that_is_given_up_stays_recorded() -> None:
    planned = prepare(allocations={"nodes": {"node-a": ["10.200.0.0/24", "2001:db8:200::/64"]}})
    assert pod_cidrs(planned)["node-a"] == ["10.200.0.0/24"]
    assert planned.allocations.to_mapping()["nodes"]["node-a"] == ["10.200.0.0/24", "2001:db8:200::/64"]


def test_a_full_network_says_how_many_fit_and_what_makes_room() -> None:
    assert findings(Settings(pod_cidrs=("10.200.0.0/23",))) == [
        "[pod-network-full] cluster_pod_cidrs 10.200.0.0/23: it holds 2 /24 networks, 0 taken by nodes, "
        "3 more "
        "needed; "
        "none is left for node-c. Fix: widen cluster_pod_cidrs to a /22 (holds 4 nodes), or set "
        "cluster_node_prefixes to 25."
    ]


def test_a_network_full_of_entries_is_not_advised_to_take_a_longer_prefix() -> None:
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"], "node-b": ["10.200.1.0/24"]}}
    assert findings(Settings(pod_cidrs=("10.200.0.0/23",)), allocations=ledger) == [
        "[pod-network-full] cluster_pod_cidrs 10.200.0.0/23: it holds 2 /24 networks, 2 taken by nodes, "
        "1 more needed; none is left for node-c. Fix: widen cluster_pod_cidrs to a /22 (holds 4 nodes)."
    ]


def test_a_wider_network_that_would_meet_another_one_is_not_advised() -> None:
    beside = Settings(pod_cidrs=("10.200.0.0/23",), service_cidrs=("10.200.2.0/24",))
    assert findings(beside)[0].endswith("none is left for node-c. Fix: set cluster_node_prefixes to 25.")
    # All is taken, wider networks hold the services, and no prefix makes room: one way is left.
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"], "node-b": ["10.200.1.0/24"]}}
    assert findings(beside, allocations=ledger)[0].endswith("Fix: shrink the cluster.")
    several = KUBENET | {"several_pod_cidrs": True}
    assert findings(beside, contract=several, allocations=ledger)[0].endswith(
        "Fix: add another network to cluster_pod_cidrs."
    )


def test_a_longer_prefix_that_is_too_small_for_the_pods_says_so() -> None:
    assert findings(Settings(pod_cidrs=("10.200.0.0/23",), max_pods=200))[0].endswith(
        "or set cluster_node_prefixes to 25 and cluster_max_pods to at most 125."
    )


def test_a_backend_with_its_own_addresses_leaves_the_allocations_alone() -> None:
    ledger = {"nodes": {"node-x": ["10.200.0.0/24"]}, "removed": {}}
    planned = prepare(contract=OWN_IPAM, allocations=ledger)
    assert planned.allocations.to_mapping() == ledger
    assert pod_cidrs(planned) == {"node-a": [], "node-b": [], "node-c": []}


def test_what_is_kept_is_given_away_only_when_nothing_else_is_free_and_that_is_said() -> None:
    narrow = Settings(pod_cidrs=("10.200.0.0/22",))
    ledger = {
        "nodes": {"node-a": ["10.200.1.0/24"]},
        "removed": {"x": ["10.200.0.0/24"], "y": ["10.200.2.0/24"]},
    }
    roomy = prepare(narrow, HOSTS[:2], allocations=ledger)
    assert pod_cidrs(roomy)["node-b"] == ["10.200.3.0/24"]
    assert roomy.warnings == []
    tight = prepare(narrow, HOSTS, allocations=ledger)
    assert pod_cidrs(tight)["node-b"] == ["10.200.3.0/24"]
    assert pod_cidrs(tight)["node-c"] == ["10.200.0.0/24"]
    assert sorted(tight.allocations.removed) == ["y"]
    assert tight.warnings == [
        "[tombstone-reused] x: kept 10.200.0.0/24: the pod networks are otherwise full, so that another node "
        "got what was kept in case it returns. Fix: make sure that its Node object is gone, "
        "or widen cluster_pod_cidrs to keep room for nodes that return."
    ]


def test_a_node_that_returns_after_its_network_was_given_away_gets_another() -> None:
    narrow = Settings(pod_cidrs=("10.200.0.0/22",))
    kept = {"node-b": ["10.200.0.0/24"], "x": ["10.200.2.0/24"], "y": ["10.200.3.0/24"]}
    ledger = {"nodes": {"node-a": ["10.200.1.0/24"]}, "removed": kept}
    tight = prepare(narrow, [HOSTS[0], HOSTS[2]], allocations=ledger)
    assert pod_cidrs(tight)["node-c"] == ["10.200.0.0/24"]
    back = prepare(narrow, HOSTS, allocations=tight.allocations.to_mapping())
    assert pod_cidrs(back) == {
        "node-a": ["10.200.1.0/24"],
        "node-b": ["10.200.2.0/24"],
        "node-c": ["10.200.0.0/24"],
    }


def test_a_large_network_that_is_kept_is_given_up_whole() -> None:
    ledger = {"removed": {"big": ["10.200.0.0/23", "2001:db8:200::/64"]}}
    tight = prepare(Settings(pod_cidrs=("10.200.0.0/23",)), HOSTS[:1], allocations=ledger)
    assert pod_cidrs(tight)["node-a"] == ["10.200.0.0/24"]
    # What it has of a family that is not in use stays.
    assert tight.allocations.to_mapping()["removed"] == {"big": ["2001:db8:200::/64"]}


def test_an_entry_that_is_kept_and_overlaps_a_nodes_network_is_refused() -> None:
    ledger = {"nodes": {"node-b": ["10.200.5.0/24"]}, "removed": {"gone": ["10.200.4.0/23"]}}
    assert findings(allocations=ledger) == [
        "[allocation-conflict] gone: 10.200.4.0/23, kept under removed: it overlaps 10.200.5.0/24 of node-b. "
        "Fix: delete the entry of gone under removed."
    ]


def test_a_pin_is_recorded_and_forgotten_again_while_the_network_stays() -> None:
    some = [*HOSTS[:2], replace(HOSTS[2], pod_cidr_pins=("10.200.7.0/24",))]
    pinned = prepare(some=some)
    assert pinned.allocations.to_mapping()["pins"] == {"node-c": ["10.200.7.0/24"]}
    loose = prepare(allocations=pinned.allocations.to_mapping())
    assert "pins" not in loose.allocations.to_mapping()
    assert pod_cidrs(loose)["node-c"] == ["10.200.7.0/24"]
    left = prepare(some=HOSTS[:2], allocations=pinned.allocations.to_mapping())
    assert left.allocations.to_mapping()["removed"] == {"node-c": ["10.200.7.0/24"]}
    assert left.allocations.pins == {}


def test_renaming_another_node_moves_nobody() -> None:
    before = prepare()
    renamed = [replace(HOSTS[0], inventory_name="zz", node_name="zz"), *HOSTS[1:]]
    after = prepare(some=renamed, allocations=before.allocations.to_mapping())
    assert pod_cidrs(after) == {
        "node-b": ["10.200.1.0/24"],
        "node-c": ["10.200.2.0/24"],
        "zz": ["10.200.3.0/24"],
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the allocations must be a mapping with the keys cluster, nodes, pins and removed alone"),
        (
            {"node": {}},
            "the allocations must be a mapping with the keys cluster, nodes, pins and removed alone",
        ),
        ({"nodes": []}, "[allocation-format] nodes: it is not a mapping"),
        ({"nodes": {"a": "10.0.0.0/24"}}, "[allocation-format] nodes.a: it is not a list of networks"),
        ({"nodes": {"a": [5]}}, "[allocation-format] nodes.a: it is not a list of networks"),
        ({"nodes": {"A_b": []}}, "[allocation-format] nodes.A_b: no node can have that name"),
        ({"nodes": {5: []}}, "[allocation-format] nodes.5: no node can have that name"),
        ({"cluster": "a b"}, "[allocation-format] cluster 'a b': it names no cluster"),
        ({"cluster": ["a"]}, "[allocation-format] cluster ['a']: it names no cluster"),
        ({"nodes": {"a": ["x"]}}, "[allocation-format] nodes.a: 'x' is not a network"),
        ({"nodes": {"a": ["10.0.0.0/24", "10.0.1.0/24"]}}, "[allocation-format] nodes.a: two ipv4 networks"),
        (
            {"nodes": {"a": ["10.0.0.0/24"]}, "removed": {"a": ["10.0.0.0/24"]}},
            "[allocation-twice] a: it is under nodes and under removed",
        ),
    ],
)
def test_allocations_that_cannot_be_meant_are_refused(data: object, message: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        Allocations.from_mapping(data)
    assert message in str(caught.value)


def test_a_hundred_thousand_nodes_are_allocated_without_enumerating_the_pool() -> None:
    pool = Pool((parse_network("2001:db8::/32"),), 64)
    wide = Request({"ipv6": pool}, [f"n{i:06}" for i in range(100_000)])
    after = allocate(wide, Allocations(), Findings())
    assert str(after.nodes["n099999"]["ipv6"]) == "2001:db8:1:869f::/64"


def test_a_thousand_nodes_get_a_thousand_networks() -> None:
    some: list[Host] = hosts(1000)
    planned = prepare(Settings(pod_cidrs=("10.192.0.0/12",)), some, KUBENET | {"routes": "backend"})
    assert pod_cidrs(planned)["node-0999"] == ["10.195.231.0/24"]
    assert some[0].groups == ALL_GROUPS
