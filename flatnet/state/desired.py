"""The desired state of a node: its schema, and the rules it has to keep before any host is asked."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.state.entry import Entry, absolute_path
from flatnet.state.network import parse_route, parse_table

UNIT_DIRECTORY = "/etc/systemd/system"
KEYS = (
    "name",
    "state",
    "directories",
    "files",
    "programs",
    "links",
    "kernel_modules",
    "sysctls",
    "routes",
    "nftables",
    "units",
    "absent",
)
_UNIT_NAME = r"[A-Za-z0-9:_.@\\-]+\.(service|socket|timer|path|mount|automount|swap|target|slice)"
# Directories of the system itself. Wanting one of these absent is a mistake, never a state.
_SYSTEM_DIRECTORIES = frozenset(
    f"/{path}"
    for path in [
        "etc/default",
        "etc/modules-load.d",
        "etc/network",
        "etc/ssh",
        "etc/sysctl.d",
        "etc/systemd",
        "etc/systemd/system",
        "usr/bin",
        "usr/lib",
        "usr/libexec",
        "usr/local",
        "usr/local/bin",
        "usr/local/sbin",
        "usr/sbin",
        "usr/share",
        "var/cache",
        "var/lib",
        "var/lib/flatnet",
        "var/log",
        "var/run",
        "var/spool",
        "var/tmp",
        "run/systemd",
    ]
)


@dataclass
class File:
    """A file of the desired state; its bytes are content, or those of source on the controller."""

    kind: str
    path: str
    mode: int
    owner: str
    group: str
    sensitive: bool
    content: str | None = None
    source: str | None = None
    sha256: str | None = None
    validate: list[str] = field(default_factory=list)


@dataclass
class Desired:
    """A validated state; what is plain data already is in the form that the module reads."""

    name: str
    present: bool
    directories: list[dict[str, Any]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    links: list[dict[str, str]] = field(default_factory=list)
    kernel_modules: list[str] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    routes: list[dict[str, Any]] = field(default_factory=list)
    nftables: list[dict[str, str]] = field(default_factory=list)
    units: list[dict[str, Any]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def parse(arguments: Mapping[str, Any]) -> Desired:
    """Return the state that a task's arguments describe.

    Raises FlatnetError, naming the entry, for an unknown key, a wrong type, a relative path, a bad mode,
    a place that two entries want, or a unit that could never be in its wanted state.
    """
    top = Entry("node_state", arguments, KEYS)
    name = top.word("name", r"[a-z][a-z0-9_-]{0,63}", "kube_node")
    top.where = f"node_state {name}"
    desired = Desired(name=name, present=top.choice("state", ("present", "absent"), "present") == "present")
    desired.directories = [_directory(entry) for entry in _entries(top, "directories", _DIRECTORY_KEYS)]
    desired.files = [_file(entry) for entry in _entries(top, "files", _FILE_KEYS)]
    desired.files += [_program(entry) for entry in _entries(top, "programs", _PROGRAM_KEYS)]
    desired.links = [
        {"path": entry.path(), "target": entry.text("target")}
        for entry in _entries(top, "links", ("path", "target"))
    ]
    desired.kernel_modules = [_kernel_module(top, entry) for entry in top.items("kernel_modules")]
    desired.sysctls = dict(_sysctls(top))
    desired.routes = [parse_route(entry) for entry in _entries(top, "routes", _ROUTE_KEYS, "destination")]
    desired.nftables = [
        parse_table(entry) for entry in _entries(top, "nftables", ("family", "table", "content"), "table")
    ]
    for entry in _entries(
        top, "units", ("name", "content", "enabled", "state", "restart_on", "restart_reasons"), "name"
    ):
        unit, file = _unit(entry)
        desired.units.append(unit)
        desired.files += [file] if file else []
    desired.absent = [_absent(f"{top.where}: absent", path) for path in top.items("absent")]
    _refuse_duplicates(top, desired)
    _refuse_overlaps(top, desired)
    return desired


_ACCESS_KEYS = ("path", "mode", "owner", "group")
_DIRECTORY_KEYS = _ACCESS_KEYS
_FILE_KEYS = (*_ACCESS_KEYS, "content", "source", "validate", "sensitive")
_ROUTE_KEYS = ("destination", "gateway", "device", "source", "metric", "type")
_PROGRAM_KEYS = (*_ACCESS_KEYS, "source", "sha256")


def _entries(top: Entry, key: str, known: tuple[str, ...], label: str = "path") -> Iterator[Entry]:
    for number, value in enumerate(top.items(key)):
        title = value.get(label) if isinstance(value, Mapping) else None
        where = f"{top.where}: {key}[{number}]" + (f" {title}" if isinstance(title, str) else "")
        yield Entry(where, value, known)


def _directory(entry: Entry) -> dict[str, Any]:
    return {
        "path": entry.path(),
        "mode": entry.mode(0o755),
        "owner": entry.text("owner", "root"),
        "group": entry.text("group", "root"),
    }


def _file(entry: Entry) -> File:
    if entry.has("content") == entry.has("source"):
        raise entry.error("give either content or source")
    mode = entry.mode(0o644)
    return File(
        kind="file",
        path=entry.path(),
        mode=mode,
        owner=entry.text("owner", "root"),
        group=entry.text("group", "root"),
        # What not everybody on the host may read is not for everybody who reads a log either.
        sensitive=entry.boolean("sensitive", default=not mode & 0o004),
        content=entry.text("content", empty=True) if entry.has("content") else None,
        source=entry.path("source") if entry.has("source") else None,
        validate=_validate(entry),
    )


def _validate(entry: Entry) -> list[str]:
    if not entry.has("validate"):
        return []
    command = entry.text("validate")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise entry.error(f"validate {command!r} is not a command line: {error}") from None
    if "{path}" not in command:
        raise entry.error(f"validate {command!r} has to contain {{path}}, where the new file's path goes")
    return words


def _program(entry: Entry) -> File:
    sha256 = entry.text("sha256").lower() if entry.has("sha256") else None
    if sha256 is not None and re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
        raise entry.error(f"sha256 {sha256!r} has to be 64 hexadecimal digits")
    return File(
        kind="program",
        path=entry.path(),
        mode=entry.mode(0o755),
        owner=entry.text("owner", "root"),
        group=entry.text("group", "root"),
        sensitive=False,
        source=entry.path("source"),
        sha256=sha256,
    )


def _kernel_module(top: Entry, name: object) -> str:
    if not isinstance(name, str) or re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
        raise top.error(f"kernel_modules: {name!r} is not the name of a kernel module")
    return str(name)


def _sysctls(top: Entry) -> Iterator[tuple[str, str]]:
    for key, value in top.mapping("sysctls").items():
        if not isinstance(key, str) or re.fullmatch(r"[A-Za-z0-9_-]+([./][A-Za-z0-9_./-]+)+", key) is None:
            raise top.error(f"sysctls: {key!r} is not a sysctl key; an example of one is net.ipv4.ip_forward")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise top.error(f"sysctls: {key} is {value!r}, but has to be a number or a string")
        yield str(key), " ".join(str(value).split())


def _reason(entry: Entry, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise entry.error(f"restart_reasons: {value!r} is no reason; say what is wrong in a few words")
    return value


def _unit(entry: Entry) -> tuple[dict[str, Any], File | None]:
    name = entry.word("name", _UNIT_NAME, "kubelet.service")
    enabled = entry.boolean("enabled", default=True)
    started = entry.choice("state", ("started", "stopped"), "started") == "started"
    unit = {
        "name": name,
        "own": entry.has("content"),
        "enabled": enabled,
        "started": started,
        "restart_on": [absolute_path(entry.where, "restart_on", path) for path in entry.items("restart_on")],
        "restart_reasons": [_reason(entry, reason) for reason in entry.items("restart_reasons")],
    }
    if not entry.has("content"):
        return unit, None
    content = entry.text("content")
    lines = [line.strip() for line in content.splitlines()]
    if enabled and "[Install]" not in lines:
        raise entry.error("it cannot be enabled without an [Install] section; add one, or set enabled: false")
    if (
        started
        and "Type=oneshot" in lines
        and not {"RemainAfterExit=yes", "RemainAfterExit=true"} & set(lines)
    ):
        raise entry.error(
            "a Type=oneshot unit is over when its program ends; add RemainAfterExit=yes to have it started"
        )
    path = f"{UNIT_DIRECTORY}/{name}"
    return unit, File("unit file", path, 0o644, "root", "root", sensitive=False, content=content)


def _absent(where: str, value: object) -> str:
    path = absolute_path(where, "path", value)
    if len(PurePosixPath(path).parts) < 3 or path in _SYSTEM_DIRECTORIES:
        raise FlatnetError(
            f"{where}: {path} is a directory of the system itself; name what is to go inside it"
        )
    return path


def _refuse_duplicates(top: Entry, desired: Desired) -> None:
    _unique(top, "kernel module", desired.kernel_modules)
    _unique(top, "unit", [unit["name"] for unit in desired.units])
    _unique(
        top, "route", [f"{route['destination']} metric {route['metric'] or 0}" for route in desired.routes]
    )
    _unique(top, "nftables table", [f"{table['family']} {table['table']}" for table in desired.nftables])


def _unique(top: Entry, what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise top.error(f"{what} {name} is given twice; keep one of the two entries")
        seen.add(name)


def _refuse_overlaps(top: Entry, desired: Desired) -> None:
    leaves = [*(file.path for file in desired.files), *(link["path"] for link in desired.links)]
    directories = [directory["path"] for directory in desired.directories]
    _unique(top, "path", [*leaves, *directories, *desired.absent])
    closed = {**dict.fromkeys(leaves, "a file or link"), **dict.fromkeys(desired.absent, "wanted absent")}
    for path in [*leaves, *directories]:
        for parent in PurePosixPath(path).parents:
            if str(parent) in closed:
                raise top.error(
                    f"path {path} lies below {parent}, which is {closed[str(parent)]}; drop one of them"
                )
