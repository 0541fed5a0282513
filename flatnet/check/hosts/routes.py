"""Faults of a node's routes: what is for pods is swallowed, or led elsewhere by another table than main."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from flatnet.check.facts import Cluster, all_of_family
from flatnet.check.hosts.fault import SERVICE_CLASSES, Fault
from flatnet.check.model import Finding, Json

_SWALLOWING = ("blackhole", "unreachable", "prohibit")


def route_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find routes that swallow what is for pods, and rules by which another table leads it elsewhere."""
    made = cluster.plan["backend"]["makes"]
    # Of tables and routes that the backend makes, it knows more than the plan.
    own = {str(entry["table"]) for entry in [*made["rules"], *made["routes"]] if entry.get("table")}
    for family in cluster.families:
        sources = own_addresses(cluster, node, family)
        # One route may hold the networks of many nodes.
        taken: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for other in cluster.nodes:
            # Its own pods may have routes of their own, and what is for none of them is refused.
            if other == node and made.get("pod_interfaces"):
                continue
            for network in all_of_family(cluster.plan["nodes"][other].get("pod_cidrs") or [], family):
                route, table = lookup(state, network, sources)
                if route is None or table in own:
                    continue
                if route["type"] in _SWALLOWING:
                    key = (table, f"the {route['type']} route to {route['destination']}", "")
                    taken.setdefault(key, []).append((other, network))
                elif table != "main":
                    key = (table, "", route["gateway"] or route["device"])
                    taken.setdefault(key, []).append((other, network))
        for (table, swallows, leads), networks in taken.items():
            yield _route_fault(node, family, (table, swallows, leads), networks)


def _route_fault(
    node: str, family: str, how: tuple[str, str, str], networks: Sequence[tuple[str, str]]
) -> Fault:
    table, swallows, leads = how
    pods = f"{networks[0][1]} (pods of {networks[0][0]})"
    if len(networks) > 1:
        pods = f"pods of {networks[0][0]} and {len(networks) - 1} more nodes"
    cause = (
        f"{swallows} on {node} swallows what is for {pods}"
        if swallows
        else f"the routing table {table}, which a rule names before main, leads what is for {pods} on {node} "
        f"to {leads}"
    )
    others = {other for other, _ in networks}

    def explains(finding: Finding) -> bool:
        ends = {finding["source"]["node"], finding["target"]["node"]}
        between = node in ends and (bool(ends & others - {node}) or (node in others and len(ends) == 1))
        services = node in ends and finding["class"] in SERVICE_CLASSES
        return bool(finding["error"]) and finding["family"] == family and (between or services)

    return Fault("routes", cause, f"ip rule; ip route show table {table} on {node}", explains)


def own_addresses(cluster: Cluster, node: str, family: str) -> list[str]:
    """Return the sources of what the node itself and its pods send to other nodes' pods, one of each."""
    entry = cluster.plan["nodes"][node]
    own = all_of_family(entry["addresses"], family)[:1]
    return own + [one.partition("/")[0] for one in all_of_family(entry.get("pod_cidrs") or [], family)]


def lookup(state: Json, network: str, sources: Sequence[str]) -> tuple[Json | None, str]:
    """Return the route that packets to a network take, and its table, as the kernel would find it.

    sources: addresses of which packets may come from; a rule that takes one of them counts. Rules that
    select by mark or interface are left out: whether they take a packet is not known here. A default route
    counts where a rule before main leads to it, and no further route does.
    """
    family = "ipv6" if ":" in network else "ipv4"
    rules = [rule for rule in state.get("rules") or [] if rule["family"] == family]
    tables = [
        rule["table"]
        for rule in sorted(rules, key=lambda rule: rule["priority"])
        if not rule["mark"]
        and not rule["input"]
        and not rule["output"]
        and not rule["inverted"]
        and rule["table"]
        and rule["table"] != "local"
        and not rule["action"]
        and (not rule["source"] or any(ip_address(one) in ip_network(rule["source"]) for one in sources))
        and (not rule["destination"] or _is_inside(network, rule["destination"]))
    ] or ["main"]
    for table in tables:
        matching = [
            route
            for route in state.get("routes") or []
            if route["table"] == table
            and route["family"] == family
            and _is_inside(network, route["destination"])
            and (table != "main" or route["destination"] not in ("0.0.0.0/0", "::/0"))
        ]
        if matching:
            best = max(matching, key=lambda route: ip_network(route["destination"], strict=False).prefixlen)
            if best["type"] != "throw":
                return best, table
    return None, ""


def _is_inside(network: str, other: str) -> bool:
    inner, outer = ip_network(network), ip_network(other, strict=False)
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen
