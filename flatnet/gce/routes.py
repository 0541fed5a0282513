"""Routes of a VPC network to the pods of nodes: which are wanted, which of those there are ours. Pure."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import parse_network

# What Google Cloud takes for the names of resources (RFC 1035, and no longer than that).
_NAME_LENGTH = 63
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]")
# A network has this MTU unless it was made with another one.
DEFAULT_MTU = 1460
# From here on a project's quota is likely to be met: what it is, only the project's own page tells.
MANY = 50
_PRIORITIES = range(65536)


@dataclass(frozen=True)
class Place:
    """Where the routes are, and what marks them as one cluster's.

    limit: how many static routes the network may have, of everybody.
    """

    project: str
    network: str
    cluster_name: str
    name_prefix: str = "flatnet"
    priority: int = 1000
    tags: tuple[str, ...] = ()
    limit: int = 250

    @property
    def network_path(self) -> str:
        """The network as the API names it, without the API's own address."""
        return f"projects/{self.project}/global/networks/{self.network}"

    @property
    def description(self) -> str:
        """What every route of the cluster says of itself, and no other route does."""
        return f"Pods of cluster {self.cluster_name}, by flatnet"


@dataclass(frozen=True, order=True)
class VpcRoute:
    """A route of a VPC network. next_hop_ip is empty for one that leads elsewhere than to an address."""

    name: str
    network: str
    destination: str
    next_hop_ip: str
    priority: int
    tags: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class Instance:
    """What is asked of the machine behind a node's address."""

    name: str
    address: str
    network: str
    can_ip_forward: bool


@dataclass(frozen=True)
class Changes:
    """What makes the network's routes those that are wanted. None changes: another takes its place."""

    inserted: tuple[VpcRoute, ...]
    deleted: tuple[VpcRoute, ...]

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self.inserted or self.deleted)


def place_faults(place: Place) -> list[str]:
    """Return what the API would not take, as sentences that end with a fix."""
    found = []
    if not _PROJECT.fullmatch(place.project):
        found.append(
            f"gce_routes_project {place.project!r} is no ID of a project. Fix: use the ID, not the name or "
            "the number."
        )
    for key, names in (
        ("network", [place.network]),
        ("name_prefix", [place.name_prefix]),
        ("tags", place.tags),
    ):
        found += [
            f"gce_routes_{key} {name!r} is no name of a resource. Fix: use small letters, digits and "
            f"hyphens, a letter first, {_NAME_LENGTH} at most."
            for name in names
            if not _NAME.fullmatch(name)
        ]
    if place.priority not in _PRIORITIES:
        found.append(f"gce_routes_priority {place.priority} is out of range. Fix: use 0 to 65535.")
    return found


def wanted_routes(nodes: Mapping[str, Mapping[str, Any]], place: Place) -> list[VpcRoute]:
    """Return one route for each node's pod network, through the node's address; by name.

    nodes: those of the plan, by inventory name. Raises FlatnetError for a pod network of IPv6, which this
    does not do.
    """
    found = []
    for _, node in sorted(nodes.items()):
        for cidr, address in zip(node["pod_cidrs"], node["addresses"], strict=False):
            if parse_network(cidr).family != "ipv4":
                raise FlatnetError(
                    f"node {node['name']} has the pod network {cidr}, and routes in Google Cloud are made "
                    "for IPv4 alone here; plan pods of IPv4, or use a backend with a tunnel"
                )
            found.append(_route(str(node["name"]), str(cidr), str(address), place))
    return sorted(found)


def _route(node: str, cidr: str, address: str, place: Place) -> VpcRoute:
    # Routes cannot be changed. One with other contents has another name, so that it can be there before the
    # old one goes.
    contents = " ".join([cidr, address, str(place.priority), *place.tags, place.network_path, node])
    digest = hashlib.sha256(contents.encode()).hexdigest()[:8]
    head = re.sub(r"[^a-z0-9-]", "-", f"{place.name_prefix}-{place.cluster_name}-{node}".lower())
    name = f"{head[: _NAME_LENGTH - 9].rstrip('-')}-{digest}"
    return VpcRoute(name, place.network_path, cidr, address, place.priority, place.tags, place.description)


def is_ours(route: VpcRoute, place: Place) -> bool:
    """Tell whether a route is one of the cluster's: by its name and by what it says of itself."""
    return route.name.startswith(f"{place.name_prefix}-") and route.description == place.description


def route_changes(wanted: Iterable[VpcRoute], found: Iterable[VpcRoute], place: Place) -> Changes:
    """Return what is to be inserted and what deleted. Routes of others are neither."""
    ours = {route for route in found if is_ours(route, place)}
    asked = set(wanted)
    return Changes(tuple(sorted(asked - ours)), tuple(sorted(ours - asked)))


def route_refusals(
    wanted: Sequence[VpcRoute],
    found: Sequence[VpcRoute],
    instances: Sequence[Instance],
    place: Place,
    mtus: tuple[int, int],
) -> list[str]:
    """Return what stands in the way in the cloud, as sentences that end with a fix.

    found: the routes of the project; instances: those of the project; mtus: the plan's MTU between the nodes
    and that of the network.
    """
    return [
        *_strangers(wanted, found, place),
        *_too_many(wanted, found, place),
        *_machines(wanted, instances, place),
        *mtu_refusals(*mtus),
    ]


def mtu_refusals(planned: int, network: int = DEFAULT_MTU) -> list[str]:
    """Return what is wrong with a planned MTU between the nodes, in a network with that MTU."""
    if planned <= network:
        return []
    return [
        f"the MTU between the nodes is planned as {planned}, and the VPC network has {network}: larger "
        f"packets are lost. Fix: set cluster_underlay_mtu: {network}, or give the network a larger MTU."
    ]


def count_warnings(wanted: Sequence[VpcRoute]) -> list[str]:
    """Return what is to be said of many routes."""
    if len(wanted) <= MANY:
        return []
    return [
        f"{len(wanted)} routes are wanted in the VPC network; look at the project's quota of static routes "
        "before, since nodes beyond it have no route"
    ]


def _strangers(wanted: Sequence[VpcRoute], found: Sequence[VpcRoute], place: Place) -> Iterator[str]:
    ours = {parse_network(route.destination): route for route in wanted}
    names = {route.name for route in wanted}
    for route in found:
        if is_ours(route, place):
            continue
        if route.name in names:
            yield (
                f"the project has a route {route.name} that is not flatnet's. Fix: choose another "
                "gce_routes_name_prefix."
            )
        elif route.network == place.network_path and ":" not in route.destination:
            destination = parse_network(route.destination)
            # A narrower one would take packets out of ours.
            taken = [str(network) for network in ours if network.contains(destination)]
            if taken:
                yield (
                    f"the route {route.name} of others leads {route.destination} elsewhere, which is in the "
                    f"pod network {taken[0]}. Fix: remove it, or plan other networks."
                )


def _too_many(wanted: Sequence[VpcRoute], found: Sequence[VpcRoute], place: Place) -> Iterator[str]:
    others = sum(route.network == place.network_path and not is_ours(route, place) for route in found)
    if others + len(wanted) > place.limit:
        yield (
            f"{len(wanted)} routes to pods and {others} of others are more than the {place.limit} that "
            "gce_routes_limit lets the network have. Fix: ask for a larger quota of static routes and say so "
            "there, or use a backend with a tunnel."
        )


def _machines(wanted: Sequence[VpcRoute], instances: Sequence[Instance], place: Place) -> Iterator[str]:
    there = {one.address: one for one in instances if one.network == place.network_path}
    for route in wanted:
        machine = there.get(route.next_hop_ip)
        if machine is None:
            yield (
                f"no instance of project {place.project} has the address {route.next_hop_ip} in the network "
                f"{place.network}, which the route to {route.destination} leads through. Fix: set "
                "node_address to the address that the instance has there."
            )
        elif not machine.can_ip_forward:
            yield (
                f"the instance {machine.name} ({machine.address}) may not forward packets (canIpForward), "
                "and Google Cloud drops what is not from or to its own address. Fix: set canIpForward on it, "
                "with `gcloud compute instances update-from-file`, or make it anew with --can-ip-forward."
            )
