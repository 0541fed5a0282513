"""What flanneld is told, and on which hosts it cannot do it. Pure.

Facts about upstream are those of flannel v0.28.9.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import Family, Network, parse_address, parse_interface, parse_network

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
    "length": {"ipv4": "SubnetLen", "ipv6": "IPv6SubnetLen"},
    "least": {"ipv4": "SubnetMin", "ipv6": "IPv6SubnetMin"},
    "taken": {"ipv4": "FLANNEL_SUBNET", "ipv6": "FLANNEL_IPV6_SUBNET"},
}
SUBNET_MANAGERS = ("kubernetes", "etcd")
# Where upstream looks unless it is told another place (main.go).
ETCD_PREFIX = "/coreos.com/network"
# Upstream wants room for four subnets, and four addresses in each (pkg/subnet/config.go).
_ROOM = 2
_LONGEST: Mapping[Family, int] = {"ipv4": 30, "ipv6": 126}


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


def flannel_etcd_plan(
    network: Mapping[str, Any],
    pod_cidrs: Sequence[str],
    node_addresses: Sequence[str],
    etcd_addresses: Sequence[str],
) -> Json:
    """Return what the role's program keeps in etcd of a node, where flanneld has its subnets from there.

    network: as `flannel_network` has it. pod_cidrs: the node's own. etcd_addresses: of etcd's members.
    Returns {prefix, endpoints, address, subnet, taken, network}: the node's address by which flanneld finds
    its subnet, the end of the subnet's key, what flanneld has to write into its file of the subnet, and the
    text of the network. Raises FlatnetError for what is unreadable.
    """
    own = _by_family(pod_cidrs)
    addresses = {address.family: str(address) for address in map(parse_address, node_addresses)}
    # The first subnet is a node's like any other; upstream would leave it out.
    subnets = {_KEYS["length"][family]: one.prefix for family, one in own.items()} | {
        _KEYS["least"][family]: network[_KEYS["network"][family]].partition("/")[0] for family in own
    }
    return {
        "prefix": ETCD_PREFIX,
        "endpoints": [f"https://{f'[{one}]' if ':' in one else one}:2379" for one in etcd_addresses],
        "address": addresses.get("ipv4", ""),
        # pkg/subnet/subnet.go, MakeSubnetKey.
        "subnet": "&".join(str(one).replace("/", "-") for one in own.values()),
        "taken": {
            _KEYS["taken"][family]: f"{one.nth_address(1)}/{one.prefix}" for family, one in own.items()
        },
        "network": json.dumps({**network, **subnets}, sort_keys=True),
    }


def flannel_etcd_refusals(
    managers: Sequence[str], cluster_pod_cidrs: Sequence[str], nodes_pod_cidrs: Sequence[str]
) -> list[str]:
    """Return why nodes cannot have their subnets in etcd, as sentences with the fix; empty when they can.

    managers: the subnet manager of every node of the cluster; where all have theirs from Kubernetes there is
    nothing to refuse. nodes_pod_cidrs: of all nodes.
    """
    chosen = sorted(set(managers))
    if chosen == ["kubernetes"]:
        return []
    reasons = [*_managers_at_odds(chosen), *_unlike_upstream(cluster_pod_cidrs, nodes_pod_cidrs)]
    return [f"{reason}. Fix: {fix}." for reason, fix in reasons]


def _managers_at_odds(chosen: Sequence[str]) -> Iterator[tuple[str, str]]:
    fix = f"set cni_flannel_subnet_manager to one of {' and '.join(SUBNET_MANAGERS)} for all nodes"
    for unknown in (one for one in chosen if one not in SUBNET_MANAGERS):
        yield f"there is no subnet manager of flannel {unknown!r}", fix
    if len(chosen) > 1:
        yield (
            f"cni_flannel_subnet_manager is {' here and '.join(chosen)} there, and flanneld sees only nodes "
            "whose subnets are kept where its own is",
            fix,
        )


def _unlike_upstream(
    cluster_pod_cidrs: Sequence[str], nodes_pod_cidrs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    kubernetes = "or leave cni_flannel_subnet_manager at kubernetes"
    whole = _by_family(cluster_pod_cidrs)
    if "ipv4" not in whole:
        yield (
            "flanneld finds its subnet in etcd by the node's address of IPv4, and this cluster has none",
            f"give the cluster IPv4 as well, {kubernetes}",
        )
    sizes = sorted({(network.family, network.prefix) for network in map(parse_network, nodes_pod_cidrs)})
    for family, network in whole.items():
        prefixes = [prefix for of, prefix in sizes if of == family]
        if len(prefixes) > 1:
            listed = " and ".join(f"/{prefix}" for prefix in prefixes)
            yield (
                f"the nodes have pod networks of {listed}, and in etcd flanneld knows one size for all",
                f"give all nodes pod networks of one size, {kubernetes}",
            )
        elif prefixes and not network.prefix + _ROOM <= prefixes[0] <= _LONGEST[family]:
            yield (
                f"the pod network {network} in networks of /{prefixes[0]} is none that flanneld reads from "
                f"etcd: it has to hold at least four, each of /{_LONGEST[family]} or larger",
                f"choose other cluster_pod_cidrs or cluster_node_prefixes, {kubernetes}",
            )


def _by_family(cidrs: Sequence[str]) -> dict[Family, Network]:
    """Return the networks by their families, IPv4 first."""
    found = {network.family: network for network in map(parse_network, cidrs)}
    return {family: found[family] for family in _KEYS["network"] if family in found}
