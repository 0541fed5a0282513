"""The rules about hosts as they are: their interfaces, routes, MTU and kernels, as preflight reported them.

Facts of a host: {hostname, interfaces: [{name, mtu, addresses: ["192.0.2.11/24"], kind}],
routes: [{destination, gateway, device, protocol}], kernel_features: {vxlan: true}}. All keys are optional;
what was not reported is not judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Address, Family, Network, parse_interface
from flatnet.plan.allocations import Entry
from flatnet.plan.contract import Contract
from flatnet.plan.findings import Findings
from flatnet.plan.rules import Resolved
from flatnet.plan.settings import Host, Settings

# The protocol number that marks routes of ours; node_state sets it.
ROUTE_PROTOCOL = "157"
# Bridges that carry the gateway of the node's own pods, and tunnels that lead to the other nodes' pods.
_BRIDGES = frozenset({"cbr0", "cni0"})
_TUNNELS = frozenset({"flannel.1"})
# kube-proxy in ipvs mode puts every service address on this interface.
_SERVICE_INTERFACE = "kube-ipvs0"
_PROXY_FEATURES: Mapping[str, tuple[str, ...]] = {"ipvs": ("ip_vs",), "nftables": ("nftables",)}

DEFAULT_MTU = 1500


@dataclass(frozen=True)
class Interface:
    """One interface of a host; addresses with the network that they are in."""

    name: str
    mtu: int | None
    addresses: tuple[tuple[Address, Network], ...]


@dataclass(frozen=True)
class Route:
    """One route of a host, default routes included."""

    destination: Network
    device: str
    protocol: str


def interfaces_of(host: Host, findings: Findings) -> list[Interface]:
    """Read the interfaces from a host's facts; what cannot be read becomes a finding."""
    read = []
    for item in _items(host, "interfaces", findings):
        addresses = []
        listed = item.get("addresses")
        for text in listed if isinstance(listed, list | tuple) else ():
            try:
                addresses.append(parse_interface(str(text)))
            except FlatnetError as error:
                _unreadable(host, f"interface {item.get('name')}", error, findings)
        mtu = item.get("mtu")
        known = isinstance(mtu, int) and not isinstance(mtu, bool)
        read.append(Interface(str(item.get("name")), mtu if known else None, tuple(addresses)))
    return read


def routes_of(host: Host, findings: Findings) -> list[Route]:
    """Read the routes from a host's facts; `default` is the whole family of its gateway."""
    read = []
    for item in _items(host, "routes", findings):
        text = str(item.get("destination"))
        if text == "default":
            text = "::/0" if ":" in str(item.get("gateway")) else "0.0.0.0/0"
        if "/" not in text:
            text += "/128" if ":" in text else "/32"
        try:
            destination = parse_interface(text)[1]
        except FlatnetError as error:
            _unreadable(host, "routes", error, findings)
            continue
        read.append(Route(destination, str(item.get("device")), str(item.get("protocol"))))
    return read


def _items(host: Host, key: str, findings: Findings) -> Iterator[Mapping[str, Any]]:
    listed = (host.facts or {}).get(key)
    if listed is None:
        return
    for item in listed if isinstance(listed, list | tuple) else (listed,):
        if isinstance(item, Mapping):
            yield item
        else:
            _unreadable(host, key, f"{item!r} is not a mapping", findings)


def _unreadable(host: Host, what: str, error: object, findings: Findings) -> None:
    reason = str(error).partition("; ")[0]
    findings.add("facts-format", f"{host.inventory_name}: facts, {what}", reason, "run preflight again")


def resolve_mtu(settings: Settings, hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> int:
    """Return the underlay MTU in bytes: the setting, else the smallest one of the nodes' interfaces.

    That interface is the one with the node's address, else the one with the default route. A setting above
    what a host has becomes a finding, and so does one outside 68 (RFC 791) to 65535.
    """
    known: list[tuple[int, str, str]] = []
    for host in hosts:
        interfaces = interfaces_of(host, Findings())
        wanted = set(resolved.addresses.get(host.inventory_name, {}).values())
        names = {i.name for i in interfaces if wanted & {address for address, _ in i.addresses}}
        if not names:
            names = {r.device for r in routes_of(host, Findings()) if r.destination.prefix == 0}
        known += [(i.mtu, host.inventory_name, i.name) for i in interfaces if i.name in names and i.mtu]
    if settings.underlay_mtu is None:
        return min(known)[0] if known else DEFAULT_MTU
    value = f"underlay_mtu {settings.underlay_mtu}"
    if not 68 <= settings.underlay_mtu <= 65535:
        findings.add(
            "underlay-mtu",
            value,
            "it is not from 68 to 65535",
            "use the MTU of the hosts' network, often 1500",
        )
    if known and min(known)[0] < settings.underlay_mtu:
        mtu, host_name, interface = min(known)
        findings.add(
            "underlay-mtu",
            value,
            f"{interface} of {host_name} carries {mtu} bytes only",
            f"lower it to {mtu}, leave it out, or raise the MTU of that interface",
        )
    return settings.underlay_mtu


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
    expected: dict[Family, Address] = resolved.addresses.get(host.inventory_name, {})
    for address in expected.values():
        if present and address not in present:
            findings.add(
                "node-address-elsewhere",
                f"{host.inventory_name}: address {address}",
                "no interface of the host has it, so the kubelet would refuse it",
                "set node_address to an address of the host",
            )
    ours = _BRIDGES | _TUNNELS | set(contract.interfaces)
    for interface in interfaces:
        for address, network in interface.addresses:
            if interface.name in ours and any(network.holds(address) for network in own):
                continue
            place = f"{host.inventory_name}: {interface.name} has {address}/{network.prefix}"
            services = [] if interface.name == _SERVICE_INTERFACE else resolved.services
            _check_free(place, network, resolved.pods, services, findings)


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
        place = f"{host.inventory_name}: route to {route.destination} through {route.device}"
        services = [] if route.device == _SERVICE_INTERFACE else resolved.services
        _check_free(place, route.destination, resolved.pods, services, findings)


def _check_free(
    place: str, network: Network, pods: Sequence[Network], services: Sequence[Network], findings: Findings
) -> None:
    for name, ours in (("pod_cidrs", pods), ("service_cidrs", services)):
        for mine in ours:
            if mine.overlaps(network):
                findings.add(
                    "live-overlap",
                    place,
                    f"it overlaps {name} {mine}",
                    f"move {name} to a free network, or remove this from the host if it is left over",
                )


def _check_features(host: Host, contract: Contract, kube_proxy_mode: str, findings: Findings) -> None:
    features = (host.facts or {}).get("kernel_features")
    if not isinstance(features, Mapping):
        return
    needed = [(name, f"backend {contract.name}") for name in contract.kernel_features]
    needed += [
        (name, f"kube_proxy_mode {kube_proxy_mode}") for name in _PROXY_FEATURES.get(kube_proxy_mode, ())
    ]
    for feature, user in needed:
        # A feature that was not probed is not judged.
        if features.get(feature, True) in (False, None):
            findings.add(
                "kernel-feature",
                f"{host.inventory_name}: kernel feature {feature}",
                f"{user} needs it and the host's kernel has it not",
                f"install or load the kernel module {feature}, or choose something that does without",
            )
