"""A node's place in the switched network, and whom it has tunnels to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.openvswitch.topology import FLOWS, peers, stp_port_numbers
from flatnet.plan.addresses import Address, Family, Network, parse_address, parse_network
from flatnet.segment.place import segment_node

GRE, VXLAN = "gre", "vxlan"
AUTO, SYSTEM, NETDEV = "auto", "system", "netdev"
DATAPATHS = (AUTO, SYSTEM, NETDEV)
# What the kernel's datapath needs for a tunnel, by the names that facts have for it.
FEATURES: Mapping[str, tuple[str, ...]] = {GRE: ("openvswitch", "gre"), VXLAN: ("openvswitch", "vxlan")}


@dataclass(frozen=True)
class Peer:
    """A node at the other end of a tunnel.

    tunnel: the name of the port that leads there; stp_port: its number in the spanning tree protocol, 0
    without that.
    """

    name: str
    address: Address
    pod_cidrs: tuple[Network, ...]
    tunnel: str
    mac: str
    stp_port: int


@dataclass(frozen=True)
class Place:
    """A node in the network of all: its position among count nodes, its addresses and its peers.

    names: of the interfaces, by what they are in the contract; key: of the tunnels; port: of VXLAN.
    """

    mode: str
    topology: str
    degree: int
    position: int
    count: int
    address: Address
    pod_cidrs: tuple[Network, ...]
    cluster_pod_cidrs: tuple[Network, ...]
    mac: str
    mtu: int
    names: Mapping[str, str]
    key: int
    port: int
    peers: tuple[Peer, ...]

    def gateway(self, family: Family) -> str:
        """Return the bridge's first address of a family."""
        return next(one.nth_address(1) for one in self.pod_cidrs if one.family == family)


def place_of(given: Mapping[str, Any]) -> Place:
    """Return the place of the host that the role is run for.

    given: `host`, `contract`, `nodes` (inventory name -> what the plan has of it), `topology`, `degree`,
    `pod_cidrs`, `cluster_pod_cidrs`, `mtu`. Nodes are ordered by their pod networks, which no other node's
    coming or going changes. Raises FlatnetError where the host has no pod network, or a peer no address of
    the family that this host's first has.
    """
    contract, host = given["contract"], given["host"]
    names = ordered_nodes(given["nodes"])
    if host not in names:
        raise FlatnetError(f"{host} has no pod network; plan one, or take it out of kube_node")
    address = parse_address(given["nodes"][host]["addresses"][0])
    position = names.index(host)
    linked = [names[one] for one in peers(len(names), position, given["topology"], int(given["degree"]))]
    # By their pod networks, which stay theirs.
    networks = [parse_network(given["nodes"][name]["pod_cidrs"][0]) for name in linked]
    wishes = [one.first // one.size for one in networks]
    numbers = [0] * len(linked) if given["topology"] == FLOWS else stp_port_numbers(wishes)
    return Place(
        mode=contract["mode"],
        topology=given["topology"],
        degree=int(given["degree"]),
        position=position,
        count=len(names),
        address=address,
        pod_cidrs=tuple(map(parse_network, given["pod_cidrs"])),
        cluster_pod_cidrs=tuple(map(parse_network, given["cluster_pod_cidrs"])),
        mac=_mac(given["pod_cidrs"], given["cluster_pod_cidrs"]),
        mtu=int(given["mtu"]),
        names={name: one["name"] for name, one in contract["makes"]["interfaces"].items()},
        key=contract["option_values"]["key"],
        port=contract["option_values"].get("port", 0),
        peers=tuple(
            _peer(given, name, address.family, number) for name, number in zip(linked, numbers, strict=True)
        ),
    )


def ordered_nodes(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the inventory names of the nodes that have pods, by their first pod networks."""
    found = [name for name, one in nodes.items() if "kube_node" in one["groups"] and one["pod_cidrs"]]
    return sorted(found, key=lambda name: parse_network(nodes[name]["pod_cidrs"][0]))


def datapath(facts: Mapping[str, Any], mode: str, wanted: str) -> str:
    """Return the datapath that a host gets: the kernel's where it has what the mode needs, else netdev."""
    if wanted != AUTO:
        return wanted
    return NETDEV if missing_features(facts, mode) else SYSTEM


def missing_features(facts: Mapping[str, Any], mode: str) -> list[str]:
    """Return what the kernel lacks of its own datapath with tunnels of the mode."""
    return [name for name in FEATURES[mode] if not facts["kernel_features"].get(name)]


def tunnel_name(switch: str, address: Address) -> str:
    """Return the name of the tunnel to an address: of IPv4 it has the address, of IPv6 a digest of it."""
    if address.family == "ipv4":
        return f"{switch}-{address.value:08x}"
    return f"{switch}-{hashlib.sha256(str(address).encode()).hexdigest()[:8]}"


def _peer(given: Mapping[str, Any], name: str, family: Family, stp_port: int) -> Peer:
    node = given["nodes"][name]
    found = [one for one in map(parse_address, node["addresses"]) if one.family == family]
    if not found:
        raise FlatnetError(f"{name} has no address of the family {family}, which tunnels are to lead to")
    switch = given["contract"]["makes"]["interfaces"]["switch"]["name"]
    return Peer(
        name=name,
        address=found[0],
        pod_cidrs=tuple(map(parse_network, node["pod_cidrs"])),
        tunnel=tunnel_name(switch, found[0]),
        mac=_mac(node["pod_cidrs"], given["cluster_pod_cidrs"]),
        stp_port=stp_port,
    )


def _mac(pod_cidrs: list[str], cluster_pod_cidrs: list[str]) -> str:
    """Return the MAC address of a node's bridge, which follows from its pod network and is nobody else's."""
    return str(segment_node(pod_cidrs, cluster_pod_cidrs)["mac"])
