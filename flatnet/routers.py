"""Routes to pods on the routers between the nodes: each router's next hops, and what stands in their way.

The nodes hold no route of each other then. Everything is read from the plan and from the routers' facts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatnet.plan.addresses import Address, Network, parse_address, parse_interface, parse_network
from flatnet.plan.group_routes import parent_of
from flatnet.plan.names import listed_names

Route = dict[str, str]


@dataclass(frozen=True)
class _Leg:
    """An address of a router, with the interface and the network that it is on."""

    interface: str
    address: Address
    network: Network


@dataclass(frozen=True)
class _Goal:
    """A node's pod network, and the node's address of the same family."""

    node: str
    pods: Network
    address: Address


def router_routes(
    nodes: Mapping[str, Mapping[str, Any]],
    routers: Mapping[str, Mapping[str, Any]],
    topology: Sequence[Mapping[str, Any]] = (),
) -> dict[str, list[Route]]:
    """Return {router: routes}, each {destination, gateway}, to the pods of every node.

    nodes: those of the plan, by inventory name; routers: facts by inventory name, of which `interfaces` are
    read. The gateway is the node where it is on a link of the router, and otherwise the nearest router on a
    link of this one that has the node, by number of routers and then by name. What cannot be reached has no
    route: router_refusals tells of it. Routes are in the order of families, then by destination.

    topology: the plan's `pod_topology`. One route leads to all of a group whose nodes are behind one other
    router. Of a group with nodes on several ways the router has routes to its parts, and one of the type
    unreachable to the whole: what nobody has must not go back to whoever sent it (RFC 4632, section 5.1).
    """
    legs = _legs(routers)
    goals = sorted(_goals(nodes), key=lambda goal: (goal.pods.family, goal.pods.first, goal.pods.prefix))
    hops = {goal: _next_hops(goal.address, legs) for goal in goals}
    if topology:
        return {name: _group_routes(name, topology, hops) for name in sorted(routers)}
    return {
        name: [
            {"destination": str(goal.pods), "gateway": str(hops[goal][name])}
            for goal in goals
            if name in hops[goal]
        ]
        for name in sorted(routers)
    }


def router_refusals(
    nodes: Mapping[str, Mapping[str, Any]],
    routers: Mapping[str, Mapping[str, Any]],
    topology: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """Return why the routers cannot carry the pods of all nodes, as sentences that end with a fix.

    Takes what router_routes takes; of the facts `routes` and `advertised_default_routes` are read as well.
    """
    if not routers:
        return [
            "the group network_router has no host, and nobody would hold the routes to pods. Fix: name the "
            "routers there, or have routes on the hosts with cluster_network_backend_mode: host-routes."
        ]
    legs = _legs(routers)
    found = [*_unfit(nodes, routers, legs)]
    lost: dict[str, list[str]] = {}
    for goal in _goals(nodes):
        hops = _next_hops(goal.address, legs)
        if not hops:
            found.append(
                f"no router of the group network_router has {goal.node} ({goal.address}) on a link, and a "
                "route leads through a neighbour alone. Fix: name the router of its subnet there, or give "
                "one of them an address in that subnet."
            )
            continue
        for name in sorted(set(routers) - set(hops)):
            lost.setdefault(name, []).append(goal.node)
    for name, names in lost.items():
        found.append(
            f"the router {name} has neither {listed_names(sorted(set(names)))} on a link nor another router "
            "of the group network_router that leads there. Fix: connect it with one of them, or take it out "
            "of the group if no node sends to it."
        )
    return [*found, *_strangers(nodes, routers, topology)]


def router_interfaces(
    nodes: Mapping[str, Mapping[str, Any]], routers: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return {router: interfaces} on which a router has nodes, each by its name and sorted.

    There it sends a packet back out by which it came, when both nodes are in one subnet.
    """
    return {
        name: sorted(
            {leg.interface for leg in own for goal in _goals(nodes) if leg.network.holds(goal.address)}
        )
        for name, own in _legs(routers).items()
    }


def redirect_sysctls(interfaces: Sequence[str]) -> dict[str, int]:
    """Return the kernel's settings that forward packets and send no ICMP redirect (RFC 792, RFC 1812).

    A node that heeds one sends to the pods of its neighbour by itself, and past the router. The kernel sends
    them where the setting of all interfaces or that of the one is on (Linux, ip-sysctl.rst, send_redirects);
    a name with dots is written with slashes in their place (sysctl(8)).
    """
    settings = {"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.send_redirects": 0}
    for name in interfaces:
        settings[f"net.ipv4.conf.{name.replace('.', '/')}.send_redirects"] = 0
    return settings


def _goals(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[_Goal]:
    for name, node in sorted(nodes.items()):
        # Both lists have one entry per family, in the same order.
        for cidr, address in zip(node["pod_cidrs"], node["addresses"], strict=False):
            yield _Goal(name, parse_network(cidr), parse_address(address))


def _legs(routers: Mapping[str, Mapping[str, Any]]) -> dict[str, list[_Leg]]:
    return {
        name: [
            _Leg(interface["name"], *parse_interface(text))
            for interface in facts["interfaces"]
            if interface["up"]
            for text in interface["addresses"]
        ]
        for name, facts in sorted(routers.items())
    }


def _next_hops(goal: Address, legs: Mapping[str, Sequence[_Leg]]) -> dict[str, Address]:
    """Return the gateway of every router that has a way to the address, nearest routers first."""
    hops = {name: goal for name, own in legs.items() if any(leg.network.holds(goal) for leg in own)}
    nearest = list(hops)
    while nearest:
        found = {}
        for name in sorted(legs.keys() - hops.keys()):
            gateways = (
                leg.address
                for other in sorted(nearest)
                for leg in legs[other]
                if leg.address.family == goal.family and _is_link(leg, legs[name])
            )
            if gateway := next(gateways, None):
                found[name] = gateway
        hops |= found
        nearest = list(found)
    return hops


def _is_link(leg: _Leg, legs: Sequence[_Leg]) -> bool:
    """Return whether a leg of one router and those of another have a network in which each sees the other.

    What both have, such as a loopback address or that of a bridge for containers, is no way.
    """
    if any(own.address == leg.address for own in legs):
        return False
    return any(own.network.holds(leg.address) and leg.network.holds(own.address) for own in legs)


def _group_routes(
    router: str, topology: Sequence[Mapping[str, Any]], hops: Mapping[_Goal, Mapping[str, Address]]
) -> list[Route]:
    """Return the routes of one router: to groups of nodes, and to the nodes that it leads to itself."""
    inside: dict[tuple[str, str], list[_Goal]] = {}
    groups = {host: group["name"] for group in topology for host in group["hosts"]}
    for goal in hops:
        name = groups.get(goal.node, "")
        while name:
            inside.setdefault((name, goal.pods.family), []).append(goal)
            name = parent_of(name)
    found: dict[Network, Route] = {}
    split: set[tuple[str, str]] = {("", "ipv4"), ("", "ipv6")}
    for group in topology:
        for network in map(parse_network, group["cidrs"]):
            place, around = (group["name"], network.family), (parent_of(group["name"]), network.family)
            goals = inside.get(place, [])
            if around not in split or not goals:
                continue
            ways = {hops[goal].get(router) for goal in goals}
            (way, *others) = ways
            if not others and way is not None and all(goal.address != way for goal in goals):
                found[network] = {"destination": str(network), "gateway": str(way)}
                continue
            split.add(place)
            if not around[0]:
                found[network] = {"destination": str(network), "type": "unreachable"}
            for goal in goals if group["hosts"] else ():
                # Where one node has all of its group, the way to the node is the only one.
                if way := hops[goal].get(router):
                    found[goal.pods] = {"destination": str(goal.pods), "gateway": str(way)}
    return [found[network] for network in sorted(found)]


def _unfit(
    nodes: Mapping[str, Mapping[str, Any]],
    routers: Mapping[str, Mapping[str, Any]],
    legs: Mapping[str, Sequence[_Leg]],
) -> Iterator[str]:
    """Yield why a host cannot be a router between these nodes."""
    owners = {goal.address: goal.node for goal in _goals(nodes)}
    forwards_ipv6 = any(goal.pods.family == "ipv6" for goal in _goals(nodes))
    for name, own in legs.items():
        for leg in own:
            if node := owners.get(leg.address):
                yield (
                    f"the router {name} has {leg.address}, the address of {node}: a node is no router "
                    "between nodes. Fix: take it out of the group network_router."
                )
        devices = routers[name].get("advertised_default_routes", []) if forwards_ipv6 else []
        if devices:
            keys = ", ".join(f"net/ipv6/conf/{device}/accept_ra = 2" for device in devices)
            yield (
                f"the router {name} has its IPv6 default route from router advertisements, which the kernel "
                f"ignores once it forwards for pods. Fix: put {keys} into /etc/sysctl.conf there and run "
                "sysctl --load, or set a default route by hand."
            )


def _strangers(
    nodes: Mapping[str, Mapping[str, Any]],
    routers: Mapping[str, Mapping[str, Any]],
    topology: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Yield routes of others that a router has to pods, or to some: whose they are is not ours to decide."""
    networks = [goal.pods for goal in _goals(nodes)]
    networks += [parse_network(text) for group in topology for text in group["cidrs"]]
    for name, facts in sorted(routers.items()):
        for route in facts["routes"]:
            destination = parse_network(route["destination"])
            if str(route["protocol"]) != "157" and any(one.contains(destination) for one in networks):
                yield (
                    f"the router {name} has a route to {destination} already (protocol "
                    f"{route['protocol']}), which is not flatnet's. Fix: remove it, or plan other networks."
                )
