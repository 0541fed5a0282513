"""nftables tables of our own: each replaced as a whole in one transaction, and loaded again once altered."""

from __future__ import annotations

import hashlib
from functools import partial

from .host import Host, StateError
from .plan import Change, Phase, Plan, Undo
from .record import Record
from .wanted import Wanted, WantedFile, WantedTable, WantedUnit, generated_file

DIRECTORY = "/etc/flatnet/nftables.d"

# After nftables.service, whose start and reload begin with `flush ruleset`; before any interface is up.
UNIT = """\
[Unit]
Description=Packet filter tables of flatnet's {name}
DefaultDependencies=no
After=local-fs.target nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
{commands}
[Install]
WantedBy=sysinit.target nftables.service
"""


def path_of(table: WantedTable) -> str:
    """Return where the definition of a table lies."""
    return f"{DIRECTORY}/{table.family}-{table.table}.nft"


def generated(host: Host, name: str, tables: list[WantedTable]) -> tuple[list[WantedFile], list[WantedUnit]]:
    """Return the files, and the unit that loads them after a boot."""
    if not tables:
        return [], []
    nft = host.program("nft") or "/usr/sbin/nft"
    commands = "".join(
        f"{when}={nft} -f {path_of(table)}\n" for when in ("ExecStart", "ExecReload") for table in tables
    )
    unit = WantedUnit(
        f"flatnet-nftables-{name}.service",
        own=True,
        enabled=True,
        started=True,
        restart_on=[],
        restart_reasons=[],
    )
    files = [
        generated_file(path_of(table), _definition(table), validate=["nft", "-c", "-f", "{path}"])
        for table in tables
    ]
    return [*files, generated_file(unit.path, UNIT.format(name=name, commands=commands), "unit file")], [unit]


class Tables:
    """Compares tables with the kernel's and plans to load ours."""

    def __init__(self, host: Host, wanted: Wanted, old: Record, plan: Plan) -> None:
        """Compare what was loaded with what is there."""
        self._host = host
        self._wanted = wanted.tables
        self._old = old
        self._plan = plan
        self._listings: dict[str, str | None] = {}

    def plan(self) -> None:
        """Add the steps."""
        for table in self._wanted:
            listing = self._list(table.item)
            reason = self._reason(table, listing)
            if reason:
                change = Change("table", table.item, "load", reason)
                self._plan.add(Phase.TABLES, [change], partial(self._load, table, listing))
        wanted = {table.item for table in self._wanted}
        for item in sorted(self._old.tables.keys() - wanted):
            listing = self._list(item)
            if listing is not None:
                change = Change("table", item, "remove", "no longer wanted")
                self._plan.add(Phase.TABLES, [change], partial(self._remove, item, listing))

    def record(self) -> dict[str, dict[str, str]]:
        """Return what the record is to say of the tables: digests of definition and listing, as of now."""
        return {
            table.item: {
                "definition": _digest(_definition(table)),
                "listing": _digest(self._listings.get(table.item) or self._list(table.item) or ""),
            }
            for table in self._wanted
        }

    def _reason(self, table: WantedTable, listing: str | None) -> str:
        known = self._old.tables.get(table.item)
        if known is None and listing is not None:
            raise StateError(
                f"table {table.item}: this host has one already, which is not flatnet's; "
                f"choose another name, or delete it with `nft delete table {table.item}`"
            )
        if listing is None:
            return "missing"
        if known is None or known["definition"] != _digest(_definition(table)):
            return "its definition changed"
        return "" if known["listing"] == _digest(listing) else "differs from what was loaded"

    def _list(self, item: str) -> str | None:
        # Stateless: counters do not make a difference.
        ran = self._host.run(["nft", "--stateless", "list", "table", *item.split()], changes=False)
        if ran.status == 127:
            raise StateError(f"table {item}: {ran.complaint}; install the package nftables")
        listing = ran.output if ran.status == 0 else None
        self._listings[item] = listing
        return listing

    def _load(self, table: WantedTable, before: str | None, undo: Undo) -> None:
        self._nft(["-f", self._host.at(path_of(table))])
        undo.back(f"table {table.item}", partial(self._restore, table.item, before))
        self._listings.pop(table.item, None)

    def _remove(self, item: str, before: str, undo: Undo) -> None:
        self._nft(["delete", "table", *item.split()])
        undo.back(f"table {item}", partial(self._restore, item, before))

    def _restore(self, item: str, before: str | None) -> None:
        self._nft(["-f", "-"], f"add table {item}\ndelete table {item}\n{before or ''}")

    def _nft(self, arguments: list[str], text: str | None = None) -> None:
        ran = self._host.run(["nft", *arguments], text=text)
        if ran.status != 0:
            raise StateError(f"nft {' '.join(arguments)}: {ran.complaint}")


def _definition(table: WantedTable) -> str:
    # `add` makes `delete` succeed where there is none yet; the three are one transaction.
    return f"add table {table.item}\ndelete table {table.item}\n{table.content}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
