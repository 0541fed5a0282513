"""Diagnoses of answers that did not come."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from flatnet.check.clues import BASE_CLASSES, Clues, Diagnosis, ends
from flatnet.check.diagnosis_hosts import filtered
from flatnet.check.hosts.fault import SERVICE_CLASSES
from flatnet.check.model import Finding
from flatnet.contract.words import is_pattern
from flatnet.plan.routes import node_routes

_FORWARDING = {"ipv4": "net.ipv4.ip_forward", "ipv6": "net.ipv6.conf.all.forwarding"}


def source_pod_unreachable(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Tell the way from a node to its own probe, which carries the question, from the way in question."""
    del clues
    if finding["error"] != "source":
        return None
    node = finding["source"]["node"]
    return (
        f"{node} does not reach its own pods",
        f"ip address, ip route and nft list ruleset on {node}: the bridge, its address, what filters it",
    )


def underlay(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Blame the underlay for what also fails without any pod network in between."""
    source, target = ends(finding)
    if not finding["error"] or not clues.has_failed("node_to_node", source, target):
        return None
    address = clues.cluster.node_address(target, finding["family"])
    return filtered(finding, clues) or (
        f"{source} does not reach {target} itself",
        f"ping {address} on {source}; firewalls between the nodes",
    )


def forwarding(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name a node that does not forward: its pods are cut off."""
    setting = _FORWARDING[finding["family"]]
    if not finding["error"]:
        return None
    for node in ends(finding):
        # A control-plane host that is not a node has nobody to forward for.
        if node in clues.cluster.nodes and (clues.on(node).get("settings") or {}).get(setting) == "0":
            return f"{node} does not forward packets", f"sysctl {setting} on {node}"
    return None


def route(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name a missing or diverted route between two nodes, there or back."""
    source, target = ends(finding)
    nodes = clues.cluster.plan["nodes"]
    if not finding["error"] or source not in nodes or target not in nodes or source == target:
        return None
    there = finding["target"]["kind"] == "pod" and _way(source, target, finding["target"]["address"], clues)
    back = finding["source"]["kind"] == "pod" and _way(target, source, finding["source"]["address"], clues)
    return there or back or None


def _way(here: str, there: str, address: str, clues: Clues) -> Diagnosis | None:
    """Return what is wrong with the route on node `here` to the pod address on node `there`."""
    routes = clues.on(here).get("routes")
    if not routes or not address:
        return None
    plan = clues.cluster.plan
    cidrs = plan["nodes"][there].get("pod_cidrs") or []
    network = next((cidr for cidr in cidrs if ip_address(address) in ip_network(cidr)), "")
    # Where the backend hands out addresses, a node has no network by which to name them.
    pods = f"{network} (pods of {there})" if network else f"pods of {there}"
    look = f"ip route get {address} on {here}"
    matching = [
        entry for entry in routes if entry["table"] == "main" and _covers(entry["destination"], address)
    ]
    if not matching:
        return f"no route to {pods} on {here}", _restart(plan["backend"], here) or look
    best = max(matching, key=lambda entry: ip_network(entry["destination"], strict=False).prefixlen)
    if best["type"] != "unicast":
        return (
            f"the {best['type']} route to {best['destination']} on {here} swallows what is for {pods}",
            look,
        )
    # One may lead to all pods of a group, and so to other nodes' as well.
    planned = [
        entry["gateway"] for entry in node_routes(plan, here) if _covers(entry["destination"], address)
    ]
    if plan["backend"]["routes"] != "plan" or not planned or best["gateway"] == planned[0]:
        return None
    leads_to = best["gateway"] or best["device"]
    return (
        f"the route to {pods} on {here} leads to {leads_to}, the plan says {planned[0]}",
        look,
    )


def _restart(backend: Mapping[str, Any], node: str) -> str:
    """Return how the backend's own daemons set their routes again, "" where the routes are the plan's."""
    if backend["routes"] != "backend" or not backend.get("units"):
        return ""
    return f"systemctl restart {' '.join(backend['units'])} on {node}: it sets its routes when it starts"


def _covers(destination: str, address: str) -> bool:
    """Tell whether a route holds an address; a default route leads to the world, not to pods."""
    network = ip_network(destination, strict=False)
    return network.prefixlen > 0 and ip_address(address) in network


def cut_off(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the one node whose pods no other node reaches, while itself it is reached: its backend's part."""
    node = clues.common_node("pod_to_pod_other_node")
    if not finding["error"] or finding["class"] not in BASE_CLASSES or node not in ends(finding):
        return None
    if clues.any_failed("node_to_node", node) or clues.has_failed("pod_to_pod_same_node", node, node):
        return None
    backend = clues.cluster.plan["backend"]
    interfaces = backend.get("makes", {}).get("interfaces", {}).values()
    names = [one["name"] for one in interfaces if one["carries"] != "nothing" and not is_pattern(one["name"])]
    looks = [f"ip -details link show {name}; bridge link" for name in names]
    looks += [f"journalctl -u {unit}" for unit in backend.get("units") or ()]
    return (
        f"pods of {node} are cut off from the other nodes, which do reach {node} itself",
        f"{'; '.join(looks) or 'ip -details link; ip route'} on {node}",
    )


def protocol(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name UDP where TCP passes on the same way."""
    source, target = ends(finding)
    if finding["protocol"] != "udp" or not finding["error"]:
        return None
    if not clues.has_passed(finding["class"], "http", source, target):
        return None
    # A service leads to a pod of any node, and the next time to another one.
    if not finding["target"]["node"] and clues.roots:
        return None
    node = clues.common_node("udp")
    if node:
        return (
            f"UDP does not pass {node}, TCP does",
            f"firewalls on {node} and in front of it: nft list ruleset",
        )
    look = f"firewalls on and between {source} and {target}"
    return f"TCP passes from {source} to {target}, UDP does not", look


def hairpin_mode(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the bridge port that does not send a packet back where it came from."""
    source = finding["source"]["node"]
    if finding["class"] != "hairpin" or not finding["error"] or clues.any_failed_from("cluster_ip", source):
        return None
    return (
        f"pods on {source} cannot reach themselves through a service: hairpin mode is off",
        f"hairpinMode in /etc/cni/net.d on {source}; bridge -d link",
    )


def not_translated(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the node whose pods the outside cannot answer."""
    del clues
    node = finding["source"]["node"]
    if finding["class"] != "pod_to_outside" or not finding["error"]:
        return None
    family = {"ipv4": "ip", "ipv6": "ip6"}[finding["family"]]
    return (
        f"what pods on {node} send out of the cluster is not answered: nothing gives it the node's address",
        f"nft list table {family} flatnet_masquerade on {node}; a firewall of the controller",
    )


def bridge_bypass(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the setting without which answers between pods of one bridge pass the services' rules by."""
    node = finding["source"]["node"]
    if not finding["error"] or finding["class"] not in SERVICE_CLASSES:
        return None
    # What is below the services comes first.
    if any(one in clues.roots for one in ends(finding)):
        return None
    if (clues.on(node).get("settings") or {}).get("net.bridge.bridge-nf-call-iptables") != "0":
        return None
    return (
        f"bridged packets pass kube-proxy's rules by on {node}",
        f"sysctl net.bridge.bridge-nf-call-iptables on {node}",
    )
