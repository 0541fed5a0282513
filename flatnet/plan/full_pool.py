"""What to say of pod networks that have no room for everybody, and what would make room."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from netaddr import IPNetwork

from flatnet.plan.addresses import WIDTH, Network, parse_network, pod_capacity
from flatnet.plan.limits import SPECIAL
from flatnet.plan.names import listed_names
from flatnet.plan.pool import Range, count_networks, free_starts
from flatnet.plan.request import Request
from flatnet.plan.rules import prefixes_text


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
    request: Request
    """What was asked for."""
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
    if full.request.several:
        fixes.append("add another network to cluster_pod_cidrs")
    for narrow in range(prefix + 1, width + 1):
        pods = pod_capacity(Network(family, 0, narrow))
        if pods and _has_room(pools, narrow, full.taken, needed):
            if pods < full.request.own_most_pods:
                break
            also = "" if pods >= full.request.max_pods else f" and cluster_max_pods to at most {pods}"
            prefixes = {one: pool.prefix for one, pool in full.request.pools.items()}
            written = prefixes_text(prefixes, prefixes, {family: narrow})
            fixes.append(f"set cluster_node_prefixes to {written}{also}")
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


def full_group(full: Full) -> tuple[str, str, str]:
    """Return (value, reason, fix) of a finding about a group of hosts whose part has no room."""
    pool, needed = full.pools[0], len(full.waiting)
    holds = count_networks(full.pools, full.prefix)
    free = count_networks(full.pools, full.prefix, full.taken)
    reason = (
        f"it holds {holds} /{full.prefix} networks, {free} of them free, {needed} more needed; "
        f"none is left for {listed_names(full.waiting[full.placed :], 3)}"
    )
    fix = (
        "name those nodes in another group of their link, or, for a new cluster, widen cluster_pod_cidrs or "
        "make cluster_node_prefixes longer"
    )
    return f"cluster_pod_topology, the group with {pool}", reason, fix


def _wider(full: Full) -> Network | None:
    """Return the smallest network around the last pool that has room for all and touches nothing else."""
    *others, pool = full.pools
    for supernet in reversed(IPNetwork(str(pool)).supernet()):
        wide = parse_network(str(supernet))
        if any(wide.overlaps(other) for other in (*others, *full.request.avoid, *SPECIAL)):
            return None
        owned = full.request.hosts.get(wide.family, ())
        if bisect_left(owned, (wide.first,)) < bisect_left(owned, (wide.last + 1,)):
            return None
        needed = len(full.waiting)
        if _has_room([*others, wide], full.prefix, full.taken, needed):
            return wide
    return None


def _has_room(pools: Iterable[Network], prefix: int, taken: Sequence[Range], needed: int) -> bool:
    return sum(map(len, free_starts(pools, prefix, taken, needed))) == needed
