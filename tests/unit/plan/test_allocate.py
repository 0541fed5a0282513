"""What giving out networks promises, whatever happened before."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flatnet.plan import Allocations
from flatnet.plan.addresses import Family, Network, parse_network
from flatnet.plan.allocate import allocate
from flatnet.plan.allocations import Entry
from flatnet.plan.findings import Findings
from flatnet.plan.pool import count_networks, free_starts, is_touched, merged_ranges, networks_at
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
    found = networks_at("ipv4", prefix, free_starts(pools, prefix, merged, count))
    assert found == free[:count]
    assert count_networks(pools, prefix, merged) == len(free)
    for network in every:
        assert is_touched(merged, network.first, network.last) == any(network.overlaps(b) for b in taken)
