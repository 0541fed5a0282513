"""Zones, racks and the like: which part of the pod network each group of hosts has.

The design is that of Romana (github.com/romana/romana, docs, TOPOLOGY.md), written anew: on every level the
groups are padded to a power of two, each has one of as many equal parts of what the group around it has, and
so one route leads to all pods of a group.

The part of a group follows from its place in the list alone, in the order of reversed bits: of four groups
the second has the third quarter. A group that is added when their number is a power of two halves all parts,
and each begins where it began before.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, Family, Network, parse_address
from flatnet.plan.allocations import Entry
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.names import is_one_label, listed_names

_VARIABLE = "cluster_pod_topology"
_KEYS = ("name", "groups", "hosts", "gateways")
_SHAPE = "write - {name: rack-1, hosts: [node-1], gateways: [192.0.2.1]}, or groups in place of hosts"


@dataclass(frozen=True)
class PodGroup:
    """A group of hosts, and its part of each pod network."""

    path: tuple[str, ...]
    """The names of the groups around it, and its own."""
    networks: Entry
    gateways: Mapping[Family, str]
    """The way from its hosts to other groups: its own, or those of the group around it."""
    hosts: tuple[str, ...] = ()
    """Inventory names; none where it has groups."""

    @property
    def name(self) -> str:
        """Its name, with those of the groups around it."""
        return "/".join(self.path)


@dataclass
class _Given:
    """A group as the inventory has it, read."""

    path: tuple[str, ...]
    gateways: Mapping[Family, str]
    hosts: tuple[str, ...] = ()
    groups: list["_Given"] = field(default_factory=list)

    @property
    def value(self) -> str:
        return f"{_VARIABLE} {'/'.join(self.path)}"

    def leaves(self) -> Iterator["_Given"]:
        """Yield the groups of hosts in it."""
        if not self.groups:
            yield self
        for group in self.groups:
            yield from group.leaves()


def slot_of(index: int, bits: int) -> int:
    """Return which of 2**bits equal parts the group at the index has: the index with its bits reversed."""
    return int(f"{index:0{bits}b}"[::-1], 2) if bits else 0


def parts_of(whole: Network, count: int) -> list[Network]:
    """Return the parts of a network that so many groups have, in their order.

    Raises FlatnetError where it has not as many addresses.
    """
    bits = max(0, count - 1).bit_length()
    prefix = whole.prefix + bits
    if prefix > WIDTH[whole.family]:
        raise FlatnetError(f"{whole} cannot be split into {1 << bits} parts")
    size = 1 << (WIDTH[whole.family] - prefix)
    return [
        Network(whole.family, whole.first + slot_of(index, bits) * size, prefix) for index in range(count)
    ]


def pod_groups(
    data: object,
    pools: Mapping[Family, Network],
    prefixes: Mapping[Family, int],
    hosts: Collection[str],
    findings: Findings,
) -> list[PodGroup]:
    """Return the groups in the order of the inventory, each before those in it; faults become findings.

    data: the setting; pools: the one pod network of each family; prefixes: of a node's network; hosts: the
    inventory names of those that must be covered, each once.
    """
    top = _read_groups(data, (), {}, tuple(pools), findings)
    leaves = [leaf for group in top for leaf in group.leaves()]
    _check_cover(leaves, hosts, findings)
    _check_gateways(leaves, tuple(pools), findings)
    return list(_placed(top, pools, prefixes, findings))


def _read_groups(
    data: object,
    path: tuple[str, ...],
    gateways: Mapping[Family, str],
    families: Sequence[Family],
    findings: Findings,
) -> list[_Given]:
    value = " ".join([_VARIABLE, *(["/".join(path)] if path else [])])
    if not isinstance(data, Sequence) or isinstance(data, str | bytes) or not data:
        findings.add("topology-format", value, "it is not a list of groups", _SHAPE)
        return []
    read: list[_Given] = []
    for number, one in enumerate(data):
        name = one.get("name") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(name, str) or not is_one_label(name):
            reason = "it is not a group with a name of lower-case letters, digits and hyphens"
            findings.add("topology-format", f"{value}[{number}]", reason, _SHAPE)
        elif any(name == other.path[-1] for other in read):
            fix = "give it another name"
            findings.add("topology-format", f"{value}[{number}]", f"another there is called {name}", fix)
        else:
            read += _read_group(one, (*path, str(name)), gateways, families, findings)
    return read


def _read_group(
    data: Mapping[object, object],
    path: tuple[str, ...],
    around: Mapping[Family, str],
    families: Sequence[Family],
    findings: Findings,
) -> list[_Given]:
    value = f"{_VARIABLE} {'/'.join(path)}"
    unknown = sorted(str(key) for key in data if key not in _KEYS)
    if unknown:
        findings.add("topology-format", value, f"a group has no {unknown[0]}", f"use {', '.join(_KEYS)}")
        return []
    if ("groups" in data) == ("hosts" in data):
        reason = "it has both hosts and groups" if "hosts" in data else "it has neither hosts nor groups"
        fix = "give one of the two; hosts: [] keeps a place free"
        findings.add("topology-format", value, reason, fix)
        return []
    gateways = {**around, **_read_gateways(data.get("gateways", ()), value, families, findings)}
    if "groups" in data:
        groups = _read_groups(data["groups"], path, gateways, families, findings)
        return [_Given(path, gateways, groups=groups)] if groups else []
    hosts = data["hosts"]
    if not isinstance(hosts, Sequence) or isinstance(hosts, str | bytes):
        findings.add("topology-format", f"{value} hosts {hosts!r}", "it is not a list", "write a list")
        return []
    return [_Given(path, gateways, tuple(map(str, hosts)))]


def _read_gateways(
    data: object, value: str, families: Sequence[Family], findings: Findings
) -> dict[Family, str]:
    found: dict[Family, str] = {}
    for text in [data] if isinstance(data, str) else data if isinstance(data, Sequence) else [repr(data)]:
        place = f"{value} gateways {text!r}"
        try:
            address = parse_address(str(text))
        except FlatnetError as error:
            findings.add("topology-gateway", place, *split_error(error, str(text)))
            continue
        if address.family in found:
            reason = f"it is a second one of {address.family}"
            findings.add("topology-gateway", place, reason, "leave one; two routers can share an address")
        elif address.family not in families:
            reason = f"there are no {address.family} pods"
            findings.add("topology-gateway", place, reason, "remove it")
        else:
            found[address.family] = str(address)
    return found


def _check_cover(leaves: Sequence[_Given], hosts: Collection[str], findings: Findings) -> None:
    seen: dict[str, str] = {}
    known = frozenset(hosts)
    for leaf in leaves:
        for name in leaf.hosts:
            if name not in known:
                reason = "it is no host of the inventory that reaches pods"
                fix = "write the inventory name of a node there, or take it out"
                findings.add("topology-host", f"{leaf.value}: {name}", reason, fix)
            elif name in seen:
                twice = f"{seen[name]} has it" if seen[name] != leaf.value else "it is there twice"
                fix = "name it in one group, the one whose link it is on"
                findings.add("topology-twice", f"{leaf.value}: {name}", twice, fix)
            else:
                seen[name] = leaf.value
    missing = [name for name in sorted(known) if name not in seen]
    if missing and leaves:
        findings.add(
            "topology-cover",
            _VARIABLE,
            f"no group has {listed_names(missing)}",
            "name it in the group whose link it is on, under hosts",
        )


def _check_gateways(leaves: Sequence[_Given], families: Sequence[Family], findings: Findings) -> None:
    """Check that every group has a way to the others, where there are others with hosts."""
    used = [leaf for leaf in leaves if leaf.hosts]
    for leaf in used if len(used) > 1 else ():
        for family in families:
            if family not in leaf.gateways:
                findings.add(
                    "topology-gateway",
                    leaf.value,
                    f"it has no gateway of {family}, by which its hosts reach the other groups",
                    "give gateways: the addresses of the router on its link, one per family",
                )


def _placed(
    given: Sequence[_Given],
    wholes: Mapping[Family, Network],
    prefixes: Mapping[Family, int],
    findings: Findings,
) -> Iterator[PodGroup]:
    """Yield the groups with their parts of `wholes`, each before those in it."""
    parts: dict[Family, list[Network]] = {}
    for family, whole in wholes.items():
        bits = max(0, len(given) - 1).bit_length()
        if whole.prefix + bits > prefixes[family]:
            findings.add(
                "topology-depth",
                f"{given[0].value} and its neighbours",
                f"{len(given)} groups in {whole} get a /{whole.prefix + bits} each, and a node's network is "
                f"a /{prefixes[family]}",
                "have fewer groups, widen cluster_pod_cidrs, or give cluster_node_prefixes longer ones",
            )
            return
        parts[family] = parts_of(whole, len(given))
    for index, one in enumerate(given):
        networks = {family: parts[family][index] for family in wholes}
        yield PodGroup(one.path, networks, one.gateways, one.hosts)
        if one.groups:
            yield from _placed(one.groups, networks, prefixes, findings)


def networks_by_host(groups: Sequence[PodGroup]) -> dict[str, Entry]:
    """Return inventory name -> the part of each pod network that the host's group has."""
    return {host: group.networks for group in groups for host in group.hosts}


def topology_part(groups: Sequence[PodGroup], families: Sequence[Family]) -> list[dict[str, object]]:
    """Return the plan's `pod_topology`."""
    return [
        {
            "name": group.name,
            "cidrs": [str(group.networks[family]) for family in families],
            "gateways": [group.gateways[family] for family in families if family in group.gateways],
            "hosts": list(group.hosts),
        }
        for group in groups
    ]
