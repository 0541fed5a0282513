"""What the packet filters of a host do, out of what iptables-save and nft print. Pure.

Three of them can be in force at once, each with rules of its own: iptables over nftables, legacy iptables,
and native nftables. A packet has to pass them all.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
# Tables that iptables over nftables keeps in the kernel; nft lists them too, but iptables-save knows better.
_OF_IPTABLES = frozenset({"filter", "mangle", "nat", "raw", "security"})
_SAVED_CHAIN = re.compile(r"^:(\S+) (ACCEPT|DROP) \[(\d+):\d+\]")
_SAVED_RULE = re.compile(r"^(?:\[(\d+):\d+\] )?(-A (\S+) .*)$")
_JUMP = re.compile(r"-[jg] (\S+)")
_COUNTER = re.compile(r"\bcounter packets (\d+) bytes \d+ ?")
_BASE_CHAIN = re.compile(r"^type (\S+) hook (\S+) .*?(?:policy (\S+);)?$")
# What kube-proxy, kubelet and portmap make: their translations are rightful.
_RIGHTFUL = re.compile(r"^(KUBE-|CNI-)")
_KUBE_PROXY_TABLE, _PORTMAP_TABLE = "kube-proxy", "cni_hostport"
_PORT = re.compile(r"dports? (?:!= )?(\d+)")
_LEADS_TO = re.compile(r"(?:--to-destination|\bto) \[?([0-9a-f.:]+?)\]?(?::\d+)?(?: |$)")
_LONGEST = 200


def from_iptables(text: str, filter_name: str, family: str) -> Json:
    """Return what `iptables-save -c` shows: policies, drops, translations and services.

    filter_name: such as iptables-legacy. policies: base chains for forwarded packets that drop what no rule
    takes, with packets so far. drops: rules that drop or reject, with packets so far. translations: rules of
    others that give packets another destination. host_ports: rules of portmap, with the port and the address
    of the pod that it leads to. services: rules in KUBE-SERVICES, by which kube-proxy works.
    """
    found = _nothing(filter_name)
    for line in text.splitlines():
        chain = _SAVED_CHAIN.match(line)
        if chain and chain.group(1) == "FORWARD" and chain.group(2) == "DROP":
            found["policies"].append(
                _entry(filter_name, family, "FORWARD", "policy DROP", int(chain.group(3)))
            )
        rule = _SAVED_RULE.match(line)
        jump = _JUMP.search(line)
        if not rule or not jump:
            continue
        name, target = rule.group(3), jump.group(1)
        entry = _entry(filter_name, family, name, rule.group(2), int(rule.group(1) or 0))
        if target in ("DROP", "REJECT"):
            found["drops"].append(entry)
        elif target == "DNAT" and name.startswith("CNI-"):
            found["host_ports"] += _host_port(entry)
        elif target in ("DNAT", "REDIRECT") and not _RIGHTFUL.match(name):
            destination = re.search(r"(?<!! )-d (\S+)", line)
            found["translations"].append(
                {**entry, "destination": destination.group(1) if destination else ""}
            )
        found["services"] += name == "KUBE-SERVICES"
    return found


def from_nft(text: str, *, with_iptables: bool) -> Json:
    """Return what `nft list ruleset` shows, as from_iptables does.

    with_iptables: whether the tables that iptables keeps are left out. services: rules of kube-proxy's own
    table. A rule without a counter has None for packets.
    """
    found = _nothing("nft")
    family = table = chain = ""
    for line in (raw.strip() for raw in text.splitlines()):
        words = line.split()
        if line.startswith("table "):
            family, table, chain = {"ip": "ipv4", "ip6": "ipv6"}.get(words[1], ""), words[2], ""
            skipped = with_iptables and bool(family) and table in _OF_IPTABLES
        elif line.startswith("chain "):
            chain = words[1]
        elif not chain or skipped or line == "}":
            chain = "" if line == "}" else chain
        elif line.startswith("type "):
            base = _BASE_CHAIN.match(line)
            if base and base.group(2) == "forward" and base.group(3) == "drop":
                found["policies"].append(_entry(f"nft table {table}", family, chain, "policy drop", None))
        else:
            _nft_rule(found, line, (family, table, chain))
    return found


def _nft_rule(found: Json, line: str, place: tuple[str, str, str]) -> None:
    family, table, chain = place
    counter = _COUNTER.search(line)
    entry = _entry(
        f"nft table {table}",
        family,
        chain,
        _COUNTER.sub("", line),
        int(counter.group(1)) if counter else None,
    )
    found["services"] += table == _KUBE_PROXY_TABLE
    if table == _PORTMAP_TABLE and "dnat" in line:
        found["host_ports"] += _host_port(entry)
    if table in (_PORTMAP_TABLE, _KUBE_PROXY_TABLE):
        return
    if re.search(r"\b(drop|reject)\b", line):
        found["drops"].append(entry)
    elif re.search(r"\b(dnat|redirect)\b", line):
        destination = re.search(r"\bip6? daddr (?!!=)([0-9a-f][0-9a-f.:/]*)", line)
        found["translations"].append({**entry, "destination": destination.group(1) if destination else ""})


def _nothing(filter_name: str) -> Json:
    kinds: Json = {name: [] for name in ("policies", "drops", "translations", "host_ports")}
    return {"name": filter_name, **kinds, "services": 0}


def _host_port(entry: Json) -> list[Json]:
    port, leads_to = _PORT.search(entry["rule"]), _LEADS_TO.search(entry["rule"])
    if not port or not leads_to:
        return []
    protocol = "udp" if re.search(r"\budp\b", entry["rule"]) else "tcp"
    return [{**entry, "port": int(port.group(1)), "protocol": protocol, "pod": leads_to.group(1)}]


def _entry(filter_name: str, family: str, chain: str, rule: str, packets: int | None) -> Json:
    return {
        "filter": filter_name,
        "family": family,
        "chain": chain,
        "rule": rule[:_LONGEST],
        "packets": packets,
    }
