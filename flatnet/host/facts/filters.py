"""What the packet filters of a host hold that kube-proxy and pods do not get along with."""

from __future__ import annotations

import json
from typing import Any

from .local import read, run

# kube-proxy's and portmap's, and the one that forwards.
IPTABLES_TABLES = ("nat", "filter", "mangle")
BASE_CHAINS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
LEGACY_TABLES = "/proc/net/ip_tables_names"
# Kubernetes has this prefix to itself (pkg/proxy/iptables and pkg/proxy/ipvs there).
CHAINS = "KUBE-"
# So many names tell whose they are.
SHOWN = 5


def answer() -> dict[str, Any]:
    """Return the facts {forward_drops, incompatible_chains, other_chains}.

    forward_drops: base chains that drop what they do not accept of what is forwarded, as texts;
    incompatible_chains: those that iptables refuses to touch, as somebody has put rules of nftables into
    them; other_chains: chains of Kubernetes in the backend of iptables that the host's iptables is not of,
    which nobody cleans up.
    """
    listed = json.loads(run(["nft", "-j", "list", "chains"]) or "{}").get("nftables", [])
    chains = [entry["chain"] for entry in listed if "chain" in entry]
    is_nft = "nf_tables" in run(["iptables", "--version"])
    legacy = _legacy_lines() if is_nft else []
    drops = forward_drops(chains)
    drops += ["iptables-legacy, table filter, chain FORWARD"] if "-P FORWARD DROP" in legacy else []
    others = [line.split()[1] for line in legacy if line.startswith(f"-N {CHAINS}")]
    if not is_nft:
        others = [chain["name"] for chain in chains if chain["name"].startswith(CHAINS)]
    return {
        "forward_drops": drops,
        "incompatible_chains": incompatible_chains(chains) if is_nft else [],
        "other_chains": sorted(set(others))[:SHOWN],
    }


def incompatible_chains(chains: list[dict[str, Any]]) -> list[str]:
    """Return the base chains that iptables would use and cannot read, as it never reads those without."""
    return [
        f"{chain['name']} of table ip {chain['table']}"
        for chain in chains
        if chain["family"] == "ip"
        and chain["table"] in IPTABLES_TABLES
        and chain["name"] in BASE_CHAINS
        and not run(["iptables", "-w", "5", "-t", chain["table"], "-S", chain["name"]])
    ]


def forward_drops(chains: list[dict[str, Any]]) -> list[str]:
    """Return the base chains at the hook forward whose policy is to drop."""
    return [
        f"table {chain['family']} {chain['table']}, chain {chain['name']}"
        for chain in chains
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] != "bridge"
    ]


def _legacy_lines() -> list[str]:
    """Return the chains and policies of iptables-legacy; reading a table that is not there would make it."""
    lines = []
    for table in read(LEGACY_TABLES).split():
        lines += run(["iptables-legacy", "-w", "5", "-t", table, "-S"]).splitlines()
    return lines
