"""What flanneld is told, and on which hosts it cannot do it. Pure.

Facts about upstream are those of flannel v0.28.9.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import Family, parse_address, parse_interface, parse_network

Json = dict[str, Any]

# What upstream takes off the MTU that it is given, whatever the family (pkg/backend/vxlan/vxlan_network.go,
# pkg/backend/wireguard/wireguard_network.go). Its other backends take that of the interface.
_TAKEN_OFF = {"vxlan": 50, "wireguard": 80}
# The proxy of this mode is C for one architecture (pkg/backend/udp/proxy_amd64.c).
_UDP_ARCHITECTURE = "x86_64"
_KEYS: Mapping[str, Mapping[Family, str]] = {
    "enabled": {"ipv4": "EnableIPv4", "ipv6": "EnableIPv6"},
    "network": {"ipv4": "Network", "ipv6": "IPv6Network"},
    "public": {"ipv4": "--public-ip", "ipv6": "--public-ipv6"},
}


def flannel_network(contract: Mapping[str, Any], pod_cidrs: Sequence[str], mtu: int) -> Json:
    """Return flanneld's network configuration (its Documentation/configuration.md and backends.md).

    contract: of the backend in its mode, with the chosen numbers. pod_cidrs: of the cluster, one per family.
    mtu: of the pods, in bytes; the tunnel gets the same. Raises FlatnetError for an unreadable network.
    """
    networks = {network.family: str(network) for network in map(parse_network, pod_cidrs)}
    families: Json = {}
    for family, enabled in _KEYS["enabled"].items():
        families[enabled] = family in networks
        if family in networks:
            families[_KEYS["network"][family]] = networks[family]
    return {**families, "Backend": _backend(contract, mtu)}


def _backend(contract: Mapping[str, Any], mtu: int) -> Json:
    kind = contract["mode"].removesuffix("-direct")
    numbers = contract["option_values"]
    settings: Json = {"Type": kind}
    if kind in _TAKEN_OFF:
        settings["MTU"] = mtu + _TAKEN_OFF[kind]
    if kind == "vxlan":
        settings |= {
            "Port": numbers["port"],
            "VNI": numbers["vni"],
            "DirectRouting": contract["mode"] != kind,
        }
    elif kind == "udp":
        settings["Port"] = numbers["port"]
    elif kind == "wireguard":
        settings |= {"ListenPort": numbers["port"], "ListenPortV6": numbers["port_v6"], "Mode": "separate"}
    return settings


def flannel_addresses(node_addresses: Sequence[str]) -> list[str]:
    """Return the arguments of flanneld that name the node's addresses, one per family in any order.

    The interface is that of the address of IPv4 where there is one. Raises FlatnetError for an unreadable
    address.
    """
    found = {address.family: str(address) for address in map(parse_address, node_addresses)}
    ordered: list[Family] = [family for family in _KEYS["public"] if family in found]
    return [
        f"--iface={found[ordered[0]]}",
        *(f"{_KEYS['public'][family]}={found[family]}" for family in ordered),
    ]


def flannel_refusals(facts: Mapping[str, Any], mode: str, node_addresses: Sequence[str]) -> list[str]:
    """Return why flanneld cannot run on a host, as sentences with the fix; empty when it can.

    facts: of the host, with `architecture` and `interfaces`.
    """
    return [f"{reason}. Fix: {fix}." for reason, fix in _reasons(facts, mode, node_addresses)]


def _reasons(facts: Mapping[str, Any], mode: str, node_addresses: Sequence[str]) -> Iterator[tuple[str, str]]:
    architecture = facts["architecture"]
    if mode == "udp" and architecture != _UDP_ARCHITECTURE:
        yield (
            f"upstream has flannel's mode udp for {_UDP_ARCHITECTURE} only, and the host is {architecture}",
            "use another mode of flannel on all nodes, such as vxlan",
        )
    links: dict[str, list[str]] = {}
    for interface in facts["interfaces"]:
        for text in interface["addresses"]:
            links.setdefault(str(parse_interface(text)[0]), []).append(interface["name"])
    # One of each family, of which upstream wants the same interface (pkg/ipmatch/match.go).
    found = {text: links[text][0] for text in node_addresses if text in links}
    if len(set(found.values())) > 1:
        listed = " and ".join(f"{text} on {name}" for text, name in found.items())
        yield (
            f"the node's addresses are on different interfaces, {listed}, and flanneld takes one for both "
            "families",
            "set node_addresses to addresses of one interface",
        )


def flannel_route_removal(contract: Mapping[str, Any], pod_cidrs: Sequence[str]) -> list[list[str]]:
    """Return the commands that remove the routes through other nodes, which flanneld leaves behind.

    None in a mode whose routes go with their interface. They are of no protocol of their own, and nobody else
    has routes to the pods, as the plan demands.
    """
    if contract["node_links"] == "any":
        return []
    versions = {"ipv4": "-4", "ipv6": "-6"}
    networks = map(parse_network, pod_cidrs)
    return [
        ["ip", versions[network.family], "route", "flush", "root", str(network), "proto", "boot"]
        for network in networks
    ]
