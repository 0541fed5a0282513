"""Routes and packet filter tables of a desired state."""

import ipaddress
import re
from typing import Any

from flatnet.state.entry import Entry

ROUTE_TYPES = ("unicast", "unreachable")
FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")


def parse_route(entry: Entry) -> dict[str, Any]:
    """Return a route as {destination, gateway, device, source, metric}; the destination is always a CIDR.

    One that refuses packets has `type` as well. Raises FlatnetError for host bits, for families that do not
    fit, and for a route that leads nowhere without saying so.
    """
    gateway = _address(entry, "gateway")
    source = _address(entry, "source")
    destination = _destination(entry, gateway)
    for key, address in (("gateway", gateway), ("source", source)):
        if address is not None and address.version != destination.version:
            raise entry.error(
                f"{key} {address} is IPv{address.version}, but the destination is IPv{destination.version}"
            )
    device = entry.word("device", r"[^\s/]{1,15}", "eth0") if entry.has("device") else ""
    refuses = entry.has("type") and entry.choice("type", ROUTE_TYPES, "unicast") != "unicast"
    if refuses and (gateway is not None or device):
        raise entry.error("it is unreachable, and leads through nobody; leave out gateway and device")
    if not refuses and gateway is None and not device:
        raise entry.error("give a gateway, a device, or both")
    return {
        "destination": str(destination),
        "gateway": str(gateway or ""),
        "device": device,
        "source": str(source or ""),
        "metric": entry.number("metric"),
        **({"type": "unreachable"} if refuses else {}),
    }


def parse_table(entry: Entry) -> dict[str, str]:
    """Return a table as {family, table, content}, where content is `table FAMILY NAME { ... }`.

    The content of the entry may be that, or only what stands between the braces.
    """
    family = entry.choice("family", FAMILIES, "")
    table = entry.word("table", r"[A-Za-z][A-Za-z0-9_-]*", "flatnet")
    content = entry.text("content").strip()
    header = re.match(r"table\s+(\S+)\s+(\S+)\s*\{", content)
    if header is None:
        content = f"table {family} {table} {{\n{content}\n}}"
    elif header.groups() != (family, table):
        raise entry.error(f"its content defines table {' '.join(header.groups())}, not {family} {table}")
    return {"family": family, "table": table, "content": content + "\n"}


def _address(entry: Entry, key: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if not entry.has(key):
        return None
    value = entry.text(key)
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        raise entry.error(f"{key} {value!r} is not an IP address") from None


def _destination(
    entry: Entry, gateway: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    value = entry.text("destination")
    if value == "default":
        value = "::/0" if gateway is not None and gateway.version == 6 else "0.0.0.0/0"
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise entry.error(f"destination {value!r} is not a network such as 198.51.100.0/24") from None
    raise entry.error(f"destination {value} has host bits; the network is {meant}")
