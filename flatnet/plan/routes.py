"""Routes between the nodes. n nodes have n² of them, so the plan holds none: each node's are derived."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Network, parse_network
from flatnet.plan.group_routes import ways_of


def is_routed(groups: Collection[str], control_plane_routes: bool) -> bool:
    """Tell whether a host of these groups has a way to the pods of others.

    Nodes have, and so have control-plane hosts, whose API server calls webhooks in pods, where the backend
    can make them on a host that is not a node.
    """
    return "kube_node" in groups or (control_plane_routes and "kube_control_plane" in groups)


def node_routes(plan: Mapping[str, Any], node: str) -> list[dict[str, str]]:
    """Return the routes of one host of the plan: {destination, gateway} to the pods of every other node.

    Where the plan has a `pod_topology`, one leads to each other group as a whole, and those to single nodes
    to the host's own group alone. They are in the order of the families, then by destination. `node` is the
    inventory name. Hosts of etcd alone have none, and nobody has any where the backend makes the routes.
    Raises FlatnetError for a host that is not in the plan.
    """
    planned = plan["nodes"].get(node)
    if planned is None:
        raise FlatnetError(f"there is no host {node!r} in the plan; plan again with the present inventory")
    backend = plan["backend"]
    if backend["routes"] != "plan" or not is_routed(planned["groups"], backend["control_plane_routes"]):
        return []
    order = {str(family): index for index, family in enumerate(plan["families"])}
    found: list[tuple[int, Network, str, str]] = []
    for destinations, gateways in _ends(plan, node):
        # Both lists have one entry per family, in the same order.
        for destination, gateway in zip(destinations, gateways, strict=False):
            network = parse_network(destination)
            found.append((order[network.family], network, destination, gateway))
    return [{"destination": destination, "gateway": gateway} for _, _, destination, gateway in sorted(found)]


def _ends(plan: Mapping[str, Any], node: str) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield what routes of the host lead to: networks of pods, and gateways."""
    nodes = plan["nodes"]
    topology = plan.get("pod_topology")
    ways = ways_of(topology, nodes, node) if topology else None
    for name in ways.hosts if ways else nodes:
        if name != node:
            yield nodes[name]["pod_cidrs"], nodes[name]["addresses"]
    if ways:
        for group in ways.groups:
            yield group["cidrs"], ways.own["gateways"]
