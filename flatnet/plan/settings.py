"""The planner's inputs: cluster-wide settings and hosts, read from plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from flatnet.plan.findings import Findings

KUBE_PROXY_MODES = ("iptables", "ipvs", "nftables")


@dataclass(frozen=True)
class Settings:
    """Cluster-wide values. Lists that have one entry per address family are in the order of pod_cidrs."""

    cluster_name: str = "kubernetes"
    pod_cidrs: tuple[str, ...] = ("10.200.0.0/16",)
    service_cidrs: tuple[str, ...] = ("10.32.0.0/24",)
    node_prefixes: tuple[int, ...] = ()
    """Prefix length of one node's pod network per family; empty: 24 for IPv4 and 64 for IPv6."""
    node_port_range: str = "30000-32767"
    dns_domain: str = "cluster.local"
    dns_addresses: tuple[str, ...] = ()
    """Empty: the tenth address of each service network."""
    kube_proxy_mode: str = "iptables"
    max_pods: int = 110
    underlay_mtu: int | None = None
    """Bytes; None: the smallest MTU of the interfaces with the node addresses, 1500 while none is known."""
    extra_apiserver_sans: tuple[str, ...] = ()
    host_cidrs: tuple[str, ...] = ()
    """Networks of the hosts; optional, the hosts' addresses are always compared."""
    excluded_cidrs: tuple[str, ...] = ()
    """Networks elsewhere that pods and services must not cover."""

    @classmethod
    def from_mapping(cls, data: object, findings: Findings) -> "Settings":
        """Read settings from plain data; absent and null ones keep their default, faults become findings."""
        if not isinstance(data, Mapping):
            findings.add(
                "setting-type", repr(data), "settings are not a mapping", "give a mapping of setting to value"
            )
            return cls()
        known = {field.name: field.default for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name not in known:
                listed = ", ".join(sorted(known))
                findings.add(
                    "setting-unknown", repr(name), "there is no such setting", f"use one of {listed}"
                )
            elif value is not None:
                values[name] = _typed(str(name), value, known[name], findings)
        return cls(**values)


@dataclass(frozen=True)
class Host:
    """One host of the inventory."""

    inventory_name: str
    node_name: str
    addresses: tuple[str, ...]
    groups: frozenset[str]
    pod_cidr_pins: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None
    """What preflight saw on the host: interfaces, routes, kernel_features. None when it was not asked."""

    @classmethod
    def from_mapping(cls, data: object, findings: Findings) -> "Host | None":
        """Read {inventory_name, node_name?, addresses, groups, pod_cidr?, facts?}; faults become findings."""
        if not isinstance(data, Mapping) or not isinstance(data.get("inventory_name"), str):
            findings.add(
                "host-type", repr(data), "a host without a text inventory_name", "give every host its name"
            )
            return None
        name = str(data["inventory_name"])
        node_name = data.get("node_name") or name
        if not isinstance(node_name, str):
            findings.add("host-type", f"{name}: node_name {node_name!r}", "it is not text", "quote it")
            node_name = name
        facts = data.get("facts")
        if facts is not None and not isinstance(facts, Mapping):
            findings.add(
                "host-type", f"{name}: facts {facts!r}", "they are not a mapping", "run preflight again"
            )
            facts = None
        return cls(
            inventory_name=name,
            node_name=str(node_name),
            addresses=_texts(f"{name}: addresses", data.get("addresses"), findings),
            groups=frozenset(_texts(f"{name}: groups", data.get("groups"), findings)),
            pod_cidr_pins=_texts(f"{name}: pod_cidr", data.get("pod_cidr"), findings),
            facts=facts,
        )


def read_hosts(data: object, findings: Findings) -> list[Host]:
    """Read a list of hosts; whatever cannot be read becomes a finding."""
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        findings.add("host-type", repr(data), "hosts are not a list", "give a list of hosts")
        return []
    return [host for item in data if (host := Host.from_mapping(item, findings))]


def _texts(place: str, value: object, findings: Findings) -> tuple[str, ...]:
    """Return a list of texts; a lone text counts as a list of one, nothing as an empty one."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (str(value),)
    if isinstance(value, Sequence | frozenset | set) and all(isinstance(item, str) for item in value):
        return tuple(str(item) for item in value)
    findings.add(
        "setting-type", f"{place} {value!r}", "it is not a list of texts", "write a list of quoted texts"
    )
    return ()


def _integer(place: str, value: object, findings: Findings) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    findings.add("setting-type", f"{place} {value!r}", "it is not a whole number", "write a number")
    return None


def _typed(name: str, value: object, default: object, findings: Findings) -> object:
    if name == "node_prefixes":
        items = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        numbers = [_integer(name, item, findings) for item in items]
        return tuple(number for number in numbers if number is not None)
    if isinstance(default, tuple):
        return _texts(name, value, findings)
    if isinstance(default, str):
        if isinstance(value, str):
            return str(value)
        findings.add("setting-type", f"{name} {value!r}", "it is not text", "quote it")
        return default
    number = _integer(name, value, findings)
    return default if number is None else number
