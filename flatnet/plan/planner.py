"""The planner: settings, hosts, a backend's contract and the allocations so far -> the plan."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, Address, Family, Network, address_text, parse_network
from flatnet.plan.allocations import Allocations, Entry, Request, allocate
from flatnet.plan.contract import Contract
from flatnet.plan.derive import apiserver_sans, cluster_flags, pod_mtu
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.host_rules import resolve_hosts
from flatnet.plan.live import check_live, resolve_mtu
from flatnet.plan.rules import Resolved, resolve_settings
from flatnet.plan.settings import Host, Settings, read_hosts

Plan = dict[str, Any]

_GROUPS = ("etcd", "kube_control_plane", "kube_node")


class Planned(NamedTuple):
    """The plan (JSON-able), the allocations that belong to it, and warnings as lines."""

    plan: Plan
    allocations: Allocations
    warnings: list[str]


def plan_network(
    settings: Settings, hosts: Sequence[Host], contract: Contract, allocations: Allocations | None = None
) -> Plan:
    """Return the plan, the same bytes whatever the order of the hosts.

    Raises FlatnetError that lists every finding: rule, value, reason and fix.
    """
    return prepare_plan(settings, hosts, contract, allocations).plan


def plan_from_data(settings: object, hosts: object, contract: object, allocations: object = None) -> Planned:
    """Plan from plain data, as Ansible has it. Raises FlatnetError as plan_network does."""
    findings = Findings()
    read_settings = Settings.from_mapping(settings, findings)
    read = read_hosts(hosts, findings)
    findings.raise_if_any()
    ledger = allocations if isinstance(allocations, Allocations) else Allocations.from_mapping(allocations)
    return prepare_plan(read_settings, read, Contract.from_mapping(contract), ledger)


def prepare_plan(
    settings: Settings, hosts: Sequence[Host], contract: Contract, allocations: Allocations | None = None
) -> Planned:
    """Return the plan, the allocations to record and warnings. Raises FlatnetError as plan_network does."""
    findings = Findings()
    before = allocations or Allocations()
    ordered = sorted(hosts, key=lambda host: host.inventory_name)
    resolved = resolve_settings(settings, contract, findings)
    resolve_hosts(ordered, resolved, findings)
    pins = _pins(ordered, resolved, findings)
    # Broken settings cannot be allocated from; what they would lead to is no finding of its own.
    sound = not findings.found or _pools_are_sound(findings)
    after = before
    if contract.ipam == "plan" and sound:
        nodes = frozenset(host.node_name for host in ordered if "kube_node" in host.groups)
        pools = {
            network.family: (network, prefix)
            for network, prefix in zip(resolved.pods, resolved.node_prefixes, strict=True)
        }
        after = allocate(Request(pools, nodes, pins, settings.max_pods), before, findings)
    underlay_mtu = resolve_mtu(settings, ordered, resolved, findings)
    mtu = _mtu(underlay_mtu, contract, resolved, findings)
    if sound:
        check_live(ordered, resolved, after.nodes, contract, settings.kube_proxy_mode, findings)
    findings.raise_if_any()
    entries = after.nodes if contract.ipam == "plan" else {}
    plan = _assemble(settings, ordered, contract, resolved, entries)
    plan |= {"underlay_mtu": underlay_mtu, "mtu": mtu}
    return Planned(dict(sorted(plan.items())), after, findings.warnings())


_UNSOUND = frozenset(
    {
        "network-format",
        "network-missing",
        "family-twice",
        "node-prefix",
        "node-prefix-count",
        "host-duplicate",
    }
)


def _pools_are_sound(findings: Findings) -> bool:
    return not any(finding.rule in _UNSOUND for finding in findings.found)


def _pins(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> dict[str, Entry]:
    pins: dict[str, Entry] = {}
    for host in hosts:
        entry: Entry = {}
        for text in host.pod_cidr_pins:
            place = f"{host.inventory_name}: pod_cidr {text!r}"
            try:
                network = parse_network(text)
            except FlatnetError as error:
                findings.add("pin-format", place, *split_error(error, text))
                continue
            if network.family in entry:
                findings.add(
                    "pin-format", place, f"it is a second {network.family} pin", "give one per family"
                )
            elif resolved.pods and network.family not in resolved.families:
                findings.add("pin-format", place, f"there are no {network.family} pods", "remove the pin")
            else:
                entry[network.family] = network
        if entry and "kube_node" in host.groups:
            pins[host.node_name] = entry
        elif entry:
            findings.warn(
                "pin-unused",
                f"{host.inventory_name}: pod_cidr",
                "the host is not in kube_node",
                "remove the pin",
            )
    return pins


def _mtu(underlay_mtu: int, contract: Contract, resolved: Resolved, findings: Findings) -> int:
    if not resolved.pods:
        return underlay_mtu
    try:
        return pod_mtu(underlay_mtu, contract.overhead, resolved.families)
    except FlatnetError as error:
        reason, _, fix = str(error).partition("; ")
        findings.add("pod-mtu", f"underlay_mtu {underlay_mtu}", reason, fix)
        return underlay_mtu


def _assemble(
    settings: Settings,
    hosts: Sequence[Host],
    contract: Contract,
    resolved: Resolved,
    entries: Mapping[str, Entry],
) -> Plan:
    families = resolved.families
    texts = {
        host.inventory_name: [str(resolved.addresses[host.inventory_name][family]) for family in families]
        for host in hosts
    }
    masters = [host for host in hosts if "kube_control_plane" in host.groups]
    services = [str(network) for network in resolved.services]
    pods = [str(network) for network in resolved.pods]
    dns = [str(address) for address in resolved.dns]
    return {
        "cluster_name": settings.cluster_name,
        "families": list(families),
        "dns_domain": settings.dns_domain,
        "pod_cidrs": pods,
        "service_cidrs": services,
        "node_prefixes": list(resolved.node_prefixes),
        "first_service_addresses": [network.nth_address(1) for network in resolved.services],
        "dns_addresses": dns,
        "node_port_range": settings.node_port_range,
        "backend": copy.deepcopy(dict(contract.data)),
        "kube_proxy_mode": settings.kube_proxy_mode,
        "apiserver_sans": apiserver_sans(
            settings.dns_domain,
            services,
            [host.node_name for host in masters],
            [address for host in masters for address in texts[host.inventory_name]],
            settings.extra_apiserver_sans,
        ),
        "nodes": _nodes(hosts, contract, resolved, entries, texts),
        "masquerade": {"pod_cidrs": list(pods), "not_to": [*pods, *_host_networks(resolved)]},
        **cluster_flags(
            resolved.pods,
            resolved.services,
            resolved.node_prefixes,
            settings.node_port_range,
            dns,
            settings.dns_domain,
            settings.kube_proxy_mode,
            settings.max_pods,
        ),
    }


def _host_networks(resolved: Resolved) -> list[str]:
    """Return every node address as a network of one, in the order of the families, then by number."""
    order = {family: index for index, family in enumerate(resolved.families)}
    every: set[Address] = {address for found in resolved.addresses.values() for address in found.values()}
    ordered = sorted(every, key=lambda address: (order[address.family], address.value))
    return [f"{address}/{WIDTH[address.family]}" for address in ordered]


def _nodes(
    hosts: Sequence[Host],
    contract: Contract,
    resolved: Resolved,
    entries: Mapping[str, Entry],
    texts: Mapping[str, list[str]],
) -> dict[str, Any]:
    families = resolved.families
    routes = _routes(hosts, resolved, entries) if contract.routes == "plan" else []
    nodes: dict[str, Any] = {}
    for host in hosts:
        entry = entries.get(host.node_name, {})
        networks = [entry[family] for family in families if family in entry]
        # An etcd-only host is no node of the pod network; a control plane host reaches webhooks in pods.
        routed = "kube_node" in host.groups or "kube_control_plane" in host.groups
        nodes[host.inventory_name] = {
            "name": host.node_name,
            "groups": [group for group in _GROUPS if group in host.groups],
            "addresses": list(texts[host.inventory_name]),
            "pod_cidrs": [str(network) for network in networks],
            "pod_gateways": [network.nth_address(1) for network in networks],
            "tunnel_addresses": [network.nth_address(0) for network in networks],
            # The route objects are shared between the nodes: n nodes have n² routes.
            "routes": [route for owner, route in routes if owner != host.node_name] if routed else [],
        }
    return nodes


def _routes(
    hosts: Sequence[Host], resolved: Resolved, entries: Mapping[str, Entry]
) -> list[tuple[str, dict[str, str]]]:
    """Return (owner, route to the owner's pods) in the order of the families, then by destination."""
    found: list[tuple[tuple[int, Network], str, dict[str, str]]] = []
    order: dict[Family, int] = {family: index for index, family in enumerate(resolved.families)}
    for host in hosts:
        if "kube_node" not in host.groups:
            continue
        for family, network in entries.get(host.node_name, {}).items():
            if family in order:
                gateway = address_text(family, resolved.addresses[host.inventory_name][family].value)
                route = {"destination": str(network), "gateway": gateway}
                found.append(((order[family], network), host.node_name, route))
    return [(owner, route) for _, owner, route in sorted(found, key=lambda item: item[0])]
