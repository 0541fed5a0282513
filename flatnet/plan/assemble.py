"""Put the plan together: plain data, in the order of the families, the same for any order of the hosts."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import WIDTH, network_texts
from flatnet.plan.allocations import Allocations, Entry
from flatnet.plan.contract import PLANNER_KEYS, Contract
from flatnet.plan.derive import apiserver_sans
from flatnet.plan.flags import cluster_flags, service_cidr_objects
from flatnet.plan.hosts import Host
from flatnet.plan.rules import Resolved
from flatnet.plan.settings import Settings

Plan = dict[str, Any]

_GROUPS = ("etcd", "kube_control_plane", "kube_node")


def wanted_sans(settings: Settings, hosts: Sequence[Host], resolved: Resolved) -> dict[str, list[str]]:
    """Return the names and addresses that the API server's certificate must have."""
    masters = [host for host in hosts if "kube_control_plane" in host.groups]
    return apiserver_sans(
        settings.dns_domain,
        [str(network) for network in resolved.services],
        [host.node_name for host in masters],
        [address for host in masters for address in resolved.texts[host.inventory_name]],
        [*settings.apiserver_endpoints, *settings.extra_apiserver_sans],
    )


def cluster_part(settings: Settings, resolved: Resolved) -> Plan:
    """Return the keys of the plan that no host has a part in; what is deployed is held against them."""
    return {
        "cluster_name": settings.cluster_name,
        "families": list(resolved.families),
        "dns_domain": settings.dns_domain,
        "pod_cidrs": [str(network) for network in resolved.pods],
        "service_cidrs": [str(network) for network in resolved.services],
        "dns_addresses": [str(address) for address in resolved.dns],
    }


def assemble(
    settings: Settings,
    hosts: Sequence[Host],
    contract: Contract,
    resolved: Resolved,
    allocations: Allocations,
) -> Plan:
    """Return the plan without its MTU. `hosts` are sorted by name and without a finding."""
    entries = allocations.nodes if contract.ipam == "plan" else {}
    part = cluster_part(settings, resolved)
    return {
        **part,
        **_extra_services(resolved),
        "node_prefixes": list(resolved.node_prefixes.values()),
        "first_service_addresses": [network.nth_address(1) for network in resolved.services],
        "node_port_range": settings.node_port_range,
        "backend": copy.deepcopy({k: v for k, v in contract.data.items() if k not in PLANNER_KEYS}),
        "kube_proxy_mode": settings.kube_proxy_mode,
        "apiserver_sans": wanted_sans(settings, hosts, resolved),
        "nodes": nodes_part(hosts, resolved, entries),
        "masquerade": {
            "pod_cidrs": list(part["pod_cidrs"]),
            "not_to": [*part["pod_cidrs"], *_host_networks(resolved)],
        },
        **cluster_flags(
            settings, resolved.pods, resolved.services, resolved.node_prefixes, part["dns_addresses"]
        ),
    }


def _extra_services(resolved: Resolved) -> Plan:
    """Return the keys about further service networks, which are there when there are any."""
    if not resolved.extra_services:
        return {}
    return {
        "extra_service_cidrs": [str(network) for network in resolved.extra_services],
        "service_cidr_objects": service_cidr_objects(resolved.extra_services),
    }


def _host_networks(resolved: Resolved) -> list[str]:
    """Return every node address as a network of one, in the order of the families, then by number."""
    networks = []
    for index, (family, values) in enumerate(resolved.addresses.items()):
        ordered = sorted((value, resolved.texts[name][index]) for name, value in values.items())
        networks += [f"{text}/{WIDTH[family]}" for _, text in ordered]
    return networks


def nodes_part(hosts: Sequence[Host], resolved: Resolved, entries: Mapping[str, Entry]) -> dict[str, Any]:
    """Return the plan's `nodes` for these hosts; `entries` is node name -> its pod networks."""
    families = resolved.families
    only = families[0] if len(families) == 1 else None
    nodes: dict[str, Any] = {}
    groups = {members: [g for g in _GROUPS if g in members] for members in {host.groups for host in hosts}}
    for host in hosts:
        members = host.groups
        entry = entries.get(host.node_name) if "kube_node" in members else None
        if not entry:
            cidrs, gateways, tunnels = [], [], []
        elif only:
            # One family is the most common case, and worth its own lines among a hundred thousand nodes.
            cidr, tunnel, gateway = network_texts(entry[only])
            cidrs, gateways, tunnels = [cidr], [gateway], [tunnel]
        else:
            texts = [network_texts(entry[family]) for family in families]
            cidrs, tunnels, gateways = map(list, zip(*texts, strict=True))
        node: dict[str, Any] = {
            "name": host.node_name,
            "groups": [*groups[members]],
            "addresses": resolved.texts[host.inventory_name],
            "pod_cidrs": cidrs,
            "pod_gateways": gateways,
            "tunnel_addresses": tunnels,
        }
        if host.max_pods is not None:
            node["max_pods"] = host.max_pods
        nodes[host.inventory_name] = node
    return nodes
