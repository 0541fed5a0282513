"""Faults of a node's VXLAN tunnel: one of its peers is not at its other end, or needs none."""

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatch
from ipaddress import ip_address, ip_interface

from flatnet.check.facts import Cluster, all_of_family
from flatnet.check.hosts.fault import NOT_FORWARDED, Fault, backend_interfaces
from flatnet.check.hosts.routes import lookup, own_addresses
from flatnet.check.model import Finding, Json

# Whatever has no entry of its own goes there (ip-link(8), bridge(8): vxlan).
_DEFAULT = "00:00:00:00:00:00"


def tunnel_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find peers whose tunnel end has no neighbour entry, or no forwarding entry, or a wrong one.

    Of a route through a VXLAN interface the gateway's hardware address is that of the peer's interface, and a
    forwarding entry leads from it to the peer's own address (Linux, drivers/net/vxlan).
    """
    patterns = backend_interfaces(cluster.plan)
    tunnels = {
        entry["name"]
        for entry in state.get("interfaces") or []
        if entry["kind"] == "vxlan" and any(fnmatch(entry["name"], pattern) for pattern in patterns)
    }
    links = _links(state, tunnels) if cluster.plan["backend"].get("node_links") == "direct" else []
    for family in cluster.families if tunnels else ():
        sources = own_addresses(cluster, node, family)
        for other in cluster.nodes:
            networks = all_of_family(cluster.plan["nodes"][other].get("pod_cidrs") or [], family)
            for network in networks if other != node else ():
                route, _ = lookup(state, network, sources)
                if route and route["device"] in tunnels and route["gateway"]:
                    addresses = cluster.plan["nodes"][other]["addresses"]
                    if _is_near(cluster.node_address(other, family), links):
                        yield _detour(node, other, route["device"])
                    problem = _problem(state, route["device"], route["gateway"], addresses)
                    if problem:
                        yield _fault(node, other, route["device"], problem)


def _links(state: Json, tunnels: Collection[str]) -> list[str]:
    """Return the networks that the node has on its links; those inside tunnels are none."""
    return [
        address
        for entry in state.get("interfaces") or []
        for address in (entry["addresses"] if entry["name"] not in tunnels else ())
    ]


def _is_near(address: str, links: Sequence[str]) -> bool:
    return bool(address) and any(ip_address(address) in ip_interface(link).network for link in links)


def _detour(node: str, other: str, device: str) -> Fault:
    return Fault(
        "tunnels",
        f"what {node} sends to pods of {other} takes the tunnel {device}, though the two are on one link",
        f"ip route show dev {device} on {node}, and what keeps the routes",
        # It arrives all the same.
        lambda _finding: False,
    )


def _problem(state: Json, device: str, gateway: str, addresses: Sequence[str]) -> str:
    known = [one for one in state.get("neighbours") or [] if one["device"] == device]
    mac = next((one["mac"] for one in known if one["address"] == gateway), "")
    if not mac:
        return f"has no neighbour {gateway}"
    entries = [one for one in state.get("tunnel_ends") or [] if one["device"] == device]
    ends = [one["address"] for one in entries if one["mac"] == mac]
    ends = ends or [one["address"] for one in entries if one["mac"] == _DEFAULT]
    if not ends:
        return f"has no forwarding entry for {mac}"
    return "" if set(ends) & set(addresses) else f"leads to {ends[0]}, which is not {addresses[0]}"


def _fault(node: str, other: str, device: str, problem: str) -> Fault:
    def explains(finding: Finding) -> bool:
        ends = {finding["source"]["node"], finding["target"]["node"]}
        return (
            bool(finding["error"])
            and node in ends
            and (other in ends or len(ends) == 1)
            and _travels(finding)
        )

    return Fault(
        "tunnels",
        f"the tunnel {device} of {node} does not lead to {other}: it {problem}",
        f"bridge fdb show dev {device}; ip neighbour show dev {device} on {node}, and what keeps them",
        explains,
    )


def _travels(finding: Finding) -> bool:
    return finding["class"] not in NOT_FORWARDED
