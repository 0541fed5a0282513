"""Free room in pod networks: a sweep over sorted ranges, never over the networks that could be there.

netaddr's IPSet has the same answers, and takes about 30 times as long for them: tests/benchmark/plan.py.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat

from flatnet.plan.addresses import WIDTH, Family, Network

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


def ranges_within(merged: Sequence[Range], pools: Iterable[Network]) -> list[Range]:
    """Return those of the merged ranges that have an address in the pools."""
    found: list[Range] = []
    for pool in pools:
        start, end = bisect_left(merged, (pool.first,)), bisect_left(merged, (pool.last + 1,))
        if start and merged[start - 1][1] >= pool.first:
            start -= 1
        found += merged[start:end]
    return found


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
