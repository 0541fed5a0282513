"""Masquerade of what pods send out of the cluster: nftables tables (nft(8)), as node_state applies them."""

from collections.abc import Sequence

from flatnet.plan.addresses import Family, parse_network

# nft's name of the tables of a family, nft's type of its addresses, and what it has for groups: packets to
# those belong to no connection (RFC 5771; RFC 4291, section 2.7).
_WORDS: dict[Family, tuple[str, str, str]] = {
    "ipv4": ("ip", "ipv4_addr", "224.0.0.0/4"),
    "ipv6": ("ip6", "ipv6_addr", "ff00::/8"),
}

_CONTENT = """\
set pods {{
  type {address}
  flags interval
  elements = {{ {pods} }}
}}
set not_to {{
  type {address}
  flags interval
  auto-merge
  elements = {{ {not_to} }}
}}
chain postrouting {{
  type nat hook postrouting priority srcnat + 10; policy accept;
  {family} saddr @pods {family} daddr != @not_to masquerade
}}
"""


def masquerade_tables(pod_cidrs: Sequence[str], not_to: Sequence[str]) -> list[dict[str, str]]:
    """Return tables that give packets of pods the node's address, but to some destinations.

    pod_cidrs: networks of the pods; not_to: networks that see a pod's own address. One table for each family
    of the pods, {family, table, content}. The chain comes after those that others have at the usual priority
    of the hook. Raises FlatnetError for what is not a network.
    """
    pods, kept = _by_family(pod_cidrs), _by_family(not_to)
    tables = []
    for family, networks in pods.items():
        name, address, groups = _WORDS[family]
        content = _CONTENT.format(
            family=name,
            address=address,
            pods=", ".join(networks),
            not_to=", ".join([*kept.get(family, ()), groups]),
        )
        tables.append({"family": name, "table": "flatnet_masquerade", "content": content})
    return tables


def _by_family(cidrs: Sequence[str]) -> dict[Family, list[str]]:
    found: dict[Family, list[str]] = {}
    for cidr in cidrs:
        found.setdefault(parse_network(cidr).family, []).append(cidr)
    return found
