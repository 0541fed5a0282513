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


def segment_tables(
    pod_cidrs: Sequence[str],
    cluster_pod_cidrs: Sequence[str],
    node_addresses: Sequence[str],
    table: str = "flatnet_l2_bridge",
) -> list[dict[str, str]]:
    """Return tables that bring the answers of other nodes' pods back through this node.

    A pod asks this node's node port, and a pod of a third node answers: both are neighbours on the segment,
    so the answer would pass by the node that translated the question. With the node's own address as its
    source the question's answer comes back; with that of the bridge it would come in by the uplink and have
    to leave by it.

    pod_cidrs: this node's; cluster_pod_cidrs: those of all pods; node_addresses: this node's own; each has
    an entry per family; table: their name. One table for each of pod_cidrs, {family, table, content}.
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
        tables.append({"family": name, "table": table, "content": content})
    return tables
