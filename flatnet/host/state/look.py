"""Whether what owners have applied is all still there, found out as an apply would, and by the same code."""

from __future__ import annotations

from typing import cast

from .asked import digest
from .compare import compare
from .digests import Digests
from .host import Host, Ran, StateError
from .record import RECORDS, Record, load
from .units import show
from .wanted import from_wire

# What an owner's record, or the host itself, may make of a comparison: the apply that follows explains it.
_FAULTS = (StateError, OSError, KeyError, TypeError, ValueError)


def look(host: Host) -> dict[str, str]:
    """Return, for each owner with a record, the digest of the state that it applied, or nothing.

    Nothing is returned for an owner of whom an apply of that state would change anything on the host, its
    record included, nor for one with a unit that restarts when a file changes which no owner brings: other
    tasks of the run may write it before the owner's turn. Nothing on the host is changed.
    """
    entries = [entry[: -len(".json")] for entry in host.names_in(RECORDS) if entry.endswith(".json")]
    owners = [entry for entry in entries if not entry.startswith(".")]
    try:
        records = {owner: load(host, owner) for owner in owners}
        reader = cast(Host, _Reader(host, records))
    except _FAULTS:
        return dict.fromkeys(owners, "")
    return {owner: _held(reader, records, owner) for owner in owners}


def _held(host: Host, records: dict[str, Record], owner: str) -> str:
    old = records[owner]
    if not old.complete or not old.asked:
        return ""
    others = [record for name, record in records.items() if name != owner]
    try:
        comparison = compare(host, from_wire(old.asked), old, others, with_diff=False)
        plan, record = comparison.plan, comparison.record
        if plan.steps or plan.changes or plan.missing or _reads_of_strangers(record, others):
            return ""
        record.tables = comparison.tables.record()
        record.digests = Digests.remember(host, comparison.watched)
    except _FAULTS:
        return ""
    return digest(old.asked) if record == old else ""


def _reads_of_strangers(record: Record, others: list[Record]) -> bool:
    watched = {path for unit in record.units.values() for path in unit["digests"]}
    return any(not any(owner.owns(path) for owner in (record, *others)) for path in watched)


class _Reader:
    """A host that is only read, and asked the same only once; of the units of all owners in one call."""

    def __init__(self, host: Host, records: dict[str, Record]) -> None:
        self._host = host
        self._ran: dict[tuple[str, ...], Ran] = {}
        self._shown = show(host, sorted({unit for record in records.values() for unit in record.units}))

    def __getattr__(self, name: str) -> object:
        return getattr(self._host, name)

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        """Return what a program that only reads prints."""
        if changes or text is not None:
            raise StateError(f"a look changes nothing: {' '.join(arguments)}")
        names = arguments[4:] if arguments[:2] == ["systemctl", "show"] else []
        if names and self._shown.keys() >= set(names):
            return Ran(0, "\n\n".join(_properties(self._shown[name]) for name in names), "")
        key = tuple(arguments)
        if key not in self._ran:
            self._ran[key] = self._host.run(arguments, changes=False)
        return self._ran[key]


def _properties(shown: dict[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in shown.items())
