"""Free room in pod networks: a sweep over sorted ranges, never over the networks that could be there.

netaddr's IPSet has the same answers, and takes about 30 times as long for them: tests/benchmark/plan.py.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import NamedTuple

from netaddr import IPNetwork

from flatnet.plan.addresses import WIDTH, Family, Network, parse_network, pod_capacity
from flatnet.plan.names import listed_names

Range = tuple[int, int]
"""First and last address, as integers."""


def merged_ranges(ranges: Iterable[Range]) -> list[Range]:
    """Return the same addresses as few sorted ranges with gaps between them."""
    merged: list[Range] = []
    start, end = -2, -2
    for first, last in sorted(ranges):
        if first > end + 1:
            if end >= 0:
                merged.append((start, end))
            start, end = first, last
        elif last > end:
            end = last
    if end >= 0:
        merged.append((start, end))
    return merged


def is_touched(merged: Sequence[Range], first: int, last: int) -> bool:
    """Tell whether any of the merged ranges has an address from first to last."""
    index = bisect_left(merged, (last + 1,))
    return index > 0 and merged[index - 1][1] >= first


def _gaps(pool: Network, taken: Sequence[Range]) -> Iterator[Range]:
    """Yield the ranges of the pool that are not taken; an empty one may be among them."""
    start, end = pool.first, pool.last
    index = max(0, bisect_left(taken, (start,)) - 1)
    while start <= end:
        if index == len(taken) or taken[index][0] > end:
            yield start, end
            return
        if taken[index][1] >= start:
            yield start, taken[index][0] - 1
            start = taken[index][1] + 1
        index += 1


def free_starts(pools: Iterable[Network], prefix: int, taken: Sequence[Range], count: int) -> list[range]:
    """Return where at most count free networks begin, the lowest of the first pool first.

    The step of each range is the size of a network. `taken` are merged ranges.
    """
    free: list[range] = []
    for pool in pools:
        step = 1 << (WIDTH[pool.family] - prefix)
        for first, last in _gaps(pool, taken):
            aligned = -(-first // step) * step
            room = min(count, (last + 1 - aligned) // step)
            if room > 0:
                free.append(range(aligned, aligned + room * step, step))
                count -= room
    return free


def networks_at(family: Family, prefix: int, starts: Iterable[range]) -> list[Network]:
    """Return the networks of a family and a prefix length that begin there."""
    # In one go and not by a call each: there may be a hundred thousand.
    make = partial(tuple.__new__, Network)
    return list(map(make, zip(repeat(family), chain.from_iterable(starts), repeat(prefix))))


def count_networks(pools: Iterable[Network], prefix: int, taken: Sequence[Range] = ()) -> int:
    """Return how many networks of the prefix length are free in the pools. `taken` are merged ranges."""
    count = 0
    for pool in pools:
        step = 1 << (WIDTH[pool.family] - prefix)
        for first, last in _gaps(pool, taken):
            count += max(0, (last + 1 + first // -step * step) // step)
    return count


class Full(NamedTuple):
    """A family whose pod networks have no room for everybody."""

    pools: Sequence[Network]
    prefix: int
    """What the nodes without a network want."""
    taken: Sequence[Range]
    """Merged ranges of the nodes that have one."""
    holders: int
    """How many nodes have one."""
    waiting: Sequence[str]
    placed: int
    """How many of the waiting found room, the first ones."""
    max_pods: int
    avoid: Sequence[Network]
    """What a pod network must not cover."""
    several: bool
    """Whether the backend carries several pod networks of a family."""
    deployed: Sequence[str]
    """The nodes that have another network in what is deployed, which is kept for them."""


def full_pool(full: Full) -> tuple[str, str, str]:
    """Return (value, reason, fix) of a finding; every fix offered has been tried on these allocations."""
    pools, prefix = full.pools, full.prefix
    family, width = pools[0].family, WIDTH[pools[0].family]
    needed = len(full.waiting)
    fixes = []
    wide = _wider(full)
    if wide:
        holds = 1 << (prefix - wide.prefix)
        fixes.append(f"widen cluster_pod_cidrs to a /{wide.prefix} (holds {holds} nodes)")
    if full.several:
        fixes.append("add another network to cluster_pod_cidrs")
    for narrow in range(prefix + 1, width + 1):
        pods = pod_capacity(Network(family, 0, narrow))
        if pods and _has_room(pools, narrow, full.taken, needed):
            also = "" if pods >= full.max_pods else f" and cluster_max_pods to at most {pods}"
            fixes.append(f"set cluster_node_prefixes to {narrow}{also}")
            break
    if full.deployed:
        fixes.append("provision without the new nodes first, which frees what nodes had that left")
    holds = count_networks(pools, prefix)
    without = full.waiting[full.placed :]
    some = ", ".join(without[:3]) + (f" and {len(without) - 3} more" if len(without) > 3 else "")
    kept = f"kept for {listed_names(full.deployed, 3)} as deployed, " if full.deployed else ""
    subject = "it holds" if len(pools) == 1 else "they hold"
    reason = (
        f"{subject} {holds} /{prefix} networks, {full.holders} taken by nodes, {kept}{needed} more needed; "
        f"none is left for {some}"
    )
    value = f"cluster_pod_cidrs {', '.join(map(str, pools))}"
    return value, reason, ", or ".join(fixes) or "shrink the cluster"


def _wider(full: Full) -> Network | None:
    """Return the smallest network around the last pool that has room for all and touches nothing else."""
    *others, pool = full.pools
    for supernet in reversed(IPNetwork(str(pool)).supernet()):
        wide = parse_network(str(supernet))
        if any(wide.overlaps(other) for other in (*others, *full.avoid)):
            return None
        needed = len(full.waiting)
        if _has_room([*others, wide], full.prefix, full.taken, needed):
            return wide
    return None


def _has_room(pools: Iterable[Network], prefix: int, taken: Sequence[Range], needed: int) -> bool:
    return sum(map(len, free_starts(pools, prefix, taken, needed))) == needed
