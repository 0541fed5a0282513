"""Diagnoses from what hosts do with packets: what their filters drop, and whom they take for a neighbour."""

import contextlib
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from flatnet.check.clues import Clues, Diagnosis, ends
from flatnet.check.hosts.fault import NOT_FORWARDED
from flatnet.check.model import Finding, Json

_LOST = ("timeout", "unreachable", "refused", "source", "failed")
# Rules of kube-proxy, kubelet and CNI plugins drop what no check sends.
_RIGHTFUL = re.compile(r"^(KUBE|CNI)-")
_ADDRESS = re.compile(r"\b[0-9a-f]*[.:][0-9a-f.:]*[0-9a-f](?:/\d+)?\b|\b[0-9a-f]+::(?:/\d+)?")
# Of these, that some packets get lost is an answer.
_COUNTED_LOSS = ("large_packets", "packet_loss")
_NO_MAC = "00:00:00:00:00:00"


def filtered(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the packet filter that drops what passes a node, by the packets that it has counted meanwhile.

    A native nftables rule need not count: there, one that names an address of an end is taken for it, and a
    policy that drops what is forwarded.
    """
    if finding["error"] not in _LOST and (finding["error"] or finding["class"] not in _COUNTED_LOSS):
        return None
    for node in dict.fromkeys(ends(finding)):
        for entry, is_policy in _dropping(node, finding["family"], clues):
            if is_policy and finding["class"] in NOT_FORWARDED:
                continue
            counted = _counted(node, entry, clues)
            if counted or (counted is None and (is_policy or _mentions(entry["rule"], finding, clues))):
                return _filter_diagnosis(node, entry, is_policy=is_policy)
    return None


def _filter_diagnosis(node: str, entry: Json, *, is_policy: bool) -> Diagnosis:
    where = f"{entry['filter']}, chain {entry['chain']}"
    command = "nft list ruleset" if entry["filter"].startswith("nft") else f"{entry['filter']}-save -c"
    look = f"{command} on {node}"
    if is_policy:
        return f"{node} drops forwarded packets: the policy of {where} is to drop what no rule accepts", look
    return f"a rule on {node} drops packets: {where}: {entry['rule']}", look


def _dropping(node: str, family: str, clues: Clues) -> Iterator[tuple[Json, bool]]:
    """Return what drops packets of the family on a node, rules before policies: they say more."""
    filters = clues.on(node).get("filters") or []
    for kind in ("drops", "policies"):
        for entry in (entry for found in filters for entry in found[kind]):
            if entry["family"] in (family, "") and not _RIGHTFUL.match(entry["chain"]):
                yield entry, kind == "policies"


def _counted(node: str, entry: Json, clues: Clues) -> int | None:
    """Return how many packets it has taken since the probes started, None where it does not count."""
    if entry["packets"] is None:
        return None
    key = ("filter", "family", "chain", "rule")
    before = [
        old["packets"] or 0
        for found in clues.before.get(node, {}).get("filters") or []
        for old in (*found["drops"], *found["policies"])
        if all(old[name] == entry[name] for name in key)
    ]
    return int(entry["packets"]) - sum(before)


def _mentions(rule: str, finding: Finding, clues: Clues) -> bool:
    """Tell whether a rule names an address of an end, or a network around one."""
    nodes = clues.cluster.plan["nodes"]
    addresses = [finding["source"]["address"], finding["target"]["address"]]
    addresses += [one for node in ends(finding) if node in nodes for one in nodes[node]["addresses"]]
    for text in _ADDRESS.findall(rule):
        with contextlib.suppress(ValueError):
            named = ip_network(text, strict=False)
            if any(address and ip_address(address) in named for address in addresses):
                return True
    return False


def neighbour(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name an Ethernet address that is not the peer's, or that two nodes have."""
    source, target = ends(finding)
    nodes = clues.cluster.plan["nodes"]
    if not finding["error"] or source not in nodes or target not in nodes or source == target:
        return None
    for here, there in ((source, target), (target, source)):
        shared = _own_macs(here, clues) & _own_macs(there, clues)
        if shared:
            first, second = sorted((here, there))
            return (
                f"{first} and {second} have one Ethernet address, {min(shared)}",
                f"ip link on {first} and {second}; what made them from one image",
            )
    return _misled(source, target, clues) or _misled(target, source, clues)


def _misled(here: str, there: str, clues: Clues) -> Diagnosis | None:
    addresses = clues.cluster.plan["nodes"][there]["addresses"]
    true = _own_macs(there, clues)
    for entry in clues.on(here).get("neighbours") or []:
        if entry["address"] not in addresses or not true or entry["mac"] in true:
            continue
        owners = [name for name in clues.cluster.plan["nodes"] if entry["mac"] in _own_macs(name, clues)]
        whose = f"that of {owners[0]}" if owners else f"none of {there}'s"
        fixed = " by a fixed entry" if "PERMANENT" in entry["state"] else ""
        return (
            f"{here} sends what is for {there} ({entry['address']}) to the Ethernet address {entry['mac']}"
            f"{fixed}, which is {whose}",
            f"ip neighbour show {entry['address']} on {here}; another host with that address: arping -D",
        )
    return None


def _own_macs(node: str, clues: Clues) -> set[str]:
    """Return the Ethernet addresses of the interfaces that have the node's addresses."""
    own = set(clues.cluster.plan["nodes"][node]["addresses"])
    state = clues.before.get(node) or clues.on(node)
    return {
        entry["mac"]
        for entry in state.get("interfaces") or []
        if entry["mac"] not in ("", _NO_MAC) and own & {one.partition("/")[0] for one in entry["addresses"]}
    }
