"""The network between the hosts, made of a bridge for each segment, all in a namespace of their own.

Frames between hosts never enter this machine's own network namespace. So its firewall, its forwarding and
its bridge-nf-call settings have no say over them, none of these is changed for them, and nothing on the way
translates an address: what a host sends from a pod's address arrives from that address.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from flatnet.errors import FlatnetError
from tests.container_hosts.commands import run
from tests.container_hosts.spec import Cluster, Host, Interface, Leg

NAMESPACES = Path("/run/netns")
_BRIDGE = "bridge"


def bridge(segment: int) -> str:
    """Return the name of the bridge that is a segment."""
    return f"{_BRIDGE}{segment or ''}"


def port(leg: Leg) -> str:
    """Return the name of the bridge's port to a host: from its address, at most 15 bytes long."""
    return f"port-{int(leg.interfaces[0].ip) & 0xFFFFFFFF:08x}"


def hardware_address(leg: Leg) -> str:
    """Return a host's MAC address: locally administered, and the same whenever the host is made again.

    With another one, neighbours would send to the old one until their cache expires, some ten seconds.
    """
    last = (int(leg.interfaces[0].ip) & 0xFFFFFFFF).to_bytes(4, "big")
    return ":".join(f"{octet:02x}" for octet in b"\x02\x00" + last)


def host_commands(cluster: Cluster, host: Host) -> tuple[list[str], list[str]]:
    """Return the lines for `ip -batch`: in the namespace of the bridges, and in the namespace of `host`."""
    outside: list[str] = []
    inside = ["link set lo up"]
    for number, leg in enumerate(host.legs):
        peer = f"name eth{number} address {hardware_address(leg)} netns {cluster.container(host)}"
        outside += [
            f"link add {port(leg)} type veth peer {peer}",
            f"link set {port(leg)} master {bridge(leg.segment)} up",
        ]
        inside += [f"address add {one} dev eth{number}{_ready(one)}" for one in leg.interfaces]
        inside += [f"link set eth{number} up"]
    # A host with several legs is itself the others' way; it has this machine for its own.
    ours = {interface.version: interface for interface in cluster.controller_interfaces}
    for version in sorted({interface.version for interface in host.interfaces}):
        is_router = len(host.legs) > 1
        router = None if is_router else cluster.router(host.legs[0].segment, version)
        inside.append(f"route add default via {(router or ours[version]).ip} dev eth0")
        inside += _ways_of(cluster, host, version) if is_router else []
    return outside, inside


def ensure_bridge(cluster: Cluster) -> None:
    """Make the bridge and this machine's link to it, unless they are there.

    The namespace of the bridge and the link carry the prefix as their name. Raises FlatnetError when an
    interface of another owner has that name, or when this machine uses a part of a subnet already.
    """
    name = cluster.prefix
    wanted = [str(interface) for interface in cluster.controller_interfaces]
    present = interface_addresses(name)
    if (NAMESPACES / name).exists():
        if present is not None and set(wanted) <= set(present):
            return
        raise FlatnetError(
            f"the hosts of {name} are on another subnet: this machine is {', '.join(present or ['nobody'])} "
            f"there, not {', '.join(wanted)}; destroy {name} first"
        )
    if present is not None:
        raise FlatnetError(
            f"this machine has a network interface {name} that is not ours; choose another "
            "container_hosts_prefix"
        )
    _refuse_overlap(cluster)
    run(["ip", "netns", "add", name])
    try:
        for number in range(len(cluster.segments)):
            _batch([f"link add {bridge(number)} type bridge", f"link set {bridge(number)} up"], name)
        _batch([f"link add {name} type veth peer name controller netns {name}"])
        _batch([f"link set controller master {_BRIDGE} up"], name)
        ours = [
            f"address add {interface} dev {name}{_ready(interface)}"
            for interface in cluster.controller_interfaces
        ]
        _batch([*ours, f"link set {name} up", *_ways(cluster)])
    except BaseException:
        remove(name)
        raise


def ensure_host(cluster: Cluster, host: Host) -> bool:
    """Give `host` a namespace connected to the bridge; return whether anything had to be made."""
    name = cluster.container(host)
    if (NAMESPACES / name).exists():
        if all(_is_there(leg, f"eth{number}", name) for number, leg in enumerate(host.legs)):
            return False
        run(["ip", "netns", "delete", name])
    # A host that still runs keeps its old namespace alive, and with it the port.
    for leg in host.legs:
        with contextlib.suppress(FlatnetError):
            run(["ip", "-netns", cluster.prefix, "link", "delete", port(leg)])
    outside, inside = host_commands(cluster, host)
    run(["ip", "netns", "add", name])
    try:
        _batch(outside, cluster.prefix)
        _batch(inside, name)
        if len(host.legs) > 1:
            _forward(name)
    except BaseException:
        run(["ip", "netns", "delete", name])
        raise
    return True


def remove_host(cluster: Cluster, host: Host) -> None:
    """Remove the namespace of `host`, with everything that it held, and its port, unless it has none."""
    if (NAMESPACES / cluster.container(host)).exists():
        run(["ip", "netns", "delete", cluster.container(host)])


def interface_addresses(interface: str, inside: str | None = None) -> list[str] | None:
    """Return the addresses of `interface` as `address/length`, None when there is no such interface."""
    where = ["-netns", inside] if inside else []
    try:
        data = json.loads(run(["ip", *where, "-json", "address", "show", "dev", interface]))
    except FlatnetError:
        return None
    return [f"{entry['local']}/{entry['prefixlen']}" for entry in data[0]["addr_info"]]


def remove(prefix: str) -> bool:
    """Remove every namespace of cluster `prefix` and this machine's link; return whether any was there."""
    # No prefix holds a dot, so `<prefix>.` begins the name of no other cluster's namespace.
    names = [name for name in present_namespaces() if name == prefix or name.startswith(f"{prefix}.")]
    for name in names:
        if name == prefix:
            # The kernel takes a namespace apart after `ip` has returned; our end must be gone by then.
            with contextlib.suppress(FlatnetError):
                run(["ip", "link", "delete", prefix])
        run(["ip", "netns", "delete", name])
    return bool(names)


def present_namespaces() -> list[str]:
    """Return the names of this machine's network namespaces, sorted."""
    return sorted(path.name for path in NAMESPACES.iterdir()) if NAMESPACES.is_dir() else []


def _is_there(leg: Leg, interface: str, inside: str) -> bool:
    present = interface_addresses(interface, inside)
    return present is not None and {str(one) for one in leg.interfaces} <= set(present)


def _ways(cluster: Cluster) -> list[str]:
    """Return the lines by which this machine reaches segments that it is not in."""
    return [
        f"route add {network} via {router.ip} dev {cluster.prefix}"
        for number, segment in enumerate(cluster.further, 1)
        for network in segment
        if (router := cluster.way(number, network.version))
    ]


def _ways_of(cluster: Cluster, router: Host, version: int) -> list[str]:
    """Return the lines by which a router reaches segments that other routers are in: by the first segment."""
    own = {leg.segment for leg in router.legs}
    return [
        f"route add {network} via {other.ip} dev eth0"
        for number, segment in enumerate(cluster.further, 1)
        for network in segment
        if number not in own and network.version == version and 0 in own
        if (other := cluster.way(number, version))
    ]


def _forward(name: str) -> None:
    """Have a router forward from its first moment: this machine reaches hosts behind it by no other way."""
    for path in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
        run(["ip", "netns", "exec", name, "sh", "-c", f"echo 1 > /proc/sys/{path}"])


def _ready(interface: Interface) -> str:
    # Nobody else is on this bridge, so waiting for duplicate address detection only costs a second.
    return " nodad" if interface.version == 6 else ""


def _refuse_overlap(cluster: Cluster) -> None:
    for subnet in (network for segment in cluster.segments for network in segment):
        # `root` selects the routes that lie inside the subnet.
        inside = json.loads(run(["ip", f"-{subnet.version}", "-json", "route", "show", "root", str(subnet)]))
        for route in inside:
            raise FlatnetError(
                f"this machine reaches {route['dst']} over {route.get('dev', 'another network')}, which lies "
                f"in container_hosts_subnets {subnet}; choose another subnet"
            )


def _batch(lines: list[str], inside: str | None = None) -> None:
    where = ["-netns", inside] if inside else []
    run(["ip", *where, "-batch", "-"], stdin="\n".join(lines) + "\n")
