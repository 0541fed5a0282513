"""Give every node a pod network: entries stay, pins win, who returns gets back what it had."""

from collections.abc import Collection, Mapping, Sequence

from flatnet.plan.addresses import WIDTH, Family, Network
from flatnet.plan.allocations import Allocations, Entry
from flatnet.plan.conflicts import check_deployed_networks, check_held, drop_tombstones_under_pins
from flatnet.plan.findings import Findings
from flatnet.plan.full_pool import Full, full_group, full_pool
from flatnet.plan.pool import Range, free_starts, is_touched, merged_ranges, networks_at, ranges_within
from flatnet.plan.request import Request
from flatnet.plan.rules import Sizes, check_pods

_NOTHING: Entry = {}


def allocate(request: Request, before: Allocations, findings: Findings) -> Allocations:
    """Return the allocations after every requested node has one network per pool.

    Pins win; an entry that is there stays; a node that returns gets its old networks; new nodes, the largest
    networks first and then in the order of the names, get the lowest free network. Networks that are kept for
    nodes that left are given to others only when nothing else is free, which is a warning. What a node has in
    what is deployed is given to nobody else at all. Conflicts and full pools become findings.
    """
    nodes: dict[str, Entry] = {name: before.nodes.get(name, _NOTHING) for name in sorted(request.nodes)}
    removed = {name: entry for name, entry in before.removed.items() if name not in nodes}
    removed |= {name: entry for name, entry in before.nodes.items() if name not in nodes}
    pins = {name: request.pins[name] for name in sorted(request.pins) if name in nodes}
    for name, pinned in pins.items():
        for network in pinned.values():
            _warn_move(name, network, nodes[name], findings)
        nodes[name] = {**nodes[name], **pinned}
    drop_tombstones_under_pins(removed, pins, findings)
    returning = {name: before.removed[name] for name in nodes if name in before.removed}
    # The allocations may be lost; a node that runs is not to move for that.
    returning |= {name: entry for name, entry in request.deployed.items() if not nodes.get(name, entry)}
    for family in request.pools:
        _allocate_family(family, request, nodes, removed, returning, findings)
    return Allocations(nodes, dict(sorted(removed.items())), pins, before.cluster)


def _warn_move(name: str, network: Network, entry: Entry, findings: Findings) -> None:
    old = entry.get(network.family)
    if old and old != network:
        findings.warn(
            "pin-moves-node",
            f"pod_cidr {network} in place of {old}",
            "Node.spec.podCIDRs is immutable",
            "drain and delete the Node object before this is applied, or pin what it has",
            name,
        )


def _allocate_family(
    family: Family,
    request: Request,
    nodes: dict[str, Entry],
    removed: dict[str, Entry],
    returning: Mapping[str, Entry],
    findings: Findings,
) -> None:
    held = [*request.occupied.get(family, ()), *ranges_of(family, nodes)]
    _return_old(family, request, nodes, returning, held)
    holders = len(held)
    if held:
        check_held(family, request, nodes, removed, findings)
    deployed = {
        name: network
        for name, entry in request.deployed.items()
        if (network := entry.get(family)) is not None and nodes.get(name, _NOTHING).get(family) != network
    }
    if deployed:
        check_deployed_networks(family, deployed, request, nodes, findings)
        held += map(_range, deployed.values())
    special = request.own_max_pods.keys() | request.own_prefixes.keys()
    # Groups have parts of their own: what others have is merged once, and not for each of them.
    everywhere, left = merged_ranges(held), merged_ranges(ranges_of(family, removed))
    new: dict[tuple[Network, ...], list[Range]] = {}
    for (prefix, pools), names in sorted(_waiting(family, request, nodes, special).items()):
        # Without a gap first; what is kept for nodes that left only when that is not enough.
        held = [*ranges_within(everywhere, pools), *new.get(pools, ())]
        kept = ranges_within(left, pools)
        free = free_starts(pools, prefix, merged_ranges([*held, *kept]), len(names))
        taken = [*held, *map(_span, free)]
        placed = sum(map(len, free))
        if placed < len(names) and kept:
            reused = free_starts(pools, prefix, merged_ranges(taken), len(names) - placed)
            _drop_reused(family, list(map(_span, reused)), removed, findings)
            left = merged_ranges(ranges_of(family, removed))
            kept = ranges_within(left, pools)
            free += reused
            taken += map(_span, reused)
            placed += sum(map(len, reused))
        for name, network in zip(names, networks_at(family, prefix, free), strict=False):
            nodes[name] = {**nodes[name], family: network} if nodes[name] else {family: network}
            if name in special:
                most = request.own_max_pods.get(name, request.max_pods)
                sizes = Sizes("pod_prefix", "max_pods", min(pool.prefix for pool in pools))
                check_pods(family, prefix, most, sizes, name, findings)
        if placed < len(names):
            full = Full(
                pools,
                prefix,
                merged_ranges([*held, *kept]),
                holders,
                names,
                placed,
                request,
                sorted(name for name, network in deployed.items() if any(p.contains(network) for p in pools)),
            )
            _refuse_full(full, findings)
        new.setdefault(pools, []).extend(map(_span, free))
        holders += placed


def _waiting(
    family: Family, request: Request, nodes: Mapping[str, Entry], special: Collection[str]
) -> dict[tuple[int, tuple[Network, ...]], list[str]]:
    """Return who has no network yet, by the prefix length that they want and the networks it is taken from.

    special: those that have sizes of their own.
    """
    missing = [name for name, entry in nodes.items() if family not in entry]
    usual = request.pools[family]
    if not special and not request.groups:
        return {(usual.prefix, usual.networks): missing} if missing else {}
    waiting: dict[tuple[int, tuple[Network, ...]], list[str]] = {}
    for name in missing:
        place = request.prefix_of(name, family), request.pools_of(name, family)
        waiting.setdefault(place, []).append(name)
    return waiting


def _refuse_full(full: Full, findings: Findings) -> None:
    if full.request.groups:
        findings.add("topology-full", *full_group(full))
    else:
        findings.add("pod-network-full", *full_pool(full))


def _span(starts: range) -> Range:
    """Return the range of addresses that networks without a gap between them have."""
    return starts[0], starts[-1] + starts.step - 1


def _range(network: Network) -> Range:
    return network[1], network.last


def ranges_of(family: Family, entries: Mapping[str, Entry]) -> list[Range]:
    """Return the ranges of the family that the entries hold."""
    sizes = [(1 << (WIDTH[family] - prefix)) - 1 for prefix in range(WIDTH[family] + 1)]
    return [
        (network[1], network[1] + sizes[network[2]])
        for entry in entries.values()
        if (network := entry.get(family)) is not None
    ]


def _return_old(
    family: Family,
    request: Request,
    nodes: dict[str, Entry],
    returning: Mapping[str, Entry],
    held: list[Range],
) -> None:
    """Give returning nodes their old networks, unless a pin or the settings took them meanwhile."""
    if not returning:
        return
    merged = merged_ranges(held)
    for name, old in sorted(returning.items()):
        network = old.get(family)
        if network is None or family in nodes[name]:
            continue
        if not any(pool.contains(network) for pool in request.pools_of(name, family)):
            continue
        if not is_touched(merged, *_range(network)):
            nodes[name] = {**nodes[name], family: network}
            held.append(_range(network))


def _drop_reused(
    family: Family, reused: Sequence[Range], removed: dict[str, Entry], findings: Findings
) -> None:
    """Forget what was kept for nodes that left and is another node's now."""
    merged = merged_ranges(reused)
    for gone, entry in list(removed.items()):
        network = entry.get(family)
        if network is None or not is_touched(merged, *_range(network)):
            continue
        rest = {other: kept for other, kept in entry.items() if other != family}
        if rest:
            removed[gone] = rest
        else:
            del removed[gone]
        findings.warn(
            "tombstone-reused",
            f"kept {network}",
            "the pod networks are otherwise full, so that another node got what was kept in case it returns",
            "make sure that its Node object is gone, or widen cluster_pod_cidrs to keep room for nodes "
            "that return",
            gone,
        )
