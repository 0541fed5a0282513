from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, DUAL, HOSTS, KUBENET, findings, host, hosts, pod_cidrs, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, Host, Settings, node_routes
from flatnet.plan.addresses import Family, Network, parse_network
from flatnet.plan.allocate import allocate
from flatnet.plan.allocations import Entry
from flatnet.plan.findings import Findings
from flatnet.plan.pool import count_networks, free_networks, is_touched, merged_ranges
from flatnet.plan.request import Pool, Request

POOL = parse_network("10.200.0.0/20")
NAMES = st.sets(st.sampled_from([f"n{i}" for i in range(16)]))


def request(names: set[str], **pins: str) -> Request:
    entries: dict[str, Entry] = {name: {"ipv4": parse_network(cidr)} for name, cidr in pins.items()}
    return Request({"ipv4": Pool((POOL,), 24)}, sorted(names), entries, 110)


def allocated(names: set[str], before: Allocations | None = None, **pins: str) -> Allocations:
    found = Findings()
    after = allocate(request(names, **pins), before or Allocations(), found)
    found.raise_if_any()
    return after


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
        "Fix: let pod_cidrs cover it, or pin a network inside and replace the node."
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
        "[pod-network-full] pod_cidrs 10.200.0.0/23: it holds 2 /24 networks, 0 taken by nodes, 3 more "
        "needed; "
        "none is left for node-c. Fix: widen pod_cidrs to a /22 (holds 4 nodes), or set node_prefixes to 25."
    ]


def test_a_network_full_of_entries_is_not_advised_to_take_a_longer_prefix() -> None:
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"], "node-b": ["10.200.1.0/24"]}}
    assert findings(Settings(pod_cidrs=("10.200.0.0/23",)), allocations=ledger) == [
        "[pod-network-full] pod_cidrs 10.200.0.0/23: it holds 2 /24 networks, 2 taken by nodes, "
        "1 more needed; none is left for node-c. Fix: widen pod_cidrs to a /22 (holds 4 nodes)."
    ]


def test_a_wider_network_that_would_meet_another_one_is_not_advised() -> None:
    beside = Settings(pod_cidrs=("10.200.0.0/23",), service_cidrs=("10.200.2.0/24",))
    assert findings(beside)[0].endswith("none is left for node-c. Fix: set node_prefixes to 25.")
    # All is taken, wider networks hold the services, and no prefix makes room: one way is left.
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"], "node-b": ["10.200.1.0/24"]}}
    assert findings(beside, allocations=ledger)[0].endswith("Fix: shrink the cluster.")
    several = KUBENET | {"several_pod_cidrs": True}
    assert findings(beside, contract=several, allocations=ledger)[0].endswith(
        "Fix: add another network to pod_cidrs."
    )


def test_a_longer_prefix_that_is_too_small_for_the_pods_says_so() -> None:
    assert findings(Settings(pod_cidrs=("10.200.0.0/23",), max_pods=200))[0].endswith(
        "or set node_prefixes to 25 and max_pods to at most 125."
    )


def test_a_backend_with_its_own_addresses_leaves_the_allocations_alone() -> None:
    ledger = {"nodes": {"node-x": ["10.200.0.0/24"]}, "removed": {}}
    planned = prepare(contract=KUBENET | {"ipam": "backend"}, allocations=ledger)
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
        "or widen pod_cidrs to keep room for nodes that return."
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


def test_allocations_of_another_cluster_are_refused_with_the_way_out() -> None:
    ledger = {"cluster": "berlin", "nodes": {"node-a": ["10.9.0.0/24"]}}
    assert findings(Settings(cluster_name="paris"), allocations=ledger) == [
        "[allocation-cluster] cluster berlin: the allocations belong to that cluster, and this one is paris. "
        "Fix: give this cluster an allocations file of its own, or, if it was renamed, "
        "write cluster: paris into the file."
    ]
    assert prepare(Settings(cluster_name="berlin")).allocations.cluster == "berlin"


WEB = {f"web-{i}": [f"10.200.{i}.0/24"] for i in range(9)}
OF_ANOTHER = (
    "[allocation-cluster] nodes {}: the inventory has none of them but node-a, node-b, node-c, so that the "
    "allocations are another cluster's. Fix: give this cluster an allocations file and a cluster_name of its "
    "own; if its nodes were renamed, rename the entries, and if really all were replaced at once, move the "
    "entries from nodes to removed."
)


@pytest.mark.parametrize("cluster", ["", "kubernetes"])
def test_allocations_whose_nodes_are_all_unknown_are_another_clusters_of_the_same_name(cluster: str) -> None:
    ledger = {"cluster": cluster, "nodes": WEB | {"db-1": [], "db-3": [], "x": []}}
    assert findings(allocations=ledger) == [OF_ANOTHER.format("db-1, db-3, web-[0:8] and 1 more")]


def test_nodes_that_were_all_replaced_are_moved_to_removed_by_hand() -> None:
    assert pod_cidrs(prepare(allocations={"removed": WEB}))["node-a"] == ["10.200.9.0/24"]


def test_one_node_that_was_replaced_is_the_same_cluster() -> None:
    planned = prepare(allocations={"nodes": {"web-1": ["10.200.1.0/24"]}})
    assert list(planned.allocations.removed) == ["web-1"]


def test_a_host_that_is_no_node_any_more_tells_that_it_is_the_same_cluster() -> None:
    some = [replace(HOSTS[0], groups=ALL_GROUPS - {"kube_node"}), *HOSTS[1:]]
    planned = prepare(some=some, allocations={"nodes": {"node-a": ["10.200.1.0/24"], "web-1": []}})
    assert list(planned.allocations.removed) == ["node-a", "web-1"]


def test_a_pin_on_a_recorded_network_does_not_make_it_the_same_cluster() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.1.0/24",)), *HOSTS[1:]]
    assert findings(some=some, allocations={"nodes": WEB}) == [OF_ANOTHER.format("web-[0:8]")]


def test_running_nodes_tell_that_it_is_the_same_cluster_and_only_those_that_are_recorded() -> None:
    def running(*names: str) -> list[dict[str, object]]:
        return [{"metadata": {"name": name}, "spec": {"podCIDRs": WEB["web-4"]}} for name in names]

    planned = prepare(allocations={"nodes": WEB}, existing_nodes=running("web-4"))
    assert [line.split(":")[0] for line in planned.warnings] == ["[adoption-stranger] web-4"]
    # Another cluster's allocations are not held against what runs.
    assert findings(allocations={"nodes": WEB}, existing_nodes=running("node-a")) == [
        OF_ANOTHER.format("web-[0:8]")
    ]


def test_allocations_that_the_backend_does_not_follow_may_be_of_nodes_that_left() -> None:
    contract = KUBENET | {"ipam": "backend"}
    assert prepare(contract=contract, allocations={"nodes": WEB}).plan["nodes"].keys() == {
        "node-a",
        "node-b",
        "node-c",
    }


@given(st.lists(NAMES, min_size=1, max_size=6))
def test_no_history_of_joining_and_leaving_moves_a_node(history: list[set[str]]) -> None:
    # 16 names and 16 networks: tombstones can never fill the pool.
    before = Allocations()
    seen: dict[str, Network] = {}
    for names in history:
        after = allocated(names, before)
        assert set(after.nodes) == names
        for name, entry in after.nodes.items():
            assert seen.setdefault(name, entry["ipv4"]) == entry["ipv4"]
        held = [entry["ipv4"] for entry in (*after.nodes.values(), *after.removed.values())]
        assert len(set(held)) == len(held)
        assert all(POOL.contains(network) for network in held)
        assert allocated(names, after) == after
        before = after


@given(
    st.sets(st.sampled_from([f"n{i}" for i in range(6)]), min_size=1),
    st.dictionaries(
        st.sampled_from(["n0", "n1", "p0"]), st.tuples(st.integers(0, 7), st.integers(21, 24)), max_size=3
    ),
)
def test_networks_are_disjoint_and_inside_whatever_the_pins(
    names: set[str], pins: dict[str, tuple[int, int]]
) -> None:
    texts = {
        name: str(Network("ipv4", POOL.first + (index % (1 << (prefix - 20)) << (32 - prefix)), prefix))
        for name, (index, prefix) in pins.items()
    }
    found = Findings()
    after = allocate(request(names | set(texts), **texts), Allocations(), found)
    if found.found:
        assert {finding.rule for finding in found.found} <= {"pin-conflict", "pod-network-full"}
        return
    networks = [entry["ipv4"] for entry in after.nodes.values()]
    assert all(POOL.contains(network) for network in networks)
    assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[i + 1 :])
    assert {name: str(after.nodes[name]["ipv4"]) for name in texts} == texts


@given(
    st.lists(st.sets(st.sampled_from([f"n{i:02}" for i in range(30)]), max_size=16), min_size=1, max_size=8)
)
def test_in_a_crowded_pool_nobody_who_stays_moves_and_nobody_shares(history: list[set[str]]) -> None:
    # 30 names share 16 networks, 16 at a time at most: room there always is, but for nobody's return.
    before = Allocations()
    for names in history:
        found = Findings()
        after = allocate(request(names), before, found)
        assert found.found == []
        for name in names & before.nodes.keys():
            assert after.nodes[name] == before.nodes[name]
        for name in names & before.removed.keys():
            old = before.removed[name]
            assert after.nodes[name] == old or not any(old == entry for entry in after.removed.values())
        held = [entry["ipv4"] for entry in (*after.nodes.values(), *after.removed.values())]
        assert len(set(held)) == len(held)
        # Who is told to have lost what was kept is who lost it.
        lost = (before.nodes.keys() | before.removed.keys()) - names - after.removed.keys()
        assert {finding.host for finding in found.warned} == lost
        if lost:
            assert len(held) == 16
        before = after


SIZES = st.integers(21, 26)


@given(
    st.dictionaries(st.sampled_from([f"n{i:02}" for i in range(12)]), SIZES, min_size=1),
    st.dictionaries(st.sampled_from([f"n{i:02}" for i in range(12)]), SIZES, min_size=1),
)
def test_nodes_of_many_sizes_are_apart_inside_and_as_large_as_they_want(
    first: dict[str, int], second: dict[str, int]
) -> None:
    before = Allocations()
    seen: dict[str, Network] = {}
    for sizes in (first, second):
        own: dict[str, dict[Family, int]] = {name: {"ipv4": size} for name, size in sizes.items()}
        found = Findings()
        after = allocate(
            Request({"ipv4": Pool((POOL,), 24)}, sorted(sizes), max_pods=1, own_prefixes=own), before, found
        )
        if found.found:
            assert {finding.rule for finding in found.found} == {"pod-network-full"}
            return
        ordered = sorted(after.nodes[name]["ipv4"] for name in sizes)
        assert all(a.last < b.first for a, b in pairwise(ordered))
        assert all(POOL.contains(network) for network in ordered)
        for name, size in sizes.items():
            network = after.nodes[name]["ipv4"]
            assert network == seen.get(name, network)
            assert name in seen or network.prefix == size
        seen = {name: entry["ipv4"] for name, entry in (*after.removed.items(), *after.nodes.items())}
        before = after


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(24, 30)), max_size=12),
    st.integers(24, 30),
    st.integers(0, 40),
)
def test_free_networks_are_those_that_a_search_through_all_would_find(
    blocks: list[tuple[int, int]], prefix: int, count: int
) -> None:
    pools = [parse_network("10.0.0.0/26"), parse_network("10.0.0.128/25")]
    taken = [Network("ipv4", (10 << 24) + (i >> (32 - p) << (32 - p)), p) for i, p in blocks]
    step = 1 << (32 - prefix)
    every = [
        Network("ipv4", first, prefix)
        for pool in pools
        for first in range(pool.first, pool.last + 1, step)
        if pool.prefix <= prefix
    ]
    free = [network for network in every if not any(network.overlaps(block) for block in taken)]
    merged = merged_ranges((block.first, block.last) for block in taken)
    assert free_networks(pools, prefix, merged, count) == free[:count]
    assert count_networks(pools, prefix, merged) == len(free)
    for network in every:
        assert is_touched(merged, network.first, network.last) == any(network.overlaps(b) for b in taken)


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
