"""What Kubernetes and the portmap plugin set in the kernel and leave behind: that alone, by its names."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..state.host import Host
from .request import Change, Outcome, Request

# The portmap plugin's (containernetworking/plugins, plugins/meta/portmap): a chain for each pod, and three
# that others on this host may share.
_PORTMAP_POD = "CNI-DN-"
_PORTMAP = {"CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"}
_NFTABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
_PORTMAP_TABLES = (("ip", "cni_hostport"), ("ip6", "cni_hostport"))
# Holds the addresses of services where kube-proxy's mode is ipvs, and is there in no other mode.
_IPVS_INTERFACE = "kube-ipvs0"


def remove_chains(host: Host, prefixes: list[str], outcome: Outcome, check: bool) -> None:
    """Remove chains whose names begin so, and portmap's, with the rules into them; each table in one go."""
    for save, restore in (("iptables-save", "iptables-restore"), ("ip6tables-save", "ip6tables-restore")):
        saved = host.run([save], changes=False)
        if saved.status != 0:
            continue
        batch = []
        for table, chains, rules in _tables(saved.output):
            gone = _ours(chains, prefixes)
            if not gone:
                continue
            outcome.changes += [Change("chain", f"{save[:-5]} {table} {chain}") for chain in gone]
            leading = [rule for rule in rules if _chain(rule) not in gone and _target(rule) in gone]
            batch += [
                f"*{table}",
                *(f":{chain} - [0:0]" for chain in gone),
                # As it was printed: iptables-restore knows no other quotes than its own.
                *(f"-D{rule[2:]}" for rule in leading),
                *(f"-X {chain}" for chain in gone),
                "COMMIT",
            ]
        if batch and not check:
            ran = host.run([restore, "--noflush", "--wait"], "\n".join([*batch, ""]))
            if ran.status != 0:
                outcome.problems.append(f"the chains of Kubernetes ({restore}): {ran.complaint}")


def remove_tables(host: Host, outcome: Outcome, check: bool) -> None:
    """Remove kube-proxy's tables of nftables, and portmap's when no pod has a port in it."""
    for family, table in (*_NFTABLES, *_PORTMAP_TABLES):
        listed = host.run(["nft", "list", "table", family, table], changes=False)
        if listed.status != 0:
            continue
        if (family, table) in _PORTMAP_TABLES and "dnat" in listed.output:
            continue
        outcome.changes.append(Change("table", f"{family} {table}"))
        if not check:
            ran = host.run(["nft", "delete", "table", family, table])
            if ran.status != 0:
                outcome.problems.append(f"table {family} {table}: {ran.complaint}")


def remove_virtual_servers(host: Host, request: Request, outcome: Outcome, check: bool) -> None:
    """Let kube-proxy, which has stopped, remove what it set in ipvs mode; there alone.

    Its cleanup does not know its own virtual servers from those of others: it flushes IPVS in any mode
    (pkg/proxy/ipvs/cleanup.go). Chains and tables, which it removes besides, have gone by their names.
    """
    if host.lstat(f"/sys/class/net/{_IPVS_INTERFACE}") is None:
        return
    outcome.changes += [
        Change("virtual servers", "all of IPVS"),
        Change("interface", _IPVS_INTERFACE),
    ]
    if check:
        return
    # Its exit status is that of all the removals that it attempts; the interface goes after the servers.
    ran = host.run([f"{request.programs_directory}/kube-proxy", "--cleanup"])
    if host.lstat(f"/sys/class/net/{_IPVS_INTERFACE}") is not None:
        outcome.problems.append(
            f"interface {_IPVS_INTERFACE} and the virtual servers of IPVS: {ran.complaint}; "
            f"take out those of Kubernetes with ipvsadm, and run `ip link delete dev {_IPVS_INTERFACE}`"
        )


def _tables(saved: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield (table, its chains, its rules as lines) of what iptables-save prints."""
    table = ""
    chains: list[str] = []
    rules: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table, chains, rules = line[1:], [], []
        elif line.startswith(":"):
            chains.append(line[1:].split()[0])
        elif line.startswith("-A "):
            rules.append(line)
        elif line == "COMMIT":
            yield table, chains, rules


def _chain(rule: str) -> str:
    return rule.split(" ", 2)[1]


def _target(rule: str) -> str:
    words = shlex.split(rule)
    for option in ("-j", "-g"):
        if option in words:
            return words[words.index(option) + 1]
    return ""


def _ours(chains: list[str], prefixes: list[str]) -> list[str]:
    """Return the chains to remove. Portmap's shared ones stay while a chain of somebody's pod is left."""
    pods = {chain for chain in chains if chain.startswith(_PORTMAP_POD)}
    shared = set() if pods else _PORTMAP
    return [chain for chain in chains if chain.startswith(tuple(prefixes)) or chain in shared]
