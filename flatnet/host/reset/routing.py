"""Routes, rules of the routing policy, and addresses that programs made, by what the owners say of them."""

from __future__ import annotations

import json
from typing import Any

from ..state.host import Host
from ..state.routes import PROTOCOL, full
from .claims import Claims
from .request import Change, Outcome

Json = dict[str, Any]

# With them the kernel and its users came before any file could name more (rtnetlink(7), linux/rtnetlink.h).
_PROTOCOLS = {
    "unspec": "0",
    "redirect": "1",
    "kernel": "2",
    "boot": "3",
    "static": "4",
    "ra": "9",
    "dhcp": "16",
    "zebra": "11",
    "bird": "12",
    "bgp": "186",
    "ospf": "188",
}
_TABLES = {"unspec": "0", "default": "253", "main": "254", "local": "255"}
_TYPES = {
    "1": "unicast",
    "2": "local",
    "3": "broadcast",
    "4": "anycast",
    "5": "multicast",
    "6": "blackhole",
    "7": "unreachable",
    "8": "prohibit",
    "9": "throw",
}
# ip is silent about the protocol of routes made by hand.
_BY_HAND = "3"
_KERNEL = "2"
_PLACES = ("/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2")


def remove_routes(
    host: Host, claims: Claims, recorded: set[str], leaving: set[str], outcome: Outcome, check: bool
) -> None:
    """Remove routes of any table, and blackholes.

    recorded: destinations of routes that are on record; with a record go its routes, here they stay. leaving:
    interfaces that go, with which their routes go. What the kernel made by itself goes only where an owner
    names that protocol.
    """
    if not claims.listed("routes"):
        return
    numbered = _numbered(host, claims, "routes")
    for version in ("4", "6"):
        going = []
        for route in _listed(host, ["route", "show", "table", "all"], version):
            thing = _described(route)
            on_record = thing["protocol"] == PROTOCOL and full(route["dst"], version) in recorded
            if route.get("dev") not in leaving and not on_record and numbered.takes_entry("routes", thing):
                going.append(route)
        outcome.changes += [Change("route", _shown(route)) for route in going]
        if not check:
            _run_batch(host, version, [f"route delete {_named(route)}" for route in going], outcome)


def remove_rules(host: Host, claims: Claims, outcome: Outcome, check: bool) -> None:
    """Remove rules of the routing policy."""
    if not claims.listed("rules"):
        return
    numbered = _numbered(host, claims, "rules")
    for version in ("4", "6"):
        going = []
        for rule in _listed(host, ["rule", "show"], version):
            thing = {"priority": str(rule["priority"]), "table": str(rule.get("table", ""))}
            if numbered.takes_entry("rules", thing):
                going.append(_selected(rule))
        outcome.changes += [Change("rule", rule) for rule in going]
        if not check:
            _run_batch(host, version, [f"rule delete {rule}" for rule in going], outcome)


def remove_addresses(host: Host, claims: Claims, leaving: set[str], outcome: Outcome, check: bool) -> None:
    """Remove addresses from interfaces of others."""
    if not claims.listed("addresses"):
        return
    for version in ("4", "6"):
        lines = []
        for device in _listed(host, ["address", "show"], version):
            for one in device.get("addr_info", []):
                address = f"{one['local']}/{one['prefixlen']}"
                if device["ifname"] not in leaving and claims.takes("addresses", address):
                    outcome.changes.append(Change("address", f"{address} of {device['ifname']}"))
                    lines.append(f"address delete {address} dev {device['ifname']}")
        if not check:
            _run_batch(host, version, lines, outcome)


def _listed(host: Host, words: list[str], version: str) -> list[Json]:
    """Return what ip lists, numbers in place of names; nothing where the kernel lacks the family."""
    ran = host.run(["ip", f"-{version}", "-Numeric", "-json", *words], changes=False)
    listed: list[Json] = json.loads(ran.output or "[]") if ran.status == 0 else []
    return listed


def _run_batch(host: Host, version: str, lines: list[str], outcome: Outcome) -> None:
    if not lines:
        return
    ran = host.run(["ip", f"-{version}", "-force", "-batch", "-"], "\n".join([*lines, ""]))
    # One that has gone meanwhile, with its interface say, is what was wanted.
    complaints = [
        line
        for line in ran.errors.splitlines()
        if line and not line.startswith("Command failed") and "No such" not in line
    ]
    if ran.status != 0 and complaints:
        outcome.problems.append(f"`{lines[0].rpartition(' delete ')[0]} delete`: {'; '.join(complaints)}")


def _described(route: Json) -> dict[str, str]:
    return {
        "protocol": str(route.get("protocol", _BY_HAND)),
        "type": _TYPES.get(str(route.get("type", "1")), str(route.get("type"))),
        "table": str(route.get("table", _TABLES["main"])),
        **({"device": route["dev"]} if "dev" in route else {}),
    }


def _numbered(host: Host, claims: Claims, kind: str) -> Claims:
    """Return the claims with numbers for the names of protocols and tables, as ip lists them."""
    protocols = {**_PROTOCOLS, **_names(host, "rt_protos")}
    tables = {**_TABLES, **_names(host, "rt_tables")}

    def with_numbers(declared: Json) -> Json:
        given = {key: str(value) for key, value in declared.items()}
        if "protocol" in given:
            given["protocol"] = protocols.get(given["protocol"], given["protocol"])
        if "table" in given:
            given["table"] = tables.get(given["table"], given["table"])
        if "device" in given and "protocol" not in given:
            # All but the kernel's own, which go with the address or the interface that they are of.
            given["protocol"] = f"[!{_KERNEL}]*"
        return given

    going, staying = (
        [
            owner._replace(makes={kind: [with_numbers(item) for item in owner.makes.get(kind) or []]})
            for owner in owners
        ]
        for owners in claims
    )
    return Claims(going, staying)


def _names(host: Host, file: str) -> dict[str, str]:
    """Return numbers by name, from a file of iproute2 (rt_protos, rt_tables) and its additions."""
    paths = [f"{place}/{file}" for place in reversed(_PLACES)]
    paths += [f"{place}/{file}.d/{name}" for place in _PLACES for name in host.names_in(f"{place}/{file}.d")]
    words = [line.split() for path in paths for line in (host.text(path) or "").splitlines()]
    return {line[1]: line[0] for line in words if len(line) >= 2 and line[0].isdecimal()}


def _named(route: Json) -> str:
    """Return the words by which `ip route delete` knows a route."""
    described = _described(route)
    kind = [] if described["type"] == "unicast" else [described["type"]]
    words = [*kind, route["dst"], "table", described["table"], "proto", described["protocol"]]
    words += ["dev", route["dev"]] if "dev" in route else []
    words += ["metric", str(route["metric"])] if route.get("metric") else []
    return " ".join(words)


def _shown(route: Json) -> str:
    described = _described(route)
    kind = "" if described["type"] == "unicast" else f"{described['type']} "
    device = f" of {route['dev']}" if "dev" in route else ""
    table = "" if described["table"] == _TABLES["main"] else f" in table {described['table']}"
    return f"{kind}{route['dst']}{device}{table}"


def _selected(rule: Json) -> str:
    """Return the words that `ip rule delete` tells a rule from others by."""
    words = ["priority", str(rule["priority"])]
    for name, prefix in (("src", "from"), ("dst", "to")):
        if rule.get(name, "all") != "all":
            length = f"/{rule[name + 'len']}" if f"{name}len" in rule else ""
            words += [prefix, f"{rule[name]}{length}"]
    mark = rule.get("fwmark")
    if mark is not None:
        words += ["fwmark", f"{mark}/{rule['fwmask']}" if "fwmask" in rule else str(mark)]
    for name in ("iif", "oif"):
        words += [name, rule[name]] if name in rule else []
    words += ["table", str(rule["table"])] if "table" in rule else []
    return " ".join(["not", *words] if "not" in rule else words)
