"""Compares the whole desired state with the host: out comes a plan, and the record to write after it."""

from __future__ import annotations

import stat
from typing import Any, NamedTuple

from . import kernel, routes, tables
from .conflicts import refuse_conflicts
from .digests import Digests
from .host import Host
from .paths import Paths, ids, plan_labels
from .plan import Plan
from .record import Record
from .remove import Removal, ancestors
from .units import Units
from .wanted import Wanted, WantedDirectory


class Comparison(NamedTuple):
    """plan: what to do. record: what to record after it, but for what only then can be known.

    That is the listings of tables, and the identity of large files: watched holds their digests by path.
    """

    plan: Plan
    record: Record
    tables: tables.Tables
    watched: dict[str, str]


def compare(
    host: Host,
    wanted: Wanted,
    old: Record,
    others: list[Record],
    with_diff: bool,
    foreseen: dict[str, str] | None = None,
) -> Comparison:
    """Compare; nothing is changed. Raises StateError for what cannot be reached from here."""
    modules = kernel.find_modules(host, wanted.kernel_modules, old)
    wanted = _with_generated(host, wanted, modules)
    removal = Removal(host, wanted, old, others)
    wanted = _with_parents(host, wanted, removal, [old, *others])
    refuse_conflicts(host, wanted, others)
    digests = Digests(host, [old, *others], foreseen)
    plan = Plan()
    removal.plan(plan)
    record = Record(name=wanted.name, asked=wanted.asked if wanted.present else {})
    record.boot = kernel.boot_id(host) if wanted.kernel_modules else ""
    record.directories = {
        directory.path: _directory_entry(host, directory, removal, [old, *others])
        for directory in wanted.directories
    }
    _plan_paths(wanted, old, Paths(host, digests, plan, removal.removed, with_diff))
    plan_labels(host, plan)
    record.files = {file.path: {"sha256": file.sha256, "sensitive": file.sensitive} for file in wanted.files}
    record.links = wanted.links
    kernel.plan_modules(host, modules, plan)
    record.kernel_modules = {name: modules.found.get(name, "loaded") for name in wanted.kernel_modules}
    record.sysctls = kernel.Sysctls(host, plan, modules).plan(wanted, old, others)
    own_tables = tables.Tables(host, wanted, old, plan)
    own_tables.plan()
    record.tables = {table.item: {"definition": "", "listing": ""} for table in wanted.tables}
    record.routes = routes.Routes(host, wanted, old, others).plan(plan)
    record.units = Units(host, wanted, old, plan, digests, removal).plan()
    watched = {file.path: file.sha256 for file in wanted.files}
    for unit in record.units.values():
        watched.update(unit["digests"])
    return Comparison(plan, record, own_tables, watched)


def _with_generated(host: Host, wanted: Wanted, modules: kernel.Modules) -> Wanted:
    """Add the files and units that bring values, modules, routes and tables back after a boot."""
    route_files, route_units = routes.generated(host, wanted.name, wanted.routes)
    table_files, table_units = tables.generated(host, wanted.name, wanted.tables)
    files = [
        *kernel.module_files(wanted.name, modules),
        *kernel.sysctl_files(wanted.name, wanted.sysctls),
        *route_files,
        *table_files,
    ]
    return wanted._replace(files=[*wanted.files, *files], units=[*wanted.units, *route_units, *table_units])


def _with_parents(host: Host, wanted: Wanted, removal: Removal, records: list[Record]) -> Wanted:
    """Add the directories above wanted paths that do not exist, that flatnet has made, or that are none."""
    named = {directory.path for directory in wanted.directories}
    paths = named | {file.path for file in wanted.files} | set(wanted.links)
    made = {path for record in records for path, entry in record.directories.items() if entry["created"]}
    parents = [
        WantedDirectory(path, 0o755, "root", "root", True)
        for path in ancestors(paths) - named
        if path in made or path in removal.removed or not _is_directory(host, path)
    ]
    # Parents before what is in them.
    return wanted._replace(
        directories=sorted([*wanted.directories, *parents], key=lambda entry: entry.path.split("/"))
    )


def _is_directory(host: Host, path: str) -> bool:
    found = host.stat(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def _directory_entry(
    host: Host, directory: WantedDirectory, removal: Removal, records: list[Record]
) -> dict[str, Any]:
    path = directory.path
    found = None if path in removal.removed else host.stat(path)
    known = next((record.directories[path] for record in records if path in record.directories), None)
    owner = ids(host, f"directory {path}", directory.owner, directory.group)
    given = [[directory.mode, *owner]]
    if found is None:
        return {"created": True, "implicit": directory.implicit, "previous": None, "given": given}
    if directory.implicit:
        given = [[stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid]]
    if known is not None:
        return {
            "created": known["created"],
            "implicit": directory.implicit,
            "previous": known["previous"],
            "given": given,
        }
    previous = [stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid]
    return {"created": False, "implicit": directory.implicit, "previous": previous, "given": given}


def _plan_paths(wanted: Wanted, old: Record, paths: Paths) -> None:
    for directory in wanted.directories:
        paths.directory(directory)
    for file in wanted.files:
        paths.file(file, bool(old.files.get(file.path, {}).get("sensitive")))
    for path, target in wanted.links.items():
        paths.link(path, target)
