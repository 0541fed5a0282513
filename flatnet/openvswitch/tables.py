"""What a node translates: tables of nftables (nft(8)) for node_state."""

from __future__ import annotations

from collections.abc import Sequence

from flatnet.openvswitch.network import SWITCH_ADDRESS
from flatnet.openvswitch.place import GRE, NETDEV, Place
from flatnet.segment.tables import segment_tables

# Without connection tracking: what a tunnel carries is tracked inside, and both ends speak first.
_PASSAGE = """\
chain prerouting {{
  type filter hook prerouting priority raw - 10; policy accept;
  ip saddr {{ {peers} }} ip daddr {own} {tunnel} notrack ip daddr set {switch}
  iifname "{device}" ip saddr {switch} notrack
}}
chain postrouting {{
  type filter hook postrouting priority srcnat + 50; policy accept;
  ip saddr {switch} ip daddr {{ {peers} }} ip saddr set {own}
}}
"""


def tables(place: Place, datapath: str, node_addresses: Sequence[str]) -> list[dict[str, str]]:
    """Return tables, each {family, table, content}.

    One for each family of the pods brings answers of other nodes' pods back through this node. With the
    userspace datapath one more lends the node's address to the tunnels: their packets leave with it, and
    what peers send to it of the tunnels' protocol goes to Open vSwitch.
    """
    found = segment_tables(
        [str(one) for one in place.pod_cidrs],
        [str(one) for one in place.cluster_pod_cidrs],
        node_addresses,
        table="flatnet_openvswitch",
    )
    if datapath == NETDEV and place.peers:
        content = _PASSAGE.format(
            peers=", ".join(str(peer.address) for peer in place.peers),
            own=place.address,
            tunnel="ip protocol gre" if place.mode == GRE else f"udp dport {place.port}",
            switch=SWITCH_ADDRESS,
            device=place.names["passage_kernel_end"],
        )
        found.append({"family": "ip", "table": "flatnet_openvswitch_tunnels", "content": content})
    return found
