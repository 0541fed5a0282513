"""What a node of the segment translates: tables of nftables (nft(8)) for node_state."""

from collections.abc import Sequence

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Family, parse_network

_CONTENT = """\
chain postrouting {{
  type nat hook postrouting priority srcnat - 10; policy accept;
  {family} saddr {cluster} {family} saddr != {own} {family} daddr {cluster} {family} daddr != {own} \
ct status dnat snat to {address}
}}
"""
# Of IPv6 no setting of the kernel keeps it from sending them.
_REDIRECTS: dict[Family, str] = {"ipv4": "icmp type redirect", "ipv6": "icmpv6 type nd-redirect"}
_NO_REDIRECTS = """\
chain output {{
  type filter hook output priority filter; policy accept;
  oifname "{bridge}" {redirect} drop
}}
"""


def segment_tables(
    pod_cidrs: Sequence[str],
    cluster_pod_cidrs: Sequence[str],
    node_addresses: Sequence[str],
    table: str = "flatnet_l2_bridge",
    node_bridge: str = "",
) -> list[dict[str, str]]:
    """Return tables that bring the answers of other nodes' pods back through this node.

    A pod asks this node's node port, and a pod of a third node answers: both are neighbours on the segment,
    so the answer would pass by the node that translated the question. With the node's own address as its
    source the question's answer comes back; with that of the bridge it would come in by the uplink and have
    to leave by it.

    With the node's own addresses on the bridge, what a pod sends out of the cluster leaves where it came in,
    and the kernel tells the pod to send it to the router itself (ICMP redirect: RFC 792, RFC 4861). From
    there it would get no answer, for it is the node that puts its own address in place of the pod's. So
    these do not leave the node by that bridge.

    pod_cidrs: this node's; cluster_pod_cidrs: those of all pods; node_addresses: this node's own; each has
    an entry per family; table: their name; node_bridge: the bridge with the node's addresses, "" where it has
    none of them. One table for each of pod_cidrs, {family, table, content}.
    Raises FlatnetError where a family is missing.
    """
    clusters: dict[Family, str] = {parse_network(cidr).family: cidr for cidr in cluster_pod_cidrs}
    addresses: dict[Family, str] = {
        "ipv6" if ":" in address else "ipv4": address for address in node_addresses
    }
    tables = []
    for own in pod_cidrs:
        family = parse_network(own).family
        for what, known in (("network of all pods", clusters), ("address of the node", addresses)):
            if family not in known:
                raise FlatnetError(f"{own}: there is no {what} of the family {family}; plan again")
        name = "ip6" if family == "ipv6" else "ip"
        content = _CONTENT.format(family=name, own=own, cluster=clusters[family], address=addresses[family])
        if node_bridge:
            content += _NO_REDIRECTS.format(bridge=node_bridge, redirect=_REDIRECTS[family])
        tables.append({"family": name, "table": table, "content": content})
    return tables
