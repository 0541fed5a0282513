"""A node's place on the segment of all pods."""

from collections.abc import Sequence
from typing import Any

from netaddr import AddrFormatError, IPAddress, IPNetwork

from flatnet.errors import FlatnetError

# What CNI bridges have long begun their addresses with; the second lowest bit of the first byte says that
# the address was given locally (IEEE 802-2014, 8.4).
_MAC_PREFIX = 0x0A58


def segment_node(pod_cidrs: Sequence[str], cluster_pod_cidrs: Sequence[str]) -> dict[str, Any]:
    """Return a node's place on the segment: {gateways, mac, ranges, routes}, lists in the order of pod_cidrs.

    gateways: the bridge's addresses with the prefix length of the cluster, so that all pods are neighbours.
    mac: the bridge's MAC address, which no other node of the cluster has.
    ranges: for host-local, the addresses of the node's own pods; its first, the gateway's and its last are
    not given to pods. routes: what pods reach through the gateway.
    Raises FlatnetError for networks that are none, or in no cluster network.
    """
    try:
        clusters = [IPNetwork(cidr) for cidr in cluster_pod_cidrs]
        pairs = [(IPNetwork(cidr), _cluster_of(IPNetwork(cidr), clusters)) for cidr in pod_cidrs]
    except (AddrFormatError, TypeError, ValueError) as error:
        raise FlatnetError(f"the pod networks {pod_cidrs!r} cannot be read: {error}") from None
    if not pairs:
        raise FlatnetError("the node has no pod network; plan one, or take it out of kube_node")
    return {
        "gateways": [f"{IPAddress(pods.first + 1, pods.version)}/{all_.prefixlen}" for pods, all_ in pairs],
        "mac": _mac(*pairs[0]),
        "ranges": [
            [
                {
                    "subnet": str(all_),
                    "rangeStart": str(IPAddress(pods.first + 2, pods.version)),
                    "rangeEnd": str(IPAddress(pods.last - 1, pods.version)),
                    "gateway": str(IPAddress(pods.first + 1, pods.version)),
                }
            ]
            for pods, all_ in pairs
        ],
        "routes": [{"dst": "::/0" if pods.version == 6 else "0.0.0.0/0"} for pods, _ in pairs],
    }


def _cluster_of(pods: IPNetwork, clusters: Sequence[IPNetwork]) -> IPNetwork:
    for cluster in clusters:
        if pods in cluster:
            return cluster.cidr
    raise ValueError(f"{pods} is in none of {', '.join(map(str, clusters))}")


def _mac(pods: IPNetwork, cluster: IPNetwork) -> str:
    """Return the MAC address of the bridge: the last four bytes tell the nodes of a cluster apart.

    In IPv4 they are the gateway's address. In IPv6 they are those behind the cluster's prefix: a node's
    network is at most 16 bits longer (kubernetes, pkg/controller/nodeipam/ipam/cidrset, cidr_set.go).
    """
    number = int(pods.first) + 1
    if pods.version == 6:
        number >>= max(128 - cluster.prefixlen - 32, 0)
    value = _MAC_PREFIX << 32 | number & 0xFFFFFFFF
    return ":".join(f"{value >> shift & 0xFF:02x}" for shift in range(40, -8, -8))
