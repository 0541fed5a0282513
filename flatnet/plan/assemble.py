"""Put the plan together: plain data, in the order of the families, the same for any order of the hosts."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import WIDTH, Family, network_columns
from flatnet.plan.allocations import Allocations, Entry
from flatnet.plan.chosen import Chosen
from flatnet.plan.derive import apiserver_sans
from flatnet.plan.endpoint import Endpoint
from flatnet.plan.flags import cluster_flags, service_cidr_objects
from flatnet.plan.host_rules import is_apart
from flatnet.plan.hosts import Host
from flatnet.plan.needs import needs_part
from flatnet.plan.routes import is_routed
from flatnet.plan.rules import Resolved
from flatnet.settings import Settings

Plan = dict[str, Any]

_GROUPS = ("etcd", "kube_control_plane", "kube_node")


def wanted_sans(
    settings: Settings, hosts: Sequence[Host], resolved: Resolved, endpoint: Endpoint
) -> dict[str, list[str]]:
    """Return the names and addresses that the API server's certificate must have."""
    masters = [host for host in hosts if "kube_control_plane" in host.groups]
    return apiserver_sans(
        settings.dns_domain,
        [str(network) for network in resolved.services],
        [host.node_name for host in masters],
        [address for host in masters for address in resolved.texts[host.inventory_name]],
        [endpoint.address, *settings.apiserver_endpoints, *settings.extra_apiserver_sans],
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
    chosen: Chosen,
    resolved: Resolved,
    allocations: Allocations,
    endpoint: Endpoint,
) -> Plan:
    """Return the plan without its MTU. `hosts` are sorted by name and without a finding."""
    entries = allocations.nodes if chosen.backend.ipam == "plan" else {}
    part = cluster_part(settings, resolved)
    return {
        **part,
        **_extra_services(resolved),
        "node_prefixes": list(resolved.node_prefixes.values()),
        "first_service_addresses": [network.nth_address(1) for network in resolved.services],
        "node_port_range": settings.node_port_range,
        "api_port": settings.api_port,
        "dns_upstreams": list(settings.dns_upstreams),
        "programs": {
            "source": settings.programs_source,
            "exceptions": dict(sorted(settings.programs_exceptions.items())),
            "directory": settings.programs_directory,
            "releases": settings.programs_releases,
        },
        "backend": copy.deepcopy(dict(chosen.backend.data)),
        "policy_engine": copy.deepcopy(chosen.policy_part()),
        "needs": needs_part(chosen.used),
        "kube_proxy_mode": settings.kube_proxy_mode,
        "api_endpoint": endpoint.data,
        "apiserver_sans": wanted_sans(settings, hosts, resolved, endpoint),
        "nodes": nodes_part(hosts, resolved, entries),
        "masquerade": {
            "pod_cidrs": list(part["pod_cidrs"]),
            "not_to": [
                *part["pod_cidrs"],
                *_host_networks(hosts, chosen.backend.control_plane_routes, resolved),
                *map(str, resolved.non_masquerade),
            ],
        },
        **cluster_flags(
            settings,
            resolved.pods,
            resolved.services,
            resolved.node_prefixes,
            part["dns_addresses"],
            calls_pods=chosen.backend.control_plane_routes and any(map(is_apart, hosts)),
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


def _host_networks(hosts: Sequence[Host], control_plane_routes: bool, resolved: Resolved) -> list[str]:
    """Return the addresses of the hosts that have a way to pods, as networks of one.

    They are in the order of the families, then by number. What a pod sends to a host of etcd, or to a control
    plane without routes, has to come from its node's address, or no answer finds the pod.
    """
    apart = {host.inventory_name for host in hosts if not is_routed(host.groups, control_plane_routes)}
    networks = []
    for family, owned in resolved.addresses.items():
        end = f"/{WIDTH[family]}"
        networks += [text + end for _, name, text in owned if name not in apart]
    return networks


def nodes_part(hosts: Sequence[Host], resolved: Resolved, entries: Mapping[str, Entry]) -> dict[str, Any]:
    """Return the plan's `nodes` for these hosts; `entries` is node name -> its pod networks."""
    groups = {members: [g for g in _GROUPS if g in members] for members in {host.groups for host in hosts}}
    own = [entries.get(host.node_name) if "kube_node" in host.groups else None for host in hosts]
    rows = _pod_texts(resolved.families, [entry for entry in own if entry])
    if not all(own):
        with_pods = rows
        rows = (next(with_pods) if entry else ([], [], []) for entry in own)
    nodes: dict[str, Any] = {
        host.inventory_name: {
            "name": host.node_name,
            "groups": groups[host.groups].copy(),
            "addresses": resolved.texts[host.inventory_name],
            "pod_cidrs": cidrs,
            "pod_gateways": gateways,
            "tunnel_addresses": tunnels,
        }
        for host, (cidrs, tunnels, gateways) in zip(hosts, rows, strict=True)
    }
    for host in hosts:
        if host.max_pods is not None:
            nodes[host.inventory_name]["max_pods"] = host.max_pods
    return nodes


def _pod_texts(families: Sequence[Family], entries: Sequence[Entry]) -> Iterator[tuple[list[str], ...]]:
    """Return per entry the texts of its networks, of their first addresses, and of those after them."""
    columns = [network_columns(entry[family] for entry in entries) for family in families]
    return zip(*(map(list, zip(*kind, strict=True)) for kind in zip(*columns, strict=True)), strict=True)
