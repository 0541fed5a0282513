"""What a switched network cannot work with on a host, and whether it still is as it was set up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.openvswitch.network import KERNEL_ADDRESS, PASSAGE_NETWORK, SWITCH_ADDRESS, network
from flatnet.openvswitch.place import (
    DATAPATHS,
    GRE,
    NETDEV,
    SYSTEM,
    Place,
    datapath,
    missing_features,
    ordered_nodes,
    place_of,
)
from flatnet.openvswitch.topology import TOPOLOGIES, stp_faults
from flatnet.plan.addresses import parse_interface, parse_network

# How the kernel calls an internal port of Open vSwitch: with its own datapath, and with that in userspace.
_SWITCH_KINDS = frozenset({"openvswitch", "tun"})


def refusals(given: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return what the network cannot work with, as sentences that end with a fix; empty where it can.

    given: as for place_of, with `datapath`; facts: of the host, with `interfaces`, `routes` and
    `kernel_features`.
    """
    found = []
    for name, known in (("topology", TOPOLOGIES), ("datapath", DATAPATHS)):
        if given[name] not in known:
            found.append(f"cni_openvswitch_{name} {given[name]!r} is not known. Fix: use {', '.join(known)}.")
    if found:
        return found
    found += stp_faults(len(ordered_nodes(given["nodes"])), given["topology"], int(given["degree"]))
    if found:
        return found
    try:
        place = place_of(given)
    except FlatnetError as error:
        return [f"{error}. Fix: give all nodes an address of one family, the first of each."]
    used = datapath(facts, place.mode, given["datapath"])
    return [*_strangers(place, facts), *_datapath_faults(place, used, facts), *_unreachable(place, facts)]


def _strangers(place: Place, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has the switch's name and is something else."""
    interfaces = {one["name"]: one for one in facts["interfaces"]}
    switch, bridge = place.names["switch"], place.names["bridge"]
    found = interfaces.get(switch)
    tunnels = [name for name in interfaces if fnmatchcase(name, place.names.get("tunnels", ""))]
    if tunnels and not found:
        yield (
            f"Open vSwitch has VXLAN tunnels of somebody else ({tunnels[0]}), and those of one port are all "
            "in one. "
            "Fix: use mode gre, or another host."
        )
    if found and found["kind"] not in _SWITCH_KINDS:
        yield (
            f"the host's {switch} is no switch of Open vSwitch but of the kind {found['kind']}. Fix: rename "
            "it, or "
            f"remove it with `ip link delete {switch}`."
        )
    elif found and (found["addresses"] or found["master"] not in ("", bridge, "ovs-system")):
        what = (
            f"is a port of {found['master']}" if found["master"] else f"has {', '.join(found['addresses'])}"
        )
        yield (
            f"the host's {switch} {what}, and serves somebody else. Fix: rename that switch, or remove it "
            "with "
            f"`ovs-vsctl del-br {switch}`."
        )


def _datapath_faults(place: Place, used: str, facts: Mapping[str, Any]) -> Iterator[str]:
    if used == SYSTEM and (missing := missing_features(facts, place.mode)):
        yield (
            f"cni_openvswitch_datapath system: the kernel lacks {' and '.join(missing)}. Fix: load it, or "
            "use auto, "
            "which takes the slower datapath netdev there."
        )
    if used == SYSTEM and place.mode == GRE and place.address.family == "ipv6":
        yield (
            f"mode gre has tunnels between addresses of IPv4 alone, and the node's first is {place.address}. "
            "Fix: use cluster_network_backend_mode: vxlan, or put an address of IPv4 first."
        )
    if used != NETDEV:
        return
    if place.address.family != "ipv4":
        yield (
            "the userspace datapath netdev has tunnels between addresses of IPv4 alone, and the node's "
            "first is "
            f"{place.address}. Fix: give the kernel its datapath (the module openvswitch), or put an address "
            "of "
            "IPv4 first."
        )
    passage = parse_network(PASSAGE_NETWORK)
    own = {place.names[name] for name in ("passage", "passage_kernel_end")}
    for one in facts["interfaces"]:
        taken = [
            text
            for text in [*one["addresses"], *one["link_scope_addresses"]]
            if one["name"] not in own and parse_interface(text)[1].overlaps(passage)
        ]
        if taken:
            yield (
                f"{one['name']} has {taken[0]}, which overlaps {PASSAGE_NETWORK}, the way between the "
                "userspace "
                "datapath and the kernel. Fix: take the address away, or load the kernel module openvswitch."
            )


def _unreachable(place: Place, facts: Mapping[str, Any]) -> Iterator[str]:
    ways = [
        parse_network(route["destination"]) for route in facts["routes"] if route["type"] == "unicast"
    ] + [parse_interface(text)[1] for one in facts["interfaces"] for text in one["addresses"]]
    far = [peer for peer in place.peers if not any(way.holds(peer.address) for way in ways)]
    if far:
        more = f" and {len(far) - 1} others" if far[1:] else ""
        yield (
            f"no route leads to {far[0].address}, the address of {far[0].name}{more}, and tunnels have no "
            "other "
            "way. Fix: route it, or give the host a default route."
        )


def drift(given: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return in what way the network is not as it was set up, a few words each; empty when it is.

    given, facts: as for refusals. What Open vSwitch has in its own database is not looked at.
    """
    place = place_of(given)
    wanted = network(place, datapath(facts, place.mode, given["datapath"]))
    interfaces = {one["name"]: one for one in facts["interfaces"]}
    bridge, switch = place.names["bridge"], place.names["switch"]
    for name in (bridge, switch):
        if name not in interfaces:
            return [f"there is no {name}"]
    found = interfaces[bridge]
    told = {
        f"{switch} is not a port of {bridge}": interfaces[switch]["master"] != bridge,
        f"{switch} is down": not interfaces[switch]["up"],
        f"{bridge} is down": not found["up"],
        f"{bridge} has the MAC address {found['mac']}": found["mac"] != place.mac,
        f"{bridge} has MTU {found['mtu']}": found["mtu"] != place.mtu,
        f"{bridge} lacks an address": not set(wanted["bridge"]["addresses"]) <= set(found["addresses"]),
    }
    routes = {(one["destination"], one["device"], one["source"]) for one in facts["routes"]}
    for route in wanted["bridge"]["routes"]:
        told[f"there is no route to {route['destination']} through {bridge}"] = (
            route["destination"],
            bridge,
            route["source"],
        ) not in routes
    if wanted["passage"]:
        addresses = {
            text.partition("/")[0] for one in facts["interfaces"] for text in one["link_scope_addresses"]
        }
        for address in (KERNEL_ADDRESS, SWITCH_ADDRESS):
            told[f"nothing has the address {address}"] = address not in addresses
    return [words for words, is_so in told.items() if is_so]
