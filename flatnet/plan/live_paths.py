"""The rules about the ways between hosts as they are: neighbours, and the way back."""

from collections.abc import Collection, Iterator, Sequence

from netaddr import cidr_merge

from flatnet.contract import Resolved as Backend
from flatnet.plan.addresses import WIDTH, Address, Family, Network, parse_address, parse_network
from flatnet.plan.findings import Findings
from flatnet.plan.host_addresses import owned_within
from flatnet.plan.hosts import Host
from flatnet.plan.live import Interface, Route, interface_settings, routes_by_source
from flatnet.plan.names import listed_names
from flatnet.plan.routes import is_routed
from flatnet.plan.rules import Owned, Resolved

# rp_filter (Linux, Documentation/networking/ip-sysctl.rst): the larger of all's and the interface's counts.
_STRICT = 1


def check_paths(
    host: Host,
    interfaces: Sequence[Interface],
    routes: Sequence[Route],
    gateways: Collection[str],
    backend: Backend,
    resolved: Resolved,
    findings: Findings,
) -> None:
    """Check a host's ways to the others' addresses; of one that told of no interface nothing is known.

    gateways: the hosts that routes to pods lead through, which are the nodes.
    """
    for text in resolved.texts.get(host.inventory_name, ()):
        address = parse_address(text)
        own = [one for one in interfaces if any(found == address for found, _ in one.addresses)]
        if not own:
            continue
        family = address.family
        beyond = list(_beyond(_on_link(family, interfaces, routes), family, resolved.addresses[family]))
        if _needs_links(backend) and is_routed(host.groups, backend.control_plane_routes):
            others = [name for _, name, _ in beyond if name in gateways]
            _check_neighbours(host, others, backend, findings)
        if family == "ipv4" and own[0].takes_packets and not routes_by_source(host, address):
            _check_way_back(host, own[0].name, beyond, routes, resolved, findings)


def _needs_links(backend: Backend) -> bool:
    """Tell whether its routes lead through the nodes themselves; the plan's always do."""
    return backend.routes == "plan" or backend.node_links == "needed"


def _on_link(family: Family, interfaces: Sequence[Interface], routes: Sequence[Route]) -> list[Network]:
    """Return the networks that the host has on its links, by addresses and by routes without a gateway."""
    found = {network for one in interfaces for _, network in one.addresses}
    found |= {
        route.destination
        for route in routes
        if route.device and not route.gateway and route.type == "unicast" and route.table == "main"
    }
    return [network for network in found if network.family == family]


def _beyond(on_link: Sequence[Network], family: Family, owned: Sequence[Owned]) -> Iterator[Owned]:
    """Yield the addresses of hosts that are on none of the links."""
    start = 0
    for text in map(str, cidr_merge([str(network) for network in on_link])):
        network = parse_network(text)
        yield from owned_within(owned, start, network.first - 1)
        start = network.last + 1
    yield from owned_within(owned, start, 2 ** WIDTH[family] - 1)


def _check_neighbours(host: Host, others: Sequence[str], backend: Backend, findings: Findings) -> None:
    """Check that the kernel takes the others as gateways (Linux, net/ipv4/fib_semantics.c, fib_check_nh)."""
    if others:
        findings.add(
            "gateway-elsewhere",
            "",
            f"{listed_names(others)} {'are' if others[1:] else 'is'} on none of its links, and the routes of "
            f"{backend.title} need {'them' if others[1:] else 'it'} as gateway (the kernel: Nexthop has "
            "invalid gateway)",
            "use a backend with a tunnel, such as flannel in its first mode, or give the nodes one network "
            "between them",
            host.inventory_name,
        )


def _check_way_back(
    host: Host,
    interface: str,
    beyond: Sequence[Owned],
    routes: Sequence[Route],
    resolved: Resolved,
    findings: Findings,
) -> None:
    """Check that a strict interface is the one that leads back to whoever sends to its address."""
    if max(interface_settings(host, name, "rp_filter") for name in ("all", interface)) != _STRICT:
        return
    usual = [
        route
        for route in routes
        if route.table == "main" and route.type == "unicast" and route.destination.family == "ipv4"
    ]
    asked = {(value, name) for value, name, _ in beyond}
    for route in usual:
        if route.device != interface and route.destination.prefix:
            within = owned_within(resolved.addresses["ipv4"], route.destination.first, route.destination.last)
            asked |= {(value, name) for value, name, _ in within}
    for value, name in sorted(asked):
        ways = [route for route in usual if route.destination.holds(Address("ipv4", value))]
        longest = max((route.destination.prefix for route in ways), default=0)
        devices = [route.device for route in ways if route.destination.prefix == longest]
        if name != host.inventory_name and devices and interface not in devices:
            findings.add(
                "reverse-path",
                f"net.ipv4.conf.{interface}.rp_filter 1",
                f"{interface} has the node's address, and the way to {name} is through {devices[0]}, so that "
                f"the kernel drops what {name} sends to it",
                f"set it to 2 (loose), or lead the way through {interface}",
                host.inventory_name,
            )
            return
