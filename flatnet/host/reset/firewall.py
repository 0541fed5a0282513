"""What programs set in the packet filter and leave behind: that alone, by its names, never a flush."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..state.host import Host
from .claims import Claims, entries, matches
from .request import Change, Outcome

# One host may have rules of both (iptables-legacy(8), iptables-nft(8)); which of them plain `iptables` is can
# change with an update. Without the names of both it is the one there is.
_VARIANTS = ("-legacy", "-nft")


def remove_chains(host: Host, claims: Claims, outcome: Outcome, check: bool) -> None:
    """Remove the chains with the rules that lead into them, of both families and variants, by table."""
    if not claims.listed("chains") and not claims.listed("shared_chains"):
        return
    for program in ("iptables", "ip6tables"):
        for variant, saved in _saved(host, program):
            batch: list[str] = []
            for table, chains, rules in _tables(saved):
                gone = _going(chains, claims)
                if gone:
                    outcome.changes += [
                        Change("chain", f"{program}{variant} {table} {chain}") for chain in gone
                    ]
                    batch += _deletion(table, gone, rules)
            if batch and not check:
                restore = f"{program}{variant}-restore"
                ran = host.run([restore, "--noflush", "--wait"], "\n".join([*batch, ""]))
                if ran.status != 0:
                    outcome.problems.append(f"chains of the packet filter ({restore}): {ran.complaint}")


def remove_tables(host: Host, claims: Claims, outcome: Outcome, check: bool) -> None:
    """Remove the tables of nftables; one that others may use too stays while it has a rule of the kind."""
    if not claims.listed("tables"):
        return
    listed = host.run(["nft", "list", "tables"], changes=False)
    for line in listed.output.splitlines() if listed.status == 0 else ():
        name = line.partition(" ")[2].strip()
        if not claims.takes("tables", name) or _is_used(host, claims, name):
            continue
        outcome.changes.append(Change("table", name))
        if not check:
            ran = host.run(["nft", "delete", "table", *name.split(" ")])
            if ran.status != 0:
                outcome.problems.append(f"table {name}: {ran.complaint}")


def remove_sets(host: Host, claims: Claims, outcome: Outcome, check: bool) -> None:
    """Remove the sets of ipset, once no rule refers to them; a set of sets goes before what it holds."""
    if not claims.listed("ipsets"):
        return
    listed = host.run(["ipset", "list", "-name"], changes=False)
    names = [name for name in listed.output.split("\n") if name and claims.takes("ipsets", name)]
    outcome.changes += [Change("ipset", name) for name in names]
    left = [] if check else names
    while left:
        refused = {}
        for name in left:
            ran = host.run(["ipset", "destroy", name])
            if ran.status != 0:
                refused[name] = ran.complaint
        if len(refused) == len(left):
            outcome.problems += [f"ipset {name}: {complaint}" for name, complaint in refused.items()]
            return
        left = list(refused)


def _saved(host: Host, program: str) -> Iterator[tuple[str, str]]:
    """Yield (variant, what it saves) of each variant that is there."""
    found = False
    for variant in _VARIANTS:
        ran = host.run([f"{program}{variant}-save"], changes=False)
        found = found or ran.status != 127
        if ran.status == 0:
            yield variant, ran.output
    if not found:
        ran = host.run([f"{program}-save"], changes=False)
        if ran.status == 0:
            yield "", ran.output


def _deletion(table: str, gone: list[str], rules: list[str]) -> list[str]:
    leading = [rule for rule in rules if _chain(rule) not in gone and _target(rule) in gone]
    return [
        f"*{table}",
        *(f":{chain} - [0:0]" for chain in gone),
        # As it was printed: iptables-restore knows no other quotes than its own.
        *(f"-D{rule[2:]}" for rule in leading),
        *(f"-X {chain}" for chain in gone),
        "COMMIT",
    ]


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


def _going(chains: list[str], claims: Claims) -> list[str]:
    """Return the chains to remove. Shared ones stay while a chain is left that stands for a use of them."""
    gone = [chain for chain in chains if claims.takes("chains", chain)]
    left = [chain for chain in chains if chain not in gone]
    for shared in claims.listed("shared_chains"):
        if not any(matches(shared["kept_while"], chain) for chain in left):
            gone += [
                chain
                for chain in left
                if matches(shared["name"], chain)
                and chain not in gone
                and not claims.keeps("shared_chains", chain)
            ]
    return gone


def _is_used(host: Host, claims: Claims, name: str) -> bool:
    """Tell whether somebody's rule is left in a table of which the owners say what such a rule has in it."""
    words = [
        table["kept_while"]
        for owner in claims.going
        for table in entries(owner, "tables")
        if table.get("kept_while") and matches(f"{table['family']} {table['name']}", name)
    ]
    if not words:
        return False
    listed = host.run(["nft", "list", "table", *name.split(" ")], changes=False)
    return any(word in listed.output.split() for word in words)
