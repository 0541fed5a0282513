"""Which node has which pod network: the ledger's content, and how new nodes get theirs.

The ledger is what makes a plan stable: an entry never moves, whatever the order of the inventory and whoever
joins or leaves. A node that leaves keeps its networks as a tombstone: what still routes to them, or returns
under the old name, must not meet another node's pods.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, Family, Network, parse_network, pod_capacity
from flatnet.plan.findings import Findings

Entry = dict[Family, Network]


@dataclass(frozen=True)
class Allocations:
    """Node name -> one pod network per family: of the nodes that are there, and of those that left."""

    nodes: Mapping[str, Entry] = field(default_factory=dict)
    removed: Mapping[str, Entry] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, data: object) -> "Allocations":
        """Read {nodes: {name: [cidr, ...]}, removed: {...}}. Raises FlatnetError listing all faults."""
        findings = Findings()
        if data is None:
            return cls()
        if not isinstance(data, Mapping) or not set(data) <= {"nodes", "removed"}:
            raise FlatnetError(
                "the allocations must be a mapping with the keys nodes and removed, and no others"
            )
        nodes, removed = (_entries(key, data.get(key), findings) for key in ("nodes", "removed"))
        for name in sorted(nodes.keys() & removed.keys()):
            findings.add(
                "allocation-twice",
                name,
                "it is under nodes and under removed",
                "keep the entry under nodes only",
            )
        findings.raise_if_any()
        return cls(nodes, removed)

    def to_mapping(self, families: Sequence[Family] = ("ipv4", "ipv6")) -> dict[str, dict[str, list[str]]]:
        """Return plain data, sorted by node name, the networks of a node in the order of the families."""
        order = [*families, *(family for family in WIDTH if family not in families)]
        return {
            key: {
                name: [str(entry[f]) for f in order if f in entry] for name, entry in sorted(entries.items())
            }
            for key, entries in (("nodes", self.nodes), ("removed", self.removed))
        }


def _entries(key: str, data: object, findings: Findings) -> dict[str, Entry]:
    if data is None or data == "":
        return {}
    if not isinstance(data, Mapping):
        findings.add(
            "allocation-format", key, "it is not a mapping", "write node: [network] entries below it"
        )
        return {}
    entries: dict[str, Entry] = {}
    for name, cidrs in data.items():
        place = f"{key}.{name}"
        if (
            not isinstance(name, str)
            or not isinstance(cidrs, list)
            or not all(isinstance(x, str) for x in cidrs)
        ):
            findings.add("allocation-format", place, "it is not a list of networks", "write [10.200.0.0/24]")
            continue
        entries[str(name)] = entry = {}
        for text in cidrs:
            try:
                network = parse_network(text)
            except FlatnetError as error:
                findings.add("allocation-format", place, str(error), "restore the entry from version control")
                continue
            if network.family in entry:
                findings.add(
                    "allocation-format",
                    place,
                    f"two {network.family} networks",
                    "restore it from version control",
                )
            entry[network.family] = network
    return entries


@dataclass(frozen=True)
class Request:
    """What to allocate: per pool its cluster network and node prefix length; the nodes and their pins."""

    pools: Mapping[Family, tuple[Network, int]]
    nodes: frozenset[str]
    pins: Mapping[str, Entry]
    max_pods: int


def allocate(request: Request, before: Allocations, findings: Findings) -> Allocations:
    """Return the allocations after every requested node has one network per pool.

    Pins win; an entry that is there stays; a node that returns gets its old networks; new nodes, in the order
    of their names, get the lowest free network. Conflicts and full pools become findings.
    """
    nodes: dict[str, Entry] = {name: {} for name in request.nodes}
    removed = {name: dict(entry) for name, entry in before.removed.items() if name not in request.nodes}
    for name, entry in before.nodes.items():
        if name not in request.nodes:
            removed[name] = dict(entry)
        else:
            # A family that the cluster does not use (any more) stays recorded: it may come back.
            nodes[name].update(entry)
    returning = {name: before.removed[name] for name in sorted(request.nodes & before.removed.keys())}
    for name in sorted(request.pins.keys() & request.nodes):
        for family, network in request.pins[name].items():
            _pin(name, network, nodes[name], findings)
            nodes[name][family] = network
    _drop_overridden(removed, request, findings)
    for family, (pool, prefix) in request.pools.items():
        _check_pool(family, pool, nodes, request, findings)
        _return_old(family, pool, nodes, returning)
        _check_disjoint(family, nodes, request, findings)
        taken = [e[family] for e in (*nodes.values(), *removed.values()) if family in e]
        waiting = [name for name in sorted(nodes) if family not in nodes[name]]
        free = _free(pool, prefix, taken, len(waiting))
        if len(free) < len(waiting):
            kept = sum(family in entry for entry in removed.values())
            reason, fix = _report_full(pool, prefix, taken, waiting, kept, request.max_pods)
            findings.add("pod-network-full", f"pod_cidrs {pool}", reason, fix)
        for name, network in zip(waiting, free, strict=False):
            nodes[name][family] = network
    return Allocations(dict(sorted(nodes.items())), dict(sorted(removed.items())))


def _pin(name: str, network: Network, entry: Entry, findings: Findings) -> None:
    old = entry.get(network.family)
    if old and old != network:
        findings.warn(
            "pin-moves-node",
            f"{name}: pod_cidr {network}",
            f"the node had {old} so far, and Node.spec.podCIDRs is immutable",
            f"drain and delete the Node object before this is applied, or pin {old}",
        )


def _drop_overridden(removed: dict[str, Entry], request: Request, findings: Findings) -> None:
    """Let pins take over networks of nodes that left."""
    pins = sorted((network, name) for name in request.pins for network in request.pins[name].values())
    for gone in sorted(removed):
        for family, old in list(removed[gone].items()):
            takers = [name for network, name in pins if network.overlaps(old)]
            if takers:
                del removed[gone][family]
                findings.warn(
                    "pin-takes-tombstone",
                    f"{takers[0]}: pod_cidr pin over {old}",
                    f"it was kept for {gone}, which left and would get another network if it returned",
                    f"nothing, unless {gone} is to return",
                )
        if not removed[gone]:
            del removed[gone]


def _check_pool(
    family: Family, pool: Network, nodes: Mapping[str, Entry], request: Request, findings: Findings
) -> None:
    for name, entry in nodes.items():
        network = entry.get(family)
        if network is None:
            continue
        pinned = family in request.pins.get(name, {})
        source = "pod_cidr pin" if pinned else "allocation"
        if not pool.contains(network):
            fix = "pin one inside" if pinned else f"let pod_cidrs cover it, or pin {name} to a network inside"
            findings.add("allocation-outside", f"{name}: {source} {network}", f"it is outside {pool}", fix)
        elif pod_capacity(network) < request.max_pods:
            reason = f"it addresses {pod_capacity(network)} pods, max_pods is {request.max_pods}"
            findings.add(
                "max-pods", f"{name}: {source} {network}", reason, "lower max_pods or pin a larger network"
            )


def _return_old(
    family: Family, pool: Network, nodes: dict[str, Entry], returning: Mapping[str, Entry]
) -> None:
    """Give returning nodes their old networks, unless a pin or the settings took them meanwhile."""
    held = [entry[family] for entry in nodes.values() if family in entry]
    for name, old in returning.items():
        network = old.get(family)
        if not network or family in nodes[name] or not pool.contains(network):
            continue
        if not any(network.overlaps(other) for other in held):
            nodes[name][family] = network


def _check_disjoint(family: Family, nodes: Mapping[str, Entry], request: Request, findings: Findings) -> None:
    """Name both nodes of every overlap; one pass over the networks sorted by their first address."""
    ordered = sorted((entry[family], name) for name, entry in nodes.items() if family in entry)
    widest: tuple[Network, str] | None = None
    for network, name in ordered:
        if widest and network.overlaps(widest[0]):
            pinned = [n for n in (widest[1], name) if family in request.pins.get(n, {})]
            rule = "pin-conflict" if pinned else "allocation-conflict"
            fix = (
                "pin another network"
                if pinned
                else "keep the one whose Node object has it, delete the other's entry"
            )
            findings.add(
                rule,
                f"{name}: {network}",
                f"it overlaps {widest[0]} of {widest[1]}",
                f"{fix}, for one of the two",
            )
        if not widest or network.last > widest[0].last:
            widest = (network, name)


def _free(pool: Network, prefix: int, taken: Iterable[Network], count: int) -> list[Network]:
    """Return the lowest networks of the pool that overlap none of the taken ones, count at most."""
    step = 1 << (WIDTH[pool.family] - prefix)
    free: list[Network] = []
    candidate = pool.first
    blocks = sorted(taken)
    index = 0
    while len(free) < count and candidate + step - 1 <= pool.last:
        while index < len(blocks) and blocks[index].last < candidate:
            index += 1
        if index < len(blocks) and blocks[index].first < candidate + step:
            candidate += (blocks[index].last - candidate) // step * step + step
            continue
        free.append(Network(pool.family, candidate, prefix))
        candidate += step
    return free


def _report_full(
    pool: Network, prefix: int, taken: Sequence[Network], waiting: Sequence[str], kept: int, max_pods: int
) -> tuple[str, str]:
    """Return the reason and the fixes; every fix offered has been tried on the allocations at hand."""
    free = _free(pool, prefix, taken, len(waiting))
    width = WIDTH[pool.family]
    fixes = []
    for wide in range(pool.prefix - 1, -1, -1):
        shift = width - wide
        if len(
            _free(Network(pool.family, pool.first >> shift << shift, wide), prefix, taken, len(waiting))
        ) == len(waiting):
            fixes.append(f"widen pod_cidrs to a /{wide} (holds {1 << (prefix - wide)} nodes)")
            break
    for narrow in range(prefix + 1, width + 1):
        pods = pod_capacity(Network(pool.family, 0, narrow))
        if pods and len(_free(pool, narrow, taken, len(waiting))) == len(waiting):
            also = "" if pods >= max_pods else f" and max_pods to at most {pods}"
            fixes.append(f"set node_prefixes to {narrow}{also}")
            break
    if kept:
        fixes.append(f"delete entries under removed in the allocations ({kept} kept for nodes that left)")
    holds = 1 << (prefix - pool.prefix)
    without = waiting[len(free) :]
    some = ", ".join(without[:3]) + (f" and {len(without) - 3} more" if len(without) > 3 else "")
    held = f"{len(taken) - kept} taken by nodes" + (f", {kept} kept for nodes that left" if kept else "")
    reason = (
        f"it holds {holds} /{prefix} networks, {held}, {len(waiting)} more needed; none is left for {some}"
    )
    return reason, ", or ".join(fixes) or "shrink the cluster"
