"""What to create: the hosts of one cluster, read from the inventory that Ansible reads."""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flatnet.errors import FlatnetError
from tests.container_hosts.commands import run

GROUP = "k8s_cluster"
# Hosts of no cluster that stand for a site's routers.
ROUTERS = "network_router"
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The prefix is the name of a network interface too: at most 15 bytes (IFNAMSIZ, linux/if.h).
_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,14}")
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Leg:
    """A network interface of a host: the number of its segment, and its addresses in family order."""

    segment: int
    interfaces: tuple[Interface, ...]


@dataclass(frozen=True)
class Host:
    """One host: its name in the inventory and its addresses with prefix length, in family order."""

    name: str
    interfaces: tuple[Interface, ...]
    legs: tuple[Leg, ...] = ()
    """One in every segment that it has addresses of, in the order of segments."""

    @property
    def address(self) -> str:
        """Return the address under which this machine reaches the host."""
        return str(self.interfaces[0].ip)


@dataclass(frozen=True)
class Cluster:
    """The hosts that share one underlay; subnets: one network per family.

    further: the subnets of further segments. This machine is in the first alone, and reaches others through
    the host that has a leg in both, which is their hosts' way to everybody else, too. Where there are several
    such hosts, each knows the others' segments.
    """

    prefix: str
    subnets: tuple[Network, ...]
    hosts: tuple[Host, ...]
    further: tuple[tuple[Network, ...], ...] = ()

    @property
    def controller_interfaces(self) -> tuple[Interface, ...]:
        """Return the addresses of this machine on the underlay: the first of each subnet."""
        return tuple(ipaddress.ip_interface(f"{subnet[1]}/{subnet.prefixlen}") for subnet in self.subnets)

    @property
    def segments(self) -> tuple[tuple[Network, ...], ...]:
        """Return the subnets of every segment."""
        return (self.subnets, *self.further)

    def router(self, segment: int, family: int) -> Interface | None:
        """Return where hosts of a segment find the host that leads to the others; the first by name."""
        legs = (leg for host in self.hosts if len(host.legs) > 1 for leg in host.legs)
        found = (one for leg in legs if leg.segment == segment for one in leg.interfaces)
        return next((one for one in found if one.version == family), None)

    def way(self, segment: int, family: int, origin: int = 0) -> Interface | None:
        """Return where those in the segment `origin` find the host that has a leg in the other one too."""
        between = (host for host in self.hosts if any(leg.segment == segment for leg in host.legs))
        legs = (leg for host in between for leg in host.legs if leg.segment == origin)
        return next((one for leg in legs for one in leg.interfaces if one.version == family), None)

    def container(self, host: Host) -> str:
        """Return the name of the container, and of the network namespace, of `host`."""
        return f"{self.prefix}.{host.name}"


def check_prefix(prefix: str) -> str:
    """Return `prefix`; FlatnetError when no network interface can have that name."""
    if not _PREFIX.fullmatch(prefix):
        raise FlatnetError(
            f"container_hosts_prefix {prefix!r} is not a usable name: take 1 to 15 lower-case letters, "
            "digits and hyphens, a letter first"
        )
    return prefix


def make_cluster(
    prefix: str,
    subnets: Sequence[str],
    hosts: Mapping[str, Sequence[str]],
    further: Sequence[Sequence[str]] = (),
) -> Cluster:
    """Return the cluster that these values mean; hosts: name -> addresses without prefix length.

    further: the subnets of each segment beside the first. Raises FlatnetError for a name that Linux refuses,
    an address outside the subnets, on this machine's own address or given twice, and for a segment that no
    host leads to.
    """
    check_prefix(prefix)
    networks = tuple(_network(subnet) for subnet in subnets)
    segments = (networks, *(tuple(_network(subnet) for subnet in segment) for segment in further))
    every = tuple(network for segment in segments for network in segment)
    if not networks or not hosts:
        raise FlatnetError(f"cluster {prefix} needs at least one subnet and one host")
    taken = {str(network[1]): f"this machine's own address on {network}" for network in networks}
    members = []
    for name, addresses in sorted(hosts.items()):
        if not _HOST_NAME.fullmatch(name):
            raise FlatnetError(f"host {name!r}: a host name has lower-case letters, digits and hyphens only")
        if not addresses:
            raise FlatnetError(f"host {name} has no address: set ansible_host")
        interfaces = tuple(_interface(name, address, every) for address in addresses)
        for interface in interfaces:
            if owner := taken.get(str(interface.ip)):
                raise FlatnetError(f"host {name}: {interface.ip} is {owner} already; choose a free address")
            taken[str(interface.ip)] = f"the address of {name}"
        members.append(Host(name, interfaces, _legs(interfaces, segments)))
    cluster = Cluster(prefix, networks, tuple(members), segments[1:])
    for number, segment in enumerate(segments[1:], 1):
        for network in segment:
            if not (cluster.way(number, network.version) and cluster.router(number, network.version)):
                raise FlatnetError(
                    f"nobody leads to {network}: give a host of group {ROUTERS} an address there and one in "
                    f"{', '.join(map(str, networks))}"
                )
    return cluster


def cluster_of_inventory(data: Mapping[str, Any]) -> Cluster:
    """Return the cluster in what `ansible-inventory --list` printed.

    The hosts of the groups k8s_cluster and network_router, with container_hosts_prefix and
    container_hosts_subnets as variables of the former, container_hosts_further_subnets where there are more
    segments than one, and node_addresses, node_address or ansible_host as addresses.
    """
    variables: Mapping[str, Mapping[str, Any]] = data.get("_meta", {}).get("hostvars", {})
    members = _members(data, GROUP)
    if not members:
        raise FlatnetError(f"the inventory has no host in group {GROUP}")
    names = members | _members(data, ROUTERS)
    shared = variables.get(min(members), {})
    for key in ("container_hosts_prefix", "container_hosts_subnets"):
        if key not in shared:
            raise FlatnetError(
                f"the inventory sets no {key} for group {GROUP}: it is not an inventory of container hosts"
            )
    hosts = {name: _addresses(variables.get(name, {})) for name in names}
    return make_cluster(
        shared["container_hosts_prefix"],
        shared["container_hosts_subnets"],
        hosts,
        shared.get("container_hosts_further_subnets", ()),
    )


def read_inventory(sources: Sequence[Path]) -> Cluster:
    """Return the cluster of these inventory sources; where they disagree the later one holds."""
    program = Path(sys.executable).with_name("ansible-inventory")
    arguments = [f"--inventory={source}" for source in sources]
    return cluster_of_inventory(json.loads(run([str(program), "--list", *arguments])))


def _legs(interfaces: Sequence[Interface], segments: Sequence[Sequence[Network]]) -> tuple[Leg, ...]:
    own = (
        tuple(one for one in interfaces if any(one.ip in network for network in segment))
        for segment in segments
    )
    return tuple(Leg(number, found) for number, found in enumerate(own) if found)


def _members(data: Mapping[str, Any], group: str) -> set[str]:
    entry = data.get(group, {})
    below = [_members(data, child) for child in entry.get("children", ())]
    return set(entry.get("hosts", ())).union(*below)


def _addresses(variables: Mapping[str, Any]) -> list[str]:
    several = variables.get("node_addresses")
    if several:
        return [str(address) for address in several]
    one = variables.get("node_address") or variables.get("ansible_host")
    return [str(one)] if one else []


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as problem:
        raise FlatnetError(f"container_hosts_subnets: {problem}; write it like 192.0.2.0/24") from problem


def _interface(name: str, text: str, networks: Sequence[Network]) -> Interface:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as problem:
        raise FlatnetError(f"host {name}: {problem}; set ansible_host to an IP address") from problem
    for network in networks:
        if address in network:
            return ipaddress.ip_interface(f"{address}/{network.prefixlen}")
    listed = ", ".join(map(str, networks))
    raise FlatnetError(f"host {name}: {address} is outside of container_hosts_subnets ({listed})")
