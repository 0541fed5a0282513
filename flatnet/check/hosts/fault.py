"""One thing that is wrong with a node, and which failed checks follow from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flatnet.check.model import Finding

# Classes that fail with kube-proxy.
SERVICE_CLASSES = frozenset(
    {"cluster_ip", "hairpin", "node_port", "node_port_from_pod", "dns_service", "dns_outside_refused"}
)
# Forwarded packets take no part in these.
NOT_FORWARDED = frozenset({"node_to_node", "planned_address", "pod_own_address", "pod_mtu", "unique_address"})

# Without it the rules of iptables see nothing of what a bridge forwards (Linux, br_netfilter).
BRIDGED_SETTINGS = {
    "ipv4": "net.bridge.bridge-nf-call-iptables",
    "ipv6": "net.bridge.bridge-nf-call-ip6tables",
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a node.

    subject: what it is about, part of the check's id. cause and look as in a diagnosis. explains: whether a
    failed check that this node takes part in follows from it.
    """

    subject: str
    cause: str
    look: str
    explains: Callable[[Finding], bool]

    @property
    def diagnosis(self) -> tuple[str, str]:
        """The fault as a diagnosis."""
        return self.cause, self.look


def about_services(node: str) -> Callable[[Finding], bool]:
    """Return whether a finding is about services as the node sees them."""

    def explains(finding: Finding) -> bool:
        return finding["class"] in SERVICE_CLASSES and takes_part(finding, node)

    return explains


def takes_part(finding: Finding, node: str) -> bool:
    """Tell whether the node is an end of the check."""
    return node in (finding["source"]["node"], finding["target"]["node"])


def backend_interfaces(plan: Mapping[str, Any]) -> list[str]:
    """Return the names, or patterns of them, of the interfaces that the backend makes."""
    makes = plan["backend"]["makes"]
    return [*(made["name"] for made in makes["interfaces"].values()), *makes.get("pod_interfaces", ())]
