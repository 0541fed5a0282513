"""The planner's cluster-wide settings, read from plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from flatnet.plan.findings import Findings
from flatnet.plan.hosts import Host, read_hosts
from flatnet.plan.values import read_boolean, read_integer, read_integers, read_texts

__all__ = ["KUBE_PROXY_MODES", "Host", "Settings", "read_hosts"]

KUBE_PROXY_MODES = ("iptables", "ipvs", "nftables")


@dataclass(frozen=True)
class Settings:
    """Cluster-wide values. Lists that have one entry per address family are in the order of pod_cidrs."""

    cluster_name: str = "kubernetes"
    pod_cidrs: tuple[str, ...] = ("10.200.0.0/16",)
    """One per family, or more where the backend carries several."""
    service_cidrs: tuple[str, ...] = ("10.32.0.0/24",)
    extra_service_cidrs: tuple[str, ...] = ()
    """Further service networks, given to the cluster as ServiceCIDR objects."""
    node_prefixes: tuple[int, ...] = ()
    """Prefix length of one node's pod network per family; empty: 24 for IPv4 and 64 for IPv6."""
    node_port_range: str = "30000-32767"
    dns_domain: str = "cluster.local"
    dns_addresses: tuple[str, ...] = ()
    """Empty: the tenth address of each service network."""
    kube_proxy_mode: str = "iptables"
    network_policy_enabled: bool = False
    """Whether the cluster counts on NetworkPolicy objects being enforced."""
    max_pods: int = 110
    underlay_mtu: int | None = None
    """Bytes; None: the smallest MTU of the interfaces with the node addresses, 1500 while none is known."""
    apiserver_endpoints: tuple[str, ...] = ()
    """Load balancers in front of the API server: names or addresses."""
    extra_apiserver_sans: tuple[str, ...] = ()
    apiserver_certificate_sans: tuple[str, ...] = ()
    """The names and addresses in a certificate that was made elsewhere; empty: flatnet makes it."""
    host_cidrs: tuple[str, ...] = ()
    """Networks of the hosts; optional, the hosts' addresses are always compared."""
    tunnel_cidrs: tuple[str, ...] = ()
    """Networks inside tunnels that end on the hosts, such as a VPN's."""
    excluded_cidrs: tuple[str, ...] = ()
    """Networks elsewhere that nothing of the cluster may cover."""
    allowed_changes: tuple[str, ...] = ()
    """Kinds of change to what is deployed that are wanted in spite of their price: `immutable.KINDS`."""

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


def _typed(name: str, value: object, default: object, findings: Findings) -> object:
    if name == "node_prefixes":
        return read_integers(name, value, findings)
    if isinstance(default, tuple):
        return read_texts(name, value, findings)
    if isinstance(default, bool):
        return read_boolean(name, value, findings)
    if isinstance(default, str):
        if isinstance(value, str):
            return str(value)
        findings.add("setting-type", f"{name} {value!r}", "it is not text", "quote it")
        return default
    number = read_integer(name, value, findings)
    return default if number is None else number
