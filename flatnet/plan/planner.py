"""Plan the network: settings, hosts, contracts and the allocations so far give one plan. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

from flatnet.contract import Contracts
from flatnet.contract import Resolved as Backend
from flatnet.contract.schema import Makes
from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Family, Network, parse_network
from flatnet.plan.adopt import adopt_nodes
from flatnet.plan.allocate import allocate, ranges_of
from flatnet.plan.allocations import Allocations, Entry
from flatnet.plan.assemble import assemble, cluster_part, wanted_sans
from flatnet.plan.chosen import Chosen, check_engine_families, choose
from flatnet.plan.deployed import check_deployed, deployed_networks
from flatnet.plan.derive import pod_mtu
from flatnet.plan.endpoint import Endpoint, api_endpoint
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.garbage_collection import without_garbage_collection
from flatnet.plan.host_rules import resolve_hosts, warn_of_unrouted
from flatnet.plan.hosts import Host, read_hosts
from flatnet.plan.known_cluster import shares_name, shares_nodes
from flatnet.plan.live import resolve_mtu
from flatnet.plan.live_rules import check_live, check_node_ports
from flatnet.plan.pod_topology import PodGroup, networks_by_host, pod_groups, topology_part
from flatnet.plan.request import Pool, Request
from flatnet.plan.routes import is_routed
from flatnet.plan.rules import Resolved, resolve_networks
from flatnet.plan.service_rules import check_services, missing_sans
from flatnet.settings import Settings, read_settings

Plan = dict[str, Any]


class Planned(NamedTuple):
    """The plan (JSON-able), the allocations that belong to it, and warnings as lines."""

    plan: Plan
    allocations: Allocations
    warnings: list[str]


def plan_network(
    settings: Settings, hosts: Sequence[Host], contracts: Contracts, allocations: Allocations | None = None
) -> Plan:
    """Return the plan, the same bytes whatever the order of the hosts.

    Raises FlatnetError that lists every finding: rule, value, reason and fix.
    """
    return prepare_plan(settings, hosts, contracts, allocations).plan


def plan_from_data(
    settings: object,
    hosts: object,
    contracts: Contracts,
    allocations: object = None,
    deployed: object = None,
    existing_nodes: object = None,
    leaving: Sequence[Makes] | None = None,
) -> Planned:
    """Plan from plain data, as Ansible has it. Raises FlatnetError as plan_network does.

    `deployed` is the plan that was provisioned last, `existing_nodes` are Node objects to adopt
    (adopt_nodes). `leaving` is what a switch of the network takes off the hosts; None is no switch.
    """
    with without_garbage_collection():
        findings = Findings()
        wanted_settings, faults = read_settings(settings)
        for fault in faults:
            findings.add(*fault)
        read = read_hosts(hosts, findings)
        findings.raise_if_any()
        ledger = (
            allocations if isinstance(allocations, Allocations) else Allocations.from_mapping(allocations)
        )
        return prepare_plan(wanted_settings, read, contracts, ledger, deployed, existing_nodes, leaving)


def prepare_plan(
    settings: Settings,
    hosts: Sequence[Host],
    contracts: Contracts,
    allocations: Allocations | None = None,
    deployed: object = None,
    existing_nodes: object = None,
    leaving: Sequence[Makes] | None = None,
) -> Planned:
    """Return the plan, the allocations to record and warnings, as plan_from_data does."""
    with without_garbage_collection():
        before = allocations or Allocations()
        return _prepare(settings, hosts, contracts, before, deployed, existing_nodes, leaving)


def _prepare(
    settings: Settings,
    hosts: Sequence[Host],
    contracts: Contracts,
    before: Allocations,
    deployed: object,
    existing_nodes: object,
    leaving: Sequence[Makes] | None,
) -> Planned:
    findings = Findings()
    ordered = sorted(hosts, key=attrgetter("inventory_name"))
    chosen = choose(settings, contracts, findings)
    contract = chosen.backend
    resolved = resolve_networks(
        settings, contract, findings, sum("kube_node" in host.groups for host in ordered)
    )
    check_engine_families(chosen, resolved.families, findings)
    check_services(settings, resolved, chosen.used, findings)
    resolve_hosts(ordered, resolved, findings, settings.max_pods)
    if not contract.control_plane_routes:
        warn_of_unrouted(ordered, contract.name, findings)
    pins = _pins(ordered, resolved, findings)
    nodes = [host for host in ordered if "kube_node" in host.groups]
    known = shares_name(before, settings, findings)
    if known and contract.ipam == "plan":
        known = shares_nodes(before, ordered, existing_nodes, findings)
    groups = _groups(settings, ordered, contract, resolved, findings)
    # Broken settings cannot be allocated from; what they would lead to is no finding of its own.
    sound = known and not _is_unsound(findings)
    request = request_of(settings, nodes, pins, contract, resolved, groups) if sound else None
    apart: Mapping[str, Entry] = {}
    if _is_adopting(existing_nodes) and contract.ipam == "plan":
        ours = before if known else Allocations()
        before, apart = adopt_nodes(ours, existing_nodes, request, findings)
        sound = sound and not _is_unsound(findings)
    after = before
    if contract.ipam == "plan" and sound and request:
        # What a running node has is nobody else's, whatever the inventory knows of it.
        occupied = {family: ranges_of(family, apart) for family in resolved.families}
        request = replace(request, occupied=occupied, deployed=deployed_networks(deployed))
        after = allocate(request, before, findings)
        after = Allocations(after.nodes, after.removed, after.pins, settings.cluster_name)
    asked = [host for host in ordered if host.facts is not None]
    recorded = deployed.get("underlay_mtu") if isinstance(deployed, Mapping) else None
    underlay_mtu = resolve_mtu(settings, ordered, resolved, findings, recorded)
    mtu = _mtu(underlay_mtu, contract, resolved, findings)
    check_node_ports(settings, asked, findings)
    if sound:
        neighbours = {host: group.hosts for group in groups for host in group.hosts}
        check_live(ordered, settings, resolved, after.nodes, chosen, findings, leaving or (), neighbours)
    endpoint = api_endpoint(settings, ordered, resolved.texts, deployed)
    _check_certificate(settings, ordered, resolved, endpoint, findings)
    plan: Plan = {}
    if sound and endpoint and not findings.found:
        plan = assemble(settings, ordered, chosen, resolved, after, endpoint)
        plan |= {"underlay_mtu": underlay_mtu, "mtu": mtu}
        if groups:
            plan["pod_topology"] = topology_part(groups, resolved.families)
    if deployed:
        wanted = plan or _unfinished(settings, ordered if sound else (), chosen, resolved, after)
        is_switch = leaving is not None
        check_deployed(deployed, wanted, settings.allowed_changes, findings, is_switch=is_switch)
    findings.raise_if_any()
    return Planned(dict(sorted(plan.items())), after, findings.warnings())


def _groups(
    settings: Settings, hosts: Sequence[Host], contract: Backend, resolved: Resolved, findings: Findings
) -> list[PodGroup]:
    """Return the groups of hosts of a backend that routes by them; none where all hosts are one."""
    given = settings.pod_topology
    if given is None or given in ((), [], ""):
        return []
    if contract.allocation != "grouped":
        findings.warn(
            "topology-unused",
            "cluster_pod_topology",
            f"{contract.title} does not route by groups, and takes no notice of it",
            "nothing, or use a backend that does, such as romana",
        )
        return []
    pools = {network.family: network for network in resolved.pods}
    if _is_unsound(findings) or not pools or pools.keys() != resolved.node_prefixes.keys():
        return []
    covered = [host.inventory_name for host in hosts if is_routed(host.groups, contract.control_plane_routes)]
    return pod_groups(given, pools, resolved.node_prefixes, covered, findings)


def _unfinished(
    settings: Settings,
    hosts: Sequence[Host],
    chosen: Chosen,
    resolved: Resolved,
    allocations: Allocations,
) -> Plan:
    """Return what is certain of a plan that is refused, to be held against what is deployed all the same."""
    nodes: Plan = {}
    for host in hosts:
        entry = allocations.nodes.get(host.node_name, {})
        is_whole = all(family in entry for family in resolved.families)
        cidrs = [str(entry[family]) for family in resolved.families] if is_whole else []
        nodes[host.inventory_name] = {"name": host.node_name, "groups": host.groups, "pod_cidrs": cidrs}
    keys = ("name", "mode", "units", "options", "option_values")
    backend = {key: chosen.backend.data[key] for key in keys}
    engine = {"name": chosen.policy}
    return {
        **cluster_part(settings, resolved),
        "backend": backend,
        "policy_engine": engine,
        "nodes": nodes,
    }


_UNSOUND = frozenset(
    {
        "network-format",
        "network-missing",
        "family-twice",
        "node-prefix",
        "node-prefix-count",
        "pod-prefix",
        "host-duplicate",
        "adoption-format",
        "topology-format",
        "topology-host",
        "topology-cover",
        "topology-twice",
        "topology-depth",
    }
)


def _is_unsound(findings: Findings) -> bool:
    return any(finding.rule in _UNSOUND for finding in findings.found)


def _is_adopting(existing_nodes: object) -> bool:
    """Tell whether there is a cluster to adopt; anything but nothing is held to be Node objects."""
    return existing_nodes is not None and existing_nodes != []


def request_of(
    settings: Settings,
    nodes: Sequence[Host],
    pins: Mapping[str, Entry],
    contract: Backend,
    resolved: Resolved,
    groups: Sequence[PodGroup] = (),
) -> Request:
    """Return what to allocate for these nodes; `pins` is node name -> its pins."""
    families = resolved.families
    parts = networks_by_host(groups)
    return Request(
        pools={
            family: Pool(tuple(network for network in resolved.pods if network.family == family), prefix)
            for family, prefix in resolved.node_prefixes.items()
        },
        nodes=[host.node_name for host in nodes],
        pins=pins,
        max_pods=settings.max_pods,
        own_prefixes={
            host.node_name: dict(zip(families, host.pod_prefixes, strict=True))
            for host in nodes
            if host.pod_prefixes
        },
        own_max_pods={host.node_name: host.max_pods for host in nodes if host.max_pods is not None},
        avoid=[network for name, network in resolved.named() if name != "cluster_pod_cidrs"],
        hosts=resolved.addresses,
        groups={host.node_name: parts[host.inventory_name] for host in nodes if host.inventory_name in parts},
        several=contract.several_pod_cidrs,
    )


def _pins(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> dict[str, Entry]:
    pins: dict[str, Entry] = {}
    for host in hosts:
        if not host.pod_cidr_pins:
            continue
        name = host.inventory_name
        entry: dict[Family, Network] = {}
        for text in host.pod_cidr_pins:
            value = f"pod_cidr {text!r}"
            try:
                network = parse_network(text)
            except FlatnetError as error:
                findings.add("pin-format", value, *split_error(error, text), name)
                continue
            if network.family in entry:
                reason = f"it is a second {network.family} pin"
                findings.add("pin-format", value, reason, "give one per family", name)
            elif resolved.pods and network.family not in resolved.families:
                findings.add(
                    "pin-format", value, f"there are no {network.family} pods", "remove the pin", name
                )
            else:
                entry[network.family] = network
        if entry and "kube_node" in host.groups:
            pins[host.node_name] = entry
        elif entry:
            findings.warn("pin-unused", "pod_cidr", "the host is not in kube_node", "remove the pin", name)
    return pins


def _mtu(underlay_mtu: int, contract: Backend, resolved: Resolved, findings: Findings) -> int:
    if not resolved.pods:
        return underlay_mtu
    try:
        return pod_mtu(underlay_mtu, contract.data["overhead"], resolved.families)
    except FlatnetError as error:
        reason, _, fix = str(error).partition("; ")
        findings.add("pod-mtu", f"cluster_underlay_mtu {underlay_mtu}", reason, fix)
        return underlay_mtu


def _check_certificate(
    settings: Settings,
    hosts: Sequence[Host],
    resolved: Resolved,
    endpoint: Endpoint | None,
    findings: Findings,
) -> None:
    if not settings.apiserver_certificate_sans or endpoint is None:
        return
    try:
        wanted = wanted_sans(settings, hosts, resolved, endpoint)
    except FlatnetError:
        # The service network is too small for an address; that is a finding of its own.
        return
    missing = missing_sans(settings.apiserver_certificate_sans, wanted)
    if missing:
        findings.add(
            "apiserver-san-missing",
            f"cluster_apiserver_certificate_sans without {', '.join(missing)}",
            "clients that use these names and addresses would refuse the API server",
            "issue the certificate again with them",
        )
