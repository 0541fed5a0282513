"""Drops the second copy of what pods of one node send each other, where their bridge is promiscuous.

Such a bridge hands every frame to the host as well, which forwards it back onto the bridge: kubelets of old
had chains of ebtables against that (kubernetes 1.23, pkg/kubelet/dockershim/network/kubenet). Here it is a
table of nftables (nft(8)), as node_state applies them.
"""

from collections.abc import Sequence

from flatnet.plan.addresses import Family, Network, parse_network

_WORDS: dict[Family, tuple[str, str]] = {"ipv4": ("ip", "ipv4_addr"), "ipv6": ("ip6", "ipv6_addr")}

_SETS = """\
set pods_{family} {{
  type {address}
  flags interval
  elements = {{ {pods} }}
}}
set gateways_{family} {{
  type {address}
  elements = {{ {gateways} }}
}}
"""
# Only what the host itself puts onto a bridge comes to this hook. What it sends to its pods has a gateway's
# address or another node's pod's; so has a pod's packet to itself, which the host alone can bring back.
_CHAIN = """\
chain output {{
  type filter hook output priority filter; policy accept;
{rules}}}
"""
_RULE = """\
  {family} saddr != @gateways_{family} {family} saddr @pods_{family} {family} daddr @pods_{family} drop
"""


def deduplication_tables(pod_cidrs: Sequence[str]) -> list[dict[str, str]]:
    """Return the one table, {family, table, content}, for a node with these pod networks.

    Their first addresses are the gateways. Raises FlatnetError for what is not a network.
    """
    by_family: dict[Family, list[Network]] = {}
    for network in map(parse_network, pod_cidrs):
        by_family.setdefault(network.family, []).append(network)
    sets, rules = "", ""
    for of, networks in sorted(by_family.items()):
        family, address = _WORDS[of]
        sets += _SETS.format(
            family=family,
            address=address,
            pods=", ".join(map(str, networks)),
            gateways=", ".join(str(network.nth_address(1)) for network in networks),
        )
        rules += _RULE.format(family=family)
    return [{"family": "bridge", "table": "flatnet_kubenet", "content": sets + _CHAIN.format(rules=rules)}]
