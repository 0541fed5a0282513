"""What can be wrong with pod networks that nodes have already: overlaps, places, sizes."""

from collections.abc import Iterator, Mapping, Sequence

from flatnet.plan.addresses import WIDTH, Family, Network, pod_capacity
from flatnet.plan.allocations import Entry
from flatnet.plan.findings import Findings
from flatnet.plan.pool import is_touched, merged_ranges
from flatnet.plan.request import Request


def drop_tombstones_under_pins(
    removed: dict[str, Entry], pins: Mapping[str, Entry], findings: Findings
) -> None:
    """Let pins take over networks of nodes that left."""
    networks = sorted((network, name) for name, entry in pins.items() for network in entry.values())
    if not networks:
        return
    for gone, entry in sorted(removed.items()):
        rest = dict(entry)
        for family, old in entry.items():
            takers = [name for network, name in networks if network.overlaps(old)]
            if takers:
                del rest[family]
                findings.warn(
                    "pin-takes-tombstone",
                    f"pod_cidr pin over {old}, kept for {gone}",
                    "the node that left would get another network if it returned",
                    "nothing, unless it is to return",
                    takers[0],
                )
        if rest:
            removed[gone] = rest
        else:
            del removed[gone]


Held = tuple[int, int, str, Network]
"""First and last address of what a node has, the node's name, and the network itself."""


def overlaps(held: Sequence[Held]) -> Iterator[tuple[Held, Held]]:
    """Yield every one, of those sorted by their first address, that an earlier one reaches; that one first.

    Of several earlier ones it is the one that reaches furthest.
    """
    widest: Held | None = None
    for one in held:
        if widest is not None and one[0] <= widest[1]:
            yield widest, one
        if widest is None or one[1] > widest[1]:
            widest = one


def check_held(
    family: Family,
    request: Request,
    nodes: Mapping[str, Entry],
    removed: Mapping[str, Entry],
    findings: Findings,
) -> None:
    """Check the networks that nodes have before new ones are given out."""
    sizes = [(1 << (WIDTH[family] - prefix)) - 1 for prefix in range(WIDTH[family] + 1)]
    held = [
        (network[1], network[1] + sizes[network[2]], name, network)
        for name, entry in nodes.items()
        if (network := entry.get(family)) is not None
    ]
    held.sort()
    _check_pools(held, request, family, findings)
    _check_sizes(held, request, family, findings)
    _check_disjoint(held, request, family, findings)
    _check_kept(family, held, removed, findings)
    _check_groups(held, request, family, findings)


def check_deployed_networks(
    family: Family,
    deployed: Mapping[str, Network],
    request: Request,
    nodes: Mapping[str, Entry],
    findings: Findings,
) -> None:
    """Refuse networks of nodes over what other nodes have in what is deployed: node name -> network."""
    merged = merged_ranges((network.first, network.last) for network in deployed.values())
    for name, entry in nodes.items():
        network = entry.get(family)
        if network is None or not is_touched(merged, network.first, network.last):
            continue
        for owner, other in sorted(deployed.items()):
            if owner == name or not other.overlaps(network):
                continue
            source = _source(name, family, request)
            pinned = source != "allocation"
            findings.add(
                "pin-conflict" if pinned else "allocation-conflict",
                f"{source} {network}",
                f"it overlaps {other} of {owner}, which is deployed",
                f"{'pin another network' if pinned else 'delete the entry'}, or provision without this node "
                f"until {owner} is recorded without it",
                name,
            )


def _source(name: str, family: Family, request: Request) -> str:
    return "pod_cidr pin" if family in request.pins.get(name, {}) else "allocation"


def _check_pools(held: Sequence[Held], request: Request, family: Family, findings: Findings) -> None:
    pools = request.pools[family].networks
    outside = held
    for pool in pools:
        start, end = pool.first, pool.last
        outside = [item for item in outside if item[0] < start or item[1] > end]
    for _, _, name, network in outside:
        listed = ", ".join(map(str, pools))
        source = _source(name, family, request)
        fix = (
            "let cluster_pod_cidrs cover it, or pin a network inside and replace the node; "
            "the entry of a node that does not run yet can be deleted"
        )
        findings.add(
            "allocation-outside",
            f"{source} {network}",
            f"it is outside {listed}",
            fix if source == "allocation" else "pin one inside",
            name,
        )


def _check_groups(held: Sequence[Held], request: Request, family: Family, findings: Findings) -> None:
    """Check that nodes have networks of their groups: one route leads to all of a group."""
    for first, last, name, network in held:
        group = request.groups.get(name, {}).get(family)
        if group and not (group.first <= first and last <= group.last):
            source = _source(name, family, request)
            pinned = source != "allocation"
            findings.add(
                "topology-moved",
                f"{source} {network}",
                f"its group has {group}, and packets for it would go to another",
                f"pin a network of {group}"
                if pinned
                else "keep the node's group, and every group at its place in the list, if need be with "
                "hosts: []; or drain the node, delete its Node object and its entry in the allocations, and "
                "so give it another network",
                name,
            )


def _check_sizes(held: Sequence[Held], request: Request, family: Family, findings: Findings) -> None:
    default = request.pools[family].prefix
    own, most = request.own_max_pods, request.max_pods
    special = request.own_prefixes.keys() | own.keys()
    for _, _, name, network in held:
        if network[2] <= default and name not in special:
            continue
        wanted = request.prefix_of(name, family)
        pods = pod_capacity(network)
        value = f"{_source(name, family, request)} {network}"
        if pods < own.get(name, most):
            setting = "max_pods" if name in own else "cluster_max_pods"
            reason = f"it addresses {pods} pods, {setting} is {own.get(name, most)}"
            findings.add("max-pods", value, reason, "lower that or pin a larger network", name)
        elif name in request.own_prefixes and network[2] != wanted:
            findings.warn(
                "pod-prefix",
                value,
                f"pod_prefix {wanted} is for new nodes, and this one keeps what it has",
                "nothing, or pin another network and replace the node",
                name,
            )


def _check_disjoint(held: Sequence[Held], request: Request, family: Family, findings: Findings) -> None:
    """Name both nodes of every overlap."""
    for (_, _, owner, other), (_, _, name, network) in overlaps(held):
        pinned = any(family in request.pins.get(n, {}) for n in (owner, name))
        fix = (
            "pin another network"
            if pinned
            else "keep the one whose Node object has it, delete the other's entry"
        )
        findings.add(
            "pin-conflict" if pinned else "allocation-conflict",
            f"{name}: {network}",
            f"it overlaps {other} of {owner}",
            f"{fix}, for one of the two",
        )


def _check_kept(
    family: Family, held: Sequence[Held], removed: Mapping[str, Entry], findings: Findings
) -> None:
    kept = [(network, gone) for gone, entry in removed.items() if (network := entry.get(family))]
    if not kept:
        return
    merged = merged_ranges((first, last) for first, last, _, _ in held)
    for network, gone in kept:
        if is_touched(merged, network.first, network.last):
            _, _, owner, other = next(item for item in held if item[3].overlaps(network))
            findings.add(
                "allocation-conflict",
                f"{gone}: {network}, kept under removed",
                f"it overlaps {other} of {owner}",
                f"delete the entry of {gone} under removed",
            )
