"""The hosts of the inventory, read from plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatnet.plan.findings import Findings
from flatnet.plan.values import read_boolean, read_integer, read_integers, read_texts

# The usual one first: to ask a class of collections.abc takes longer than to read a value.
_MAPPINGS = (dict, Mapping)


@dataclass(slots=True)
class Host:
    """One host of the inventory. Not frozen, because a hundred thousand of them are made at once."""

    inventory_name: str
    node_name: str
    addresses: tuple[str, ...]
    groups: frozenset[str]
    pod_cidr_pins: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None
    """What preflight saw on the host: `live.py` lists it. None when it was not asked."""
    pod_prefixes: tuple[int, ...] = ()
    """Prefix lengths of the host's own pod networks, one per family; empty: the cluster's."""
    max_pods: int | None = None
    """The most pods that the host runs; None: the cluster's setting."""
    is_in_cluster: bool = True
    """Whether it is in k8s_cluster, the group of the hosts that are looked at and prepared."""

    @classmethod
    def from_mapping(cls, data: object, findings: Findings) -> "Host | None":
        """Read one host; faults become findings.

        {inventory_name, node_name?, addresses, groups, is_in_cluster?, pod_cidr?, pod_prefix?, max_pods?,
        facts?}
        """
        hosts = read_hosts([data], findings)
        return hosts[0] if hosts else None


def read_hosts(data: object, findings: Findings) -> list[Host]:
    """Read a list of hosts; whatever cannot be read becomes a finding."""
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        findings.add("host-type", repr(data), "hosts are not a list", "give a list of hosts")
        return []
    groups: dict[tuple[str, ...], frozenset[str]] = {}
    return [host for item in data if (host := _read_host(item, groups, findings))]


def _read_host(
    data: object, groups: dict[tuple[str, ...], frozenset[str]], findings: Findings
) -> Host | None:
    if not isinstance(data, _MAPPINGS) or not isinstance(name := data.get("inventory_name"), str):
        findings.add("host-type", repr(data), "a host without an inventory_name", "give every host its name")
        return None
    get = data.get
    # A name is text of ours from here on, whatever its caller's kind of text carries along.
    name = str(name)
    node_name = get("node_name") or name
    if not isinstance(node_name, str):
        findings.add("host-type", f"node_name {node_name!r}", "it is not text", "quote it", name)
        node_name = name
    facts = get("facts")
    if facts is not None and not isinstance(facts, Mapping):
        findings.add("host-type", f"facts {facts!r}", "they are not a mapping", "run preflight again", name)
        facts = None
    shared = _read_groups(name, get("groups"), groups, findings)
    addresses, pins = get("addresses"), get("pod_cidr")
    prefixes, pods, member = get("pod_prefix"), get("max_pods"), get("is_in_cluster")
    # Both are quicker ways of what follows, for the most common cases: a host has one address per family.
    if type(addresses) is str and addresses:
        texts: tuple[str, ...] = (addresses,)
    elif type(addresses) is list and len(addresses) == 2 and _are_texts(*addresses):
        texts = tuple(addresses)
    else:
        texts = read_texts("addresses", addresses, findings, name)
    return Host(
        name,
        str(node_name),
        texts,
        shared,
        () if pins is None else read_texts("pod_cidr", pins, findings, name),
        facts,
        () if prefixes is None else read_integers("pod_prefix", prefixes, findings, name),
        None if pods is None or pods == "" else read_integer("max_pods", pods, findings, name),
        member is None or read_boolean("is_in_cluster", member, findings, name),
    )


def _are_texts(one: object, other: object) -> bool:
    return type(one) is str and type(other) is str


def _read_groups(
    name: str, value: object, groups: dict[tuple[str, ...], frozenset[str]], findings: Findings
) -> frozenset[str]:
    """Return the set of groups; thousands of hosts share the same few sets."""
    if type(value) is list:
        try:
            known = groups.get(tuple(value))
        except TypeError:
            known = None
        if known is not None:
            return known
    members = read_texts("groups", value, findings, name)
    return groups.setdefault(members, frozenset(members))
