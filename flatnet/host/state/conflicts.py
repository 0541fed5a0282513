"""Two owners must not want different things of one place."""

from __future__ import annotations

from .host import Host, StateError
from .paths import ids
from .record import Record
from .routes import key
from .wanted import Wanted


def refuse_conflicts(host: Host, wanted: Wanted, others: list[Record]) -> None:
    """Raise StateError naming both owners where wanted claims what another owner's record names.

    Directories, sysctls and kernel modules may be shared, as long as all want the same of them.
    """
    for other in others:
        _paths(wanted, other)
        _directories(host, wanted, other)
        for unit in wanted.units:
            if unit.name in other.units:
                raise _conflict("unit", unit.name, wanted.name, other.name)
        for name, value in wanted.sysctls.items():
            if name in other.sysctls and value not in other.sysctls[name]["given"]:
                theirs = other.sysctls[name]["given"][-1]
                raise StateError(
                    f"sysctl {name}: {wanted.name} wants {value}, {other.name} wants {theirs}; let them agree"
                )
        routes = {key(route) for route in other.routes}
        for route in wanted.routes:
            if key(route) in routes:
                raise _conflict("route", route.destination, wanted.name, other.name)
        for table in wanted.tables:
            if table.item in other.tables:
                raise _conflict("table", table.item, wanted.name, other.name)


def _paths(wanted: Wanted, other: Record) -> None:
    for path in [*(file.path for file in wanted.files), *wanted.links]:
        if other.owns(path) or path in other.directories:
            raise _conflict("path", path, wanted.name, other.name)
    for path in wanted.absent:
        for theirs in [*other.files, *other.links, *other.directories]:
            if theirs == path or theirs.startswith(path + "/"):
                raise StateError(
                    f"path {path} is wanted absent by {wanted.name}, but {theirs} belongs to {other.name}; "
                    f"remove {other.name} first, or drop the entry"
                )


def _directories(host: Host, wanted: Wanted, other: Record) -> None:
    for directory in wanted.directories:
        path = directory.path
        if other.owns(path):
            raise _conflict("path", path, wanted.name, other.name)
        theirs = other.directories.get(path)
        if theirs is None or theirs["implicit"] or directory.implicit:
            continue
        access = [directory.mode, *ids(host, f"directory {path}", directory.owner, directory.group)]
        if access not in theirs["given"]:
            mode, uid, gid = theirs["given"][-1]
            raise StateError(
                f"directory {path}: {wanted.name} wants mode {directory.mode:04o} and owner "
                f"{access[1]}:{access[2]}, {other.name} wants {mode:04o} and {uid}:{gid}; let them agree"
            )


def _conflict(kind: str, item: str, one: str, other: str) -> StateError:
    return StateError(
        f"{kind} {item} is wanted by {one} and belongs to {other} already; let only one of them have it"
    )
