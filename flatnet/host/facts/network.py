"""What the kernel's tables of interfaces, routes and rules hold, from the JSON that `ip` prints.

Pure but for settings(), which reads the kernel's own files.
"""

from __future__ import annotations

from typing import Any

CONF = "/proc/sys/net"
# Of an interface's details, those that are settings: a bridge's also has clocks.
DETAILS = frozenset(
    {
        "forward_delay",
        "id",
        "local",
        "mcast_snooping",
        "mode",
        "port",
        "protocol",
        "remote",
        "stp_state",
        "vlan_filtering",
    }
)
# What a rule can ask for that few packets have (ip-rule(8)); ports and users can have _start and _end behind.
PICKY = frozenset({"dport", "ipproto", "sport", "tos", "uid"})
# What takes all packets of its ports itself; members of a VRF go on having a say.
ENSLAVING = ("bond", "bridge")
SETTINGS = {
    "ipv4": ("forwarding", "rp_filter"),
    "ipv6": ("accept_ra", "disable_ipv6", "forwarding"),
}


def interfaces(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each entry of `ip -details -json address` is like.

    addresses: in the kernel's order, but those with the scope of the link, which are link_scope_addresses;
    secondary_addresses: those of IPv4 that go when the first of their network goes. kind: of a made
    interface, such as bridge, else the type of the link. master: the bridge or bond that it is a port of, ""
    for none; ports: its own, of a bridge or bond. details: the settings that its kind has; port: those that
    it has as a port, with the kind of its master.
    """
    # A removed address can leave an empty entry.
    links = [link for link in links if "ifname" in link]
    ports: dict[str, list[str]] = {}
    for link in links:
        if "master" in link:
            ports.setdefault(link["master"], []).append(link["ifname"])
    return [_interface(link, sorted(ports.get(link["ifname"], []))) for link in links]


def _interface(link: dict[str, Any], ports: list[str]) -> dict[str, Any]:
    entries = [entry for entry in link.get("addr_info", []) if "local" in entry]
    made = link.get("linkinfo", {})
    port = {"kind": made["info_slave_kind"]} if "info_slave_kind" in made else {}
    if "hairpin" in made.get("info_slave_data", {}):
        port["hairpin"] = bool(made["info_slave_data"]["hairpin"])

    def texts(chosen: list[dict[str, Any]]) -> list[str]:
        return [f"{entry['local']}/{entry['prefixlen']}" for entry in chosen]

    return {
        "name": link["ifname"],
        "mtu": link["mtu"],
        "addresses": texts([entry for entry in entries if entry.get("scope") != "link"]),
        "link_scope_addresses": texts([entry for entry in entries if entry.get("scope") == "link"]),
        "secondary_addresses": texts([entry for entry in entries if entry.get("secondary")]),
        "kind": made.get("info_kind") or link.get("link_type", ""),
        "link_type": link.get("link_type", ""),
        "mac": link.get("address", ""),
        "up": "UP" in link.get("flags", []),
        "master": link.get("master", ""),
        "ports": ports,
        "details": {name: value for name, value in made.get("info_data", {}).items() if name in DETAILS},
        "port": port,
    }


def routes(entries: list[dict[str, Any]], version: int) -> list[dict[str, Any]]:
    """Return what each entry of `ip -json route show table all` is like, but for the kernel's own of local.

    Those follow from the interfaces' addresses. destination is always a CIDR; gateway and device are those of
    the first hop; ip is silent about what is usual: unicast, the table main, the scope global, and the
    protocol of routes that were made by hand.
    """
    whole, single = ("0.0.0.0/0", "/32") if version == 4 else ("::/0", "/128")
    found = []
    for entry in entries:
        table, protocol = str(entry.get("table", "main")), str(entry.get("protocol", "boot"))
        if table == "local" and protocol == "kernel":
            continue
        destination = whole if entry["dst"] == "default" else entry["dst"]
        hop = (entry.get("nexthops") or [entry])[0]
        found.append(
            {
                "destination": destination if "/" in destination else destination + single,
                "gateway": hop.get("gateway") or hop.get("via", {}).get("host", ""),
                "device": hop.get("dev", ""),
                "protocol": protocol,
                "table": table,
                "type": entry.get("type", "unicast"),
                "scope": str(entry.get("scope", "global")),
                "source": entry.get("prefsrc", ""),
                "onlink": "onlink" in [*entry.get("flags", []), *hop.get("flags", [])],
            }
        )
    return found


def advertised(found: list[dict[str, Any]], settings_of: dict[str, dict[str, dict[str, int]]]) -> list[str]:
    """Return the devices whose IPv6 default route the kernel has from router advertisements.

    found: routes; settings_of: what settings() returns. With accept_ra 1 the kernel heeds none as soon as it
    forwards, with 0 another program does (Linux, Documentation/networking/ip-sysctl.rst).
    """
    devices = {
        route["device"] for route in found if route["destination"] == "::/0" and route["protocol"] == "ra"
    }
    return sorted(
        device for device in devices if settings_of.get(device, {}).get("ipv6", {}).get("accept_ra") == 1
    )


def rules(entries: list[dict[str, Any]], version: int) -> list[dict[str, Any]]:
    """Return what each entry of `ip -json rule` is like: which packets look into which table, in order.

    source and destination are CIDRs, "" for any; mark is as ip writes it, with the mask where it has one;
    picky is whether it asks for more than addresses, marks and interfaces, such as a user or a port; action
    is "" for a lookup in the table, whose routes with prefixes up to suppressed do not count (-1: all do).
    """
    return [
        {
            "family": f"ipv{version}",
            "priority": entry["priority"],
            "source": _selector(entry, "src", version),
            "destination": _selector(entry, "dst", version),
            "mark": "/".join(str(entry[name]) for name in ("fwmark", "fwmask") if name in entry),
            "input": entry.get("iif", ""),
            "output": entry.get("oif", ""),
            "inverted": "not" in entry,
            "picky": any(name.split("_")[0] in PICKY for name in entry),
            "suppressed": entry.get("suppress_prefixlen", -1),
            "table": str(entry.get("table", "")),
            "action": entry.get("action", ""),
            "protocol": str(entry.get("protocol", "")),
        }
        for entry in entries
    ]


def _selector(entry: dict[str, Any], name: str, version: int) -> str:
    value = entry.get(name, "all")
    if value == "all":
        return ""
    return f"{value}/{entry.get(name + 'len', 32 if version == 4 else 128)}"


def settings(found: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """Return {interface: {family: {setting: value}}} of /proc/sys/net, with `all` and `default`.

    Of a bridge's or a bond's port they have no say, as its packets come in by its master; it is left out.
    What a kernel without the family does not have is not there.
    """
    names = ["all", "default", *(one["name"] for one in found if one["port"].get("kind") not in ENSLAVING)]
    return {
        name: {family: _settings(f"{CONF}/{family}/conf/{name}", SETTINGS[family]) for family in SETTINGS}
        for name in names
    }


def _settings(folder: str, names: tuple[str, ...]) -> dict[str, int]:
    texts = {name: _text(f"{folder}/{name}") for name in names}
    return {name: int(text) for name, text in texts.items() if text}


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        # There is no such family, or the interface went since.
        return ""
