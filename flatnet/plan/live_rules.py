"""The rules about hosts as they are: addresses, interfaces, routes, ports and kernels."""

from collections.abc import Mapping, Sequence

from flatnet.plan.addresses import WIDTH, Network, parse_address
from flatnet.plan.allocations import Entry
from flatnet.plan.contract import Contract
from flatnet.plan.findings import Findings
from flatnet.plan.hosts import Host
from flatnet.plan.limits import EPHEMERAL_PORTS
from flatnet.plan.live import (
    Interface,
    ephemeral_ports,
    interfaces_of,
    listening_ports,
    nameservers_of,
    reserved_ports,
    routes_of,
)
from flatnet.plan.rules import Resolved
from flatnet.plan.service_rules import port_range
from flatnet.settings import Settings

# The protocol number that marks routes of ours; node_state sets it.
ROUTE_PROTOCOL = "157"
# Bridges that carry the gateway of the node's own pods, and tunnels that lead to the other nodes' pods.
_BRIDGES = frozenset({"cbr0", "cni0"})
_TUNNELS = frozenset({"flannel.1", "flannel-v6.1"})
# kube-proxy in ipvs mode puts every service address on this interface.
_SERVICE_INTERFACE = "kube-ipvs0"
_PROXY_FEATURES: Mapping[str, tuple[str, ...]] = {"ipvs": ("ip_vs",), "nftables": ("nftables",)}


def check_node_ports(settings: Settings, hosts: Sequence[Host], findings: Findings) -> None:
    """Check that node ports are used for nothing else on the hosts.

    A host that did not say which ports it uses for its own connections is taken to use those that Linux
    uses by default.
    """
    ports = port_range(settings.node_port_range)
    if ports is None:
        return
    value = f"cluster_node_port_range {settings.node_port_range!r}"
    told = False
    for host in hosts:
        if not host.facts:
            continue
        name = host.inventory_name
        used = ephemeral_ports(host, findings)
        told = told or used is not None
        reserved = reserved_ports(host, findings)
        shared = (max(used[0], ports[0]), min(used[1], ports[1])) if used else None
        if used and shared and not _are_reserved(*shared, reserved):
            findings.add(
                "node-port-ephemeral",
                value,
                f"the host uses {used[0]}-{used[1]} for its own connections (net.ipv4.ip_local_port_range)",
                "use a range before or after that, change that of the host, or keep the node ports out of it "
                "with net.ipv4.ip_local_reserved_ports",
                name,
            )
        taken = [
            f"{port} ({process})" if process else str(port)
            for port, process in sorted(listening_ports(host, findings).items())
            # kube-proxy answers the health checks of load balancers on such ports itself.
            if ports[0] <= port <= ports[1] and process != "kube-proxy"
        ]
        if taken:
            findings.add(
                "node-port-in-use",
                value,
                f"something on the host listens on {', '.join(taken)}",
                "move that to a port outside, or use another range",
                name,
            )
    first, last = EPHEMERAL_PORTS
    if not told and ports[0] <= last and first <= ports[1]:
        findings.warn(
            "node-port-ephemeral",
            value,
            f"Linux uses {first}-{last} for its own connections unless told otherwise",
            f"end the range before {first}, or set net.ipv4.ip_local_port_range on every host",
        )


def _are_reserved(first: int, last: int, reserved: Sequence[tuple[int, int]]) -> bool:
    """Tell whether every port from first to last is in one of the reserved ranges."""
    for start, end in sorted(reserved):
        if start > first:
            break
        first = max(first, end + 1)
    return first > last


def check_live(
    hosts: Sequence[Host],
    resolved: Resolved,
    nodes: Mapping[str, Entry],
    contract: Contract,
    kube_proxy_mode: str,
    findings: Findings,
) -> None:
    """Check hosts that have facts. `nodes` is node name -> its planned pod network per family."""
    for host in hosts:
        if host.facts is None:
            continue
        own = (
            tuple(nodes.get(host.node_name, {}).values()) if contract.ipam == "plan" else tuple(resolved.pods)
        )
        interfaces = interfaces_of(host, findings)
        _check_interfaces(host, interfaces, resolved, own, contract, findings)
        _check_routes(host, resolved, own, contract, findings)
        for address in nameservers_of(host, findings):
            single = Network(address.family, address.value, WIDTH[address.family])
            _check_free(host, f"DNS server {address}", single, resolved, "", findings)
        _check_features(host, contract, kube_proxy_mode, findings)


def _check_interfaces(
    host: Host,
    interfaces: Sequence[Interface],
    resolved: Resolved,
    own: Sequence[Network],
    contract: Contract,
    findings: Findings,
) -> None:
    present = {address for interface in interfaces for address, _ in interface.addresses}
    for text in resolved.texts[host.inventory_name]:
        if present and parse_address(text) not in present:
            findings.add(
                "node-address-elsewhere",
                f"address {text}",
                "no interface of the host has it, so the kubelet would refuse it",
                "set node_address to an address of the host",
                host.inventory_name,
            )
    ours = _BRIDGES | _TUNNELS | set(contract.interfaces)
    for interface in interfaces:
        for address, network in interface.addresses:
            if interface.name in ours and any(network.holds(address) for network in own):
                continue
            value = f"{interface.name} has {address}/{network.prefix}"
            _check_free(host, value, network, resolved, interface.name, findings)


def _check_routes(
    host: Host, resolved: Resolved, own: Sequence[Network], contract: Contract, findings: Findings
) -> None:
    for route in routes_of(host, findings):
        if route.destination.prefix == 0:
            continue
        in_own = any(network.contains(route.destination) for network in own)
        in_pods = any(network.contains(route.destination) for network in resolved.pods)
        if route.device in _BRIDGES and in_own:
            continue
        marked = (
            route.protocol == ROUTE_PROTOCOL
            or route.device in _TUNNELS
            or route.device in contract.interfaces
        )
        if marked and in_pods:
            continue
        value = f"route to {route.destination} through {route.device}"
        _check_free(host, value, route.destination, resolved, route.device, findings)


def _check_free(
    host: Host, value: str, network: Network, resolved: Resolved, device: str, findings: Findings
) -> None:
    for name, mine in resolved.named():
        if name not in ("cluster_pod_cidrs", "cluster_service_cidrs", "cluster_extra_service_cidrs"):
            continue
        if mine.overlaps(network) and not (device == _SERVICE_INTERFACE and name != "cluster_pod_cidrs"):
            fix = f"move {name} to a free network, or remove this from the host if it is left over"
            if device in _BRIDGES and mine.contains(network):
                # A node's pods are on it: the allocations were lost, or another installer made the cluster.
                fix = f"give the Node objects as cluster_existing_nodes if the cluster runs already, or {fix}"
            findings.add("live-overlap", value, f"it overlaps {name} {mine}", fix, host.inventory_name)


def _check_features(host: Host, contract: Contract, kube_proxy_mode: str, findings: Findings) -> None:
    features = (host.facts or {}).get("kernel_features")
    if not isinstance(features, Mapping):
        return
    needed = [(name, f"backend {contract.name}") for name in contract.kernel_features]
    needed += [
        (name, f"cluster_kube_proxy_mode {kube_proxy_mode}")
        for name in _PROXY_FEATURES.get(kube_proxy_mode, ())
    ]
    for feature, user in needed:
        # A feature that was not probed is not judged.
        if features.get(feature, True) in (False, None):
            findings.add(
                "kernel-feature",
                f"kernel feature {feature}",
                f"{user} needs it and the host's kernel lacks it",
                f"install or load the kernel module {feature}, or choose a backend or mode without it",
                host.inventory_name,
            )
