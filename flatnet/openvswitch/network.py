"""What a node's bridges, tunnels and flows are to be, as the data that the program on the host applies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatnet.openvswitch.place import NETDEV, VXLAN, Place
from flatnet.openvswitch.topology import FLOWS, spanning_tree

# The way from the userspace datapath to the kernel, which no other host sees: a network of link-local
# addresses (RFC 3927) of two, and MAC addresses that were given locally.
PASSAGE_NETWORK = "169.254.77.0/30"
KERNEL_ADDRESS, SWITCH_ADDRESS = "169.254.77.1", "169.254.77.2"
_KERNEL_MAC, _SWITCH_MAC = "0a:58:a9:fe:4d:01", "0a:58:a9:fe:4d:02"


def network(place: Place, datapath: str) -> dict[str, Any]:
    """Return {bridge, switch, tunnels, flows, passage, passage_names} of a node.

    bridge: the Linux bridge of the pods; switch: that of Open vSwitch, a port of it, with columns of its
    record (ovs-vswitchd.conf.db(5)); tunnels: its ports; flows: the whole flow table (ovs-fields(7),
    ovs-actions(7)); passage: the way of encapsulated packets to the kernel, None with its own datapath.
    """
    return {
        "bridge": {
            "name": place.names["bridge"],
            "mac": place.mac,
            "mtu": place.mtu,
            "addresses": [f"{one.nth_address(1)}/{one.prefix}" for one in place.pod_cidrs],
            "routes": [
                {"destination": str(one), "source": place.gateway(one.family)}
                for one in place.cluster_pod_cidrs
                if any(own.family == one.family for own in place.pod_cidrs)
            ],
        },
        "switch": {"name": place.names["switch"], "columns": _columns(place, datapath)},
        "tunnels": [
            {
                "name": peer.tunnel,
                "node": peer.name,
                "type": place.mode,
                "port_config": {"stp-port-num": str(peer.stp_port)} if peer.stp_port else {},
                "options": _tunnel_options(place, str(peer.address), datapath),
            }
            for peer in place.peers
        ],
        "flows": list(_flows(place)) if place.topology == FLOWS else ["priority=0,actions=NORMAL"],
        "passage": _passage(place) if datapath == NETDEV else None,
        # Of a passage that is there from before, or is to go.
        "passage_names": _passage_names(place),
    }


def _columns(place: Place, datapath: str) -> dict[str, Any]:
    # The bridge's address with another beginning: nobody else's either, and the same after every boot.
    settings = {"hwaddr": f"0a:59{place.mac[5:]}"}
    if place.topology == FLOWS:
        return {
            "datapath_type": datapath,
            # What no flow is for goes nowhere, also while there are none yet.
            "fail_mode": "secure",
            "protocols": ["OpenFlow13"],
            "stp_enable": False,
            "other_config": settings,
        }
    return {
        "datapath_type": datapath,
        "fail_mode": "standalone",
        "protocols": ["OpenFlow13"],
        "stp_enable": True,
        "other_config": {
            **settings,
            **spanning_tree(place.count, place.position, place.topology, place.degree),
        },
    }


def _tunnel_options(place: Place, remote: str, datapath: str) -> dict[str, str]:
    options = {"remote_ip": remote, "key": str(place.key)}
    if datapath != NETDEV:
        # In the userspace datapath the source is the passage's, until the kernel puts this in its place.
        options["local_ip"] = str(place.address)
    if place.mode == VXLAN:
        options["dst_port"] = str(place.port)
    return options


def _flows(place: Place) -> Iterator[str]:
    """Yield flows that bring a packet to the node whose pod it is for.

    What came out of a tunnel goes to this node's pods and never into another tunnel, so nothing goes round in
    circles. Neighbours are asked for where they are, instead of everywhere.
    """
    for peer in place.peers:
        yield f"priority=200,in_port={peer.tunnel},actions=LOCAL"
        out = f"actions=output:{peer.tunnel}"
        for one in peer.pod_cidrs:
            if one.family == "ipv4":
                yield f"priority=100,in_port=LOCAL,arp,arp_tpa={one},{out}"
                yield f"priority=100,in_port=LOCAL,ip,nw_dst={one},{out}"
            else:
                # A solicitation is for a group; what it is about is in its target (RFC 4861, section 4.3).
                yield f"priority=110,in_port=LOCAL,icmp6,icmp_type=135,icmp_code=0,nd_target={one},{out}"
                yield f"priority=100,in_port=LOCAL,ipv6,ipv6_dst={one},{out}"
        if any(one.family == "ipv6" for one in peer.pod_cidrs):
            # A gateway asks with its address of the link, and is answered there.
            yield f"priority=90,in_port=LOCAL,dl_dst={peer.mac},ipv6,ipv6_dst=fe80::/10,{out}"


def _passage_names(place: Place) -> dict[str, str]:
    return {
        "switch": place.names["passage"],
        "kernel_end": place.names["passage_kernel_end"],
    }


def _passage(place: Place) -> dict[str, Any]:
    return {
        **_passage_names(place),
        "kernel_address": KERNEL_ADDRESS,
        "kernel_mac": _KERNEL_MAC,
        "switch_address": SWITCH_ADDRESS,
        "switch_mac": _SWITCH_MAC,
        "prefix": int(PASSAGE_NETWORK.partition("/")[2]),
        "peers": [str(peer.address) for peer in place.peers],
    }
