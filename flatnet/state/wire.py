"""A desired state as the host reads it (flatnet/host/state/wanted.py)."""

import base64
from pathlib import Path
from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.state.desired import Desired, File
from flatnet.state.digest import file_digest

# A file up to this size (bytes) travels inside the call; a larger one only when the host has not got it.
INLINE_SIZE = 256 * 1024


class Package(NamedTuple):
    """state: plain data. sources: sha256 -> path on the controller of each blob it refers to."""

    state: dict[str, Any]
    sources: dict[str, str]


def to_wire(desired: Desired) -> Package:
    """Return the state with small files in it. Raises FlatnetError for a source that cannot be read."""
    sources: dict[str, str] = {}
    wire: dict[str, Any] = {"name": desired.name, "present": desired.present}
    empty = Desired(desired.name, present=False)
    # An owner that is to go wants nothing: all it has is in its record on the host.
    state = desired if desired.present else empty
    wire["files"] = [_file(state, file, sources) for file in state.files]
    for key in ("directories", "links", "kernel_modules", "sysctls", "routes", "nftables", "units", "absent"):
        wire[key] = getattr(state, key)
    return Package(wire, sources)


def _file(state: Desired, file: File, sources: dict[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kind": file.kind,
        "path": file.path,
        "mode": file.mode,
        "owner": file.owner,
        "group": file.group,
        "sensitive": file.sensitive,
        "validate": file.validate,
    }
    if file.content is not None:
        return {**entry, "text": file.content}
    source = Path(file.source or "")
    where = f"node_state {state.name}: {file.kind} {file.path}"
    size = _size(source)
    if file.kind != "program":
        if size is None:
            raise FlatnetError(f"{where}: its source {source} is not a file on the controller; make it first")
        if size < INLINE_SIZE:
            return {**entry, **_inline(where, source)}
    elif size is None and file.sha256 is None:
        raise FlatnetError(
            f"{where}: its source {source} is not a file on the controller; build or download it"
        )
    sha256 = file.sha256 or file_digest(source)
    sources[sha256] = str(source)
    return {**entry, "sha256": sha256}


def _size(source: Path) -> int | None:
    return source.stat().st_size if source.is_file() else None


def _inline(where: str, source: Path) -> dict[str, str]:
    try:
        data = source.read_bytes()
    except OSError as error:
        raise FlatnetError(f"{where}: its source {source} cannot be read: {error.strerror}") from None
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
