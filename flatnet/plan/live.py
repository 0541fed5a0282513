"""Hosts as they are, read from what preflight reported.

Facts of a host: {interfaces: [{name, mtu, addresses: ["192.0.2.11/24"], kind, details}], routes:
[{destination, gateway, device, protocol, type, table}], nameservers: ["192.0.2.53"], listening: [{address,
port, protocol, process, unit}], rules: [{source: "192.0.2.11/32", table}], interface_settings:
{name: {ipv4: {rp_filter: 1}}}, machine_id,
ip_local_port_range: [first, last], ip_local_reserved_ports: [[first, last]], kernel_features: {vxlan: true}}.
All keys are optional; what was not reported is not judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Address, Network, parse_address, parse_interface
from flatnet.plan.findings import Findings
from flatnet.plan.hosts import Host
from flatnet.plan.rules import Resolved
from flatnet.settings import Settings

DEFAULT_MTU = 1500
# Kinds of interfaces by which nothing comes in: what has its addresses there is announced by others.
_INNER = frozenset({"dummy", "loopback"})


@dataclass(frozen=True)
class Interface:
    """One interface of a host; addresses with the network that they are in."""

    name: str
    mtu: int | None
    addresses: tuple[tuple[Address, Network], ...]
    takes_packets: bool = True
    """Whether packets to its addresses come in by it, and not by any other interface."""


# What a route has that says nothing of it.
_ROUTE_DEFAULTS = {"device": "", "protocol": "boot", "type": "unicast", "table": "main", "gateway": ""}


@dataclass(frozen=True)
class Route:
    """One route of a host, default routes included."""

    destination: Network
    device: str
    """Empty for a route through none, such as a blackhole."""
    protocol: str
    type: str = "unicast"
    table: str = "main"
    gateway: str = ""
    """Empty where the destination is on the device's own link."""


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
        takes_packets = item.get("kind") not in _INNER
        read.append(Interface(str(item.get("name")), mtu if known else None, tuple(addresses), takes_packets))
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
        named = {key: str(item.get(key) or default) for key, default in _ROUTE_DEFAULTS.items()}
        read.append(Route(destination, **named))
    return read


def nameservers_of(host: Host, findings: Findings) -> list[Address]:
    """Return the DNS servers that the host asks."""
    read = []
    listed = (host.facts or {}).get("nameservers")
    for text in listed if isinstance(listed, list | tuple) else ():
        try:
            # A link-local server has its interface behind a percent sign.
            read.append(parse_address(str(text).partition("%")[0]))
        except FlatnetError as error:
            _unreadable(host, "nameservers", error, findings)
    return read


def listening_ports(host: Host, findings: Findings) -> dict[int, str]:
    """Return port -> process of what listens for other hosts; the process is empty where it is not known."""
    ports = {}
    for item in _items(host, "listening", findings):
        port, address = item.get("port"), str(item.get("address"))
        if not isinstance(port, int) or isinstance(port, bool):
            _unreadable(host, "listening", f"{port!r} is not a port", findings)
        elif not address.startswith("127.") and address != "::1":
            ports[port] = str(item.get("process") or "")
    return ports


@dataclass(frozen=True)
class Socket:
    """What waits for packets or connections on a host; process and unit are empty where nobody has it."""

    port: int
    protocol: str
    process: str
    unit: str


def sockets_of(host: Host) -> list[Socket]:
    """Return what listens on the host, on whatever address; what cannot be read, listening_ports tells."""
    return [
        Socket(
            item["port"], str(item.get("protocol") or "tcp"), *(str(item.get(key) or "") for key in _OWNER)
        )
        for item in _items(host, "listening", Findings())
        if isinstance(item.get("port"), int)
    ]


_OWNER = ("process", "unit")
# Links whose packets the kernel receives on a port of UDP, with a socket that no process has.
_TUNNELS = ("geneve", "vxlan", "wireguard")


def tunnels_of(host: Host) -> list[tuple[str, str, int | None]]:
    """Return (interface, kind, port) of the host's tunnels over UDP; the port is None where ip hides it."""
    found = []
    for item in _items(host, "interfaces", Findings()):
        details = item.get("details")
        port = details.get("port") if isinstance(details, Mapping) else None
        if item.get("kind") in _TUNNELS:
            found.append((str(item.get("name")), str(item["kind"]), port if isinstance(port, int) else None))
    return found


def interface_settings(host: Host, interface: str, setting: str) -> int:
    """Return a setting of IPv4 of the interface, or of all and default; 0 where the host did not tell."""
    found: Any = (host.facts or {}).get("interface_settings")
    for key in (interface, "ipv4", setting):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, int) else 0


def routes_by_source(host: Host, address: Address) -> bool:
    """Tell whether a rule gives what the host sends from the address another table than the main one.

    So have hosts with several links each a way back of its own (Linux, net/ipv4/fib_frontend.c,
    fib_validate_source: the way back is looked up with the address as the source).
    """
    for rule in _items(host, "rules", Findings()):
        source = rule.get("source")
        if source and rule.get("table") not in ("local", "main", "default"):
            network = parse_interface(str(source))[1]
            if network.family == address.family and network.holds(address):
                return True
    return False


def ephemeral_ports(host: Host, findings: Findings) -> tuple[int, int] | None:
    """Return (first, last) port that the host uses for its own connections; None when it did not say."""
    value = (host.facts or {}).get("ip_local_port_range")
    if value is None:
        return None
    if not _is_pair(value):
        _unreadable(host, "ip_local_port_range", f"{value!r} is not a pair of ports", findings)
        return None
    return value[0], value[1]


def reserved_ports(host: Host, findings: Findings) -> list[tuple[int, int]]:
    """Return (first, last) of the ports that the host leaves out of its own connections."""
    read = []
    value = (host.facts or {}).get("ip_local_reserved_ports")
    for item in value if isinstance(value, list | tuple) else ():
        if _is_pair(item):
            read.append((item[0], item[1]))
        else:
            _unreadable(host, "ip_local_reserved_ports", f"{item!r} is not a pair of ports", findings)
    return read


def _is_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and [type(port) for port in value] == [int, int]


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
    findings.add("facts-format", f"facts, {what}", reason, "run preflight again", host.inventory_name)


def resolve_mtu(
    settings: Settings, hosts: Sequence[Host], resolved: Resolved, findings: Findings, deployed: object = None
) -> int:
    """Return the underlay MTU in bytes: the setting, else the smallest one of the nodes' interfaces.

    That interface is the one with the node's address, else the one with the default route. A setting above
    what a host has becomes a finding.
    deployed: the MTU of the plan that is deployed; it stands for the hosts that nobody has looked at, so that
    all runs plan the same.
    """
    known = [mtu for host in hosts if host.facts for mtu in _known_mtus(host, resolved)]
    setting = settings.underlay_mtu
    if setting is None:
        recorded = deployed if isinstance(deployed, int) and any(not host.facts for host in hosts) else None
        if not known:
            return recorded or DEFAULT_MTU
        least, most = min(known), max(known)
        if least[0] < most[0]:
            findings.warn(
                "mtu-differs",
                f"{least[2]} of {least[1]} carries {least[0]} bytes",
                f"{most[2]} of {most[1]} carries {most[0]}, and all pods get what the smallest one leaves",
                "set cluster_underlay_mtu, or give the hosts' interfaces one MTU",
            )
        return min(least[0], recorded or least[0])
    value = f"cluster_underlay_mtu {setting}"
    for mtu, host_name, interface in known:
        if mtu < setting:
            findings.add(
                "underlay-mtu",
                value,
                f"{interface} carries {mtu} bytes only",
                f"lower it to {min(known)[0]}, leave it out, or raise the MTU of that interface",
                host_name,
            )
    return setting


def _known_mtus(host: Host, resolved: Resolved) -> list[tuple[int, str, str]]:
    """Return (MTU, host, interface) of the interfaces that lead to the other nodes."""
    interfaces = interfaces_of(host, Findings())
    wanted = set(map(parse_address, resolved.texts[host.inventory_name]))
    names = {i.name for i in interfaces if wanted & {address for address, _ in i.addresses}}
    if not names:
        names = {r.device for r in routes_of(host, Findings()) if r.destination.prefix == 0}
    return [(i.mtu, host.inventory_name, i.name) for i in interfaces if i.name in names and i.mtu]
