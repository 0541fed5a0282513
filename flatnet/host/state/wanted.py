"""The desired state as it arrives from the controller, which has validated it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, NamedTuple

from .asked import Asked, asked_for

UNIT_DIRECTORY = "/etc/systemd/system"


class WantedFile(NamedTuple):
    """A file; its bytes are `data`, or a blob of that digest when data is None."""

    kind: str  # file, program or unit file
    path: str
    mode: int
    owner: str
    group: str
    sensitive: bool
    data: bytes | None
    sha256: str
    validate: list[str]


class WantedDirectory(NamedTuple):
    """A directory; implicit ones are only the way to something below."""

    path: str
    mode: int
    owner: str
    group: str
    implicit: bool


class WantedUnit(NamedTuple):
    """A systemd unit. own: its file is ours. started: None leaves its state as it is.

    restart_reasons: what the controller saw that only a restart puts right.
    """

    name: str
    own: bool
    enabled: bool
    started: bool | None
    restart_on: list[str]
    restart_reasons: list[str]

    @property
    def path(self) -> str:
        """Where a unit file of ours lies."""
        return f"{UNIT_DIRECTORY}/{self.name}"


UNICAST = "unicast"


class WantedRoute(NamedTuple):
    """A route of the main table. Empty strings and None stand for what the kernel may choose."""

    destination: str
    gateway: str
    device: str
    source: str
    metric: int | None
    type: str = UNICAST

    def arguments(self) -> str:
        """Return it as `ip route` takes it, marked as ours."""
        words = [*([self.type] if self.type != UNICAST else []), self.destination]
        for keyword, value in (("via", self.gateway), ("dev", self.device), ("src", self.source)):
            words += [keyword, value] if value else []
        if self.metric is not None:
            words += ["metric", str(self.metric)]
        return " ".join([*words, "proto", "157"])

    def recorded(self) -> dict[str, Any]:
        """Return what the record says of it; the usual type goes without saying, as in records of before."""
        return {key: value for key, value in self._asdict().items() if (key, value) != ("type", UNICAST)}


class WantedTable(NamedTuple):
    """An nftables table and the definition of all of it."""

    family: str
    table: str
    content: str

    @property
    def item(self) -> str:
        """Its name as nft says it."""
        return f"{self.family} {self.table}"


class Wanted(NamedTuple):
    """All that one owner wants of this host. asked: the same without contents, for the record."""

    name: str
    present: bool
    directories: list[WantedDirectory]
    files: list[WantedFile]
    links: dict[str, str]
    absent: list[str]
    units: list[WantedUnit]
    kernel_modules: list[str]
    sysctls: dict[str, str]
    routes: list[WantedRoute]
    tables: list[WantedTable]
    asked: Asked


def from_wire(wire: dict[str, Any]) -> Wanted:
    """Return the state from its plain form, made by flatnet.state.wire."""
    return Wanted(
        name=wire["name"],
        present=wire["present"],
        directories=[
            WantedDirectory(entry["path"], entry["mode"], entry["owner"], entry["group"], False)
            for entry in wire["directories"]
        ],
        files=[_file(entry) for entry in wire["files"]],
        links={entry["path"]: entry["target"] for entry in wire["links"]},
        absent=wire["absent"],
        units=[
            WantedUnit(
                entry["name"],
                entry["own"],
                entry["enabled"],
                entry["started"],
                entry["restart_on"],
                entry["restart_reasons"],
            )
            for entry in wire["units"]
        ],
        kernel_modules=wire["kernel_modules"],
        sysctls=wire["sysctls"],
        routes=[
            WantedRoute(
                entry["destination"],
                entry["gateway"],
                entry["device"],
                entry["source"],
                entry["metric"],
                entry.get("type", UNICAST),
            )
            for entry in wire["routes"]
        ],
        tables=[WantedTable(entry["family"], entry["table"], entry["content"]) for entry in wire["nftables"]],
        asked=asked_for(wire),
    )


def generated_file(
    path: str, content: str, kind: str = "file", validate: list[str] | None = None
) -> WantedFile:
    """Return a file whose content follows from the rest of the state."""
    data = content.encode()
    digest = hashlib.sha256(data).hexdigest()
    return WantedFile(kind, path, 0o644, "root", "root", False, data, digest, validate or [])


def _file(entry: dict[str, Any]) -> WantedFile:
    data: bytes | None = None
    if "text" in entry:
        data = entry["text"].encode()
    elif "base64" in entry:
        data = base64.b64decode(entry["base64"])
    return WantedFile(
        entry["kind"],
        entry["path"],
        entry["mode"],
        entry["owner"],
        entry["group"],
        entry["sensitive"],
        data,
        entry["sha256"] if data is None else hashlib.sha256(data).hexdigest(),
        entry["validate"],
    )
