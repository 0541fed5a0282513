"""Which node has which pod network: the content of the ledger.

The ledger is what makes a plan stable: an entry never moves, whatever the order of the inventory and whoever
joins or leaves. A node that leaves keeps its networks as a tombstone: what still routes to them, or returns
under the old name, must not meet another node's pods.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, Family, Network, parse_network
from flatnet.plan.findings import Findings
from flatnet.plan.names import is_cluster_name, is_domain_name, is_one_label

Entry = Mapping[Family, Network]
Entries = Mapping[str, Entry]

_SECTIONS = ("nodes", "pins", "removed")
_RESTORE = "restore the entry from version control"


@dataclass(frozen=True)
class Allocations:
    """Node name -> one pod network per family: of the nodes that are there, and of those that left."""

    nodes: Entries = field(default_factory=dict)
    removed: Entries = field(default_factory=dict)
    pins: Entries = field(default_factory=dict)
    """Which networks of `nodes` were chosen in the inventory; what stands there now decides, not this."""
    cluster: str = ""
    """The cluster that they belong to; empty: not said."""

    @classmethod
    def from_mapping(cls, data: object) -> "Allocations":
        """Read {cluster, nodes: {name: [cidr, ...]}, pins, removed}, all keys optional.

        Raises FlatnetError listing all faults.
        """
        findings = Findings()
        if data is None:
            return cls()
        if not isinstance(data, Mapping) or not set(data) <= {"cluster", *_SECTIONS}:
            raise FlatnetError(
                "the allocations must be a mapping with the keys cluster, nodes, pins and removed alone"
            )
        cluster = data.get("cluster") or ""
        if cluster and not (isinstance(cluster, str) and is_cluster_name(cluster)):
            findings.add("allocation-format", f"cluster {cluster!r}", "it names no cluster", _RESTORE)
        nodes, pins, removed = (_entries(key, data.get(key), findings) for key in _SECTIONS)
        for name in sorted(nodes.keys() & removed.keys()):
            findings.add(
                "allocation-twice",
                name,
                "it is under nodes and under removed",
                "keep the entry under nodes only",
            )
        findings.raise_if_any()
        return cls(nodes, removed, pins, str(cluster))

    def sections(self) -> dict[str, Entries]:
        """Return the entries by key, in the order of the file."""
        return {"nodes": self.nodes, "pins": self.pins, "removed": self.removed}

    def to_mapping(self, families: Sequence[Family] = ("ipv4", "ipv6")) -> dict[str, Any]:
        """Return plain data, sorted by node name, the networks of a node in the order of the families.

        `cluster` and `pins` are there when they say something.
        """
        order = [*families, *(family for family in WIDTH if family not in families)]
        plain: dict[str, Any] = {"cluster": self.cluster} if self.cluster else {}
        for key, entries in self.sections().items():
            if entries or key != "pins":
                plain[key] = {
                    name: [str(entry[f]) for f in order if f in entry]
                    for name, entry in sorted(entries.items())
                }
        return plain


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
        if type(cidrs) is list and len(cidrs) == 1 and type(name) is str and is_one_label(name):
            # The most common case when it is right.
            try:
                network = parse_network(cidrs[0])
            except (FlatnetError, AttributeError):
                pass
            else:
                entries[name] = {network.family: network}
                continue
        if not isinstance(name, str) or not is_domain_name(name):
            findings.add("allocation-format", f"{key}.{name}", "no node can have that name", _RESTORE)
        elif not isinstance(cidrs, list | tuple):
            findings.add(
                "allocation-format", f"{key}.{name}", "it is not a list of networks", "write [10.200.0.0/24]"
            )
        else:
            entries[str(name)] = _entry(f"{key}.{name}", cidrs, findings)
    return entries


def _entry(place: str, cidrs: Sequence[object], findings: Findings) -> Entry:
    entry: dict[Family, Network] = {}
    for text in cidrs:
        if not isinstance(text, str):
            findings.add("allocation-format", place, "it is not a list of networks", "write [10.200.0.0/24]")
            continue
        try:
            network = parse_network(text)
        except FlatnetError as error:
            findings.add("allocation-format", place, str(error), _RESTORE)
            continue
        if network.family in entry:
            findings.add("allocation-format", place, f"two {network.family} networks", _RESTORE)
        entry[network.family] = network
    return entry
