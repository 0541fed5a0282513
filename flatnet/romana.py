"""A node that is routed to by its group: its routes, and what stands in their way."""

from collections.abc import Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import parse_address, parse_interface, parse_network


def romana_routes(routes: Sequence[Mapping[str, str]], pod_cidrs: Sequence[str]) -> list[dict[str, str]]:
    """Return the routes of a node: those to others, and one that refuses what is for no pod of its own.

    Pods have routes to their single addresses. Without the refusal, what is for an address that no pod has
    would leave by the default route, and the routers would send it back here (RFC 4632, section 5.1).
    """
    return [
        *({"destination": cidr, "type": "unreachable"} for cidr in pod_cidrs),
        *map(dict, routes),
    ]


def romana_refusals(facts: Mapping[str, Any], routes: Sequence[Mapping[str, str]]) -> list[str]:
    """Return which gateways of the routes the host does not have on a link, as sentences with a fix.

    facts: of the host, with `interfaces` and `routes`.
    """
    links = [parse_interface(text)[1] for one in facts["interfaces"] for text in one["addresses"]]
    links += [
        parse_network(route["destination"])
        for route in facts["routes"]
        if route["device"] and not route["gateway"] and route["type"] == "unicast"
    ]
    gateways = dict.fromkeys(route["gateway"] for route in routes)
    return [
        f"the gateway {text} is on none of its links, and routes lead through neighbours alone. Fix: put the "
        "host into the group of cluster_pod_topology whose link it is on, or give that group gateways there."
        for text in gateways
        if not any(link.holds(parse_address(text)) for link in links)
    ]
