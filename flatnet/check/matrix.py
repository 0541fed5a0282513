"""The matrix: every promise of the Kubernetes network model as checks with an exact expectation.

The promises are those of https://kubernetes.io/docs/concepts/services-networking/ ("The Kubernetes network
model"): a pod has one address cluster-wide, pods and nodes reach every pod without NAT, and services, node
ports and names lead to the pods behind them.
"""

from collections.abc import Callable, Iterator, Mapping

from flatnet.check.facts import Cluster
from flatnet.check.matrix_pods import (
    control_plane_to_pod,
    large_packets,
    node_to_node,
    node_to_pod,
    packet_loss,
    planned_address,
    pod_mtu,
    pod_own_address,
    pod_to_node,
    pod_to_pod_other_node,
    pod_to_pod_same_node,
    running_host_ports,
    running_pods,
    unique_address,
)
from flatnet.check.matrix_services import (
    cluster_ip,
    dns_outside,
    dns_service,
    dns_upstreams,
    hairpin,
    host_port,
    node_port,
    node_port_from_pod,
    pod_to_outside,
)
from flatnet.check.model import Check, Settings
from flatnet.check.part import Part
from flatnet.errors import FlatnetError

CLASSES: Mapping[str, Callable[[Part], Iterator[Check]]] = {
    "planned_address": planned_address,
    "unique_address": unique_address,
    "pod_own_address": pod_own_address,
    "pod_mtu": pod_mtu,
    "running_pods": running_pods,
    "running_host_ports": running_host_ports,
    "node_to_node": node_to_node,
    "pod_to_pod_same_node": pod_to_pod_same_node,
    "pod_to_pod_other_node": pod_to_pod_other_node,
    "large_packets": large_packets,
    "packet_loss": packet_loss,
    "node_to_pod": node_to_pod,
    "control_plane_to_pod": control_plane_to_pod,
    "pod_to_node": pod_to_node,
    "cluster_ip": cluster_ip,
    "hairpin": hairpin,
    "node_port": node_port,
    "node_port_from_pod": node_port_from_pod,
    "pod_to_outside": pod_to_outside,
    "host_port": host_port,
    "dns_service": dns_service,
    "dns_outside_refused": dns_outside,
    "dns_upstreams": dns_upstreams,
}

# Made beside the matrix: once for the cluster, and in steps of their own.
OTHER_CLASSES = ("api_server", "dns_pods", "host_state", "network_policies", "policy")
_DNS_OUTSIDE = ("refused", "resolved", "answered", "skipped")
# The part of a host that is checked and is not a node.
_NOT_OF_NODES = frozenset({"control_plane_to_pod"})


def matrix(cluster: Cluster, settings: Settings) -> list[Check]:
    """Return every check, node by node in plan order."""
    return [check for node in cluster.nodes for check in part(cluster, settings, node)]


def part(cluster: Cluster, settings: Settings, node: str) -> list[Check]:
    """Return the node's part of the matrix: what leaves it, and what the controller sends to it.

    The parts of all nodes are disjoint and make up the matrix; a control-plane host that is not a node, but
    has routes to pods, has a part beside them. Computed by itself, so that n nodes that each compute their
    own cost as much as one that computes the matrix.
    Raises FlatnetError for a class or an expectation about outside names that does not exist.
    """
    known = (*CLASSES, *OTHER_CLASSES)
    unknown = sorted(set(settings.classes) - set(known))
    if unknown:
        raise FlatnetError(
            f"network_check_classes names {unknown[0]}, which is not one of: {', '.join(known)}"
        )
    if settings.dns_outside not in _DNS_OUTSIDE:
        raise FlatnetError(
            f"network_check_dns_outside is {settings.dns_outside}; it is one of {', '.join(_DNS_OUTSIDE)}"
        )
    return [
        check
        for family in cluster.families
        for name, checks in CLASSES.items()
        if not settings.classes or name in settings.classes
        if (name in _NOT_OF_NODES) != (node in cluster.nodes)
        for check in checks(Part(cluster, settings, node, family))
    ]
