"""Who owns what on this host: one record per owner in /var/lib/flatnet/state.

A record is written twice by an apply: before anything changes, naming all that may exist from then on
(old and new), and after, naming what is. So whatever an apply that was killed has left is known to the next.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from .host import Host, StateError

HOME = "/var/lib/flatnet"
RECORDS = f"{HOME}/state"
VERSION = 1
# What owners applied to the API from here; see flatnet.host.objects.applied.
NOTES = f"{HOME}/objects"


@dataclass
class Record:
    """What one owner has made.

    directories: path -> {created, implicit, previous: [mode, uid, gid] | None, given: [[mode, uid, gid]]}
    files: path -> {sha256, sensitive}; links: path -> target
    kernel_modules: name -> how it was found; sysctls: key -> {previous, given: [values]}
    routes: as wanted
    tables: "family table" -> {definition, listing}: digests of what we loaded and of what nft listed then
    units: name -> {own, previous: {enabled, started}, digests: {path: sha256 it was started with}}
    digests: path -> [sha256, size, mtime_ns, ctime_ns, inode] of files too large to read each time
    given: what we set; two of them while an apply is under way
    asked: the state that was applied, with digests in place of contents
    touched: paths beside which an apply that did not end may have left its temporary files
    """

    name: str
    complete: bool = True
    boot: str = ""
    directories: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    kernel_modules: dict[str, str] = field(default_factory=dict)
    sysctls: dict[str, dict[str, Any]] = field(default_factory=dict)
    routes: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    units: dict[str, dict[str, Any]] = field(default_factory=dict)
    digests: dict[str, list[Any]] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)

    def owns(self, path: str) -> bool:
        """Tell whether path is one of its files or links."""
        return path in self.files or path in self.links


def path_of(name: str) -> str:
    """Return where the record of an owner lies."""
    return f"{RECORDS}/{name}.json"


def load(host: Host, name: str) -> Record:
    """Return the record of an owner; an empty one when it has none yet."""
    if host.lstat(path_of(name)) is None:
        return Record(name)
    return _parse(name, host.read(path_of(name)))


def load_others(host: Host, name: str) -> list[Record]:
    """Return the records of all other owners."""
    owners = [entry[: -len(".json")] for entry in host.names_in(RECORDS) if entry.endswith(".json")]
    return [load(host, owner) for owner in owners if owner != name and not owner.startswith(".")]


def save(host: Host, record: Record) -> None:
    """Write a record in one step."""
    text = json.dumps({"version": VERSION, **asdict(record)}, sort_keys=True, separators=(",", ":"))
    path = path_of(record.name)
    fresh = f"{RECORDS}/.{record.name}.new"
    host.discard(fresh)
    try:
        host.write(fresh, text.encode(), 0o600, None)
        host.rename(fresh, path)
    except OSError:
        host.discard(fresh)
        raise


def pending(old: Record, new: Record, touched: list[str]) -> Record:
    """Return the record to have on disk while old becomes new: all that either names."""
    units = {**new.units, **old.units}
    for name, unit in new.units.items():
        if name in old.units:
            units[name] = {**old.units[name], "own": unit["own"] or old.units[name]["own"]}
        else:
            units[name] = {**unit, "digests": {}}
    return Record(
        name=new.name,
        complete=False,
        boot=old.boot,
        directories=_both(old.directories, new.directories),
        files={**new.files, **old.files},
        links={**new.links, **old.links},
        kernel_modules=old.kernel_modules,
        sysctls=_both(old.sysctls, new.sysctls),
        routes=[*old.routes, *(route for route in new.routes if route not in old.routes)],
        tables={**{item: {"definition": "", "listing": ""} for item in new.tables}, **old.tables},
        units=units,
        digests=old.digests,
        touched=sorted({*old.touched, *touched}),
    )


def _both(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    both = {**new, **old}
    for item in old.keys() & new.keys():
        given = old[item]["given"]
        both[item] = {
            **old[item],
            "given": [*given, *(value for value in new[item]["given"] if value not in given)],
        }
    return both


def _parse(name: str, data: bytes) -> Record:
    try:
        fields: dict[str, Any] = json.loads(data)
        if fields.pop("version") != VERSION:
            raise ValueError
        return Record(**fields)
    except (ValueError, KeyError, TypeError):
        raise StateError(
            f"the record {path_of(name)} is not one that this version of flatnet can read; "
            "apply with the version that wrote it, or delete it and apply: what is there is taken over"
        ) from None
