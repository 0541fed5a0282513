"""What a look at a host found to be still as it was applied, so that nobody has to apply it again now.

A finding spares one call and is gone then. What changes on a host is followed by another look, in the same
call; what changes on any host may change the cluster, so that objects are applied then as without a look.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flatnet.state.findings import APPLIED, file_of

# When something last changed on any host, as the time of this file.
_CHANGED = "applied-changed"


def remember(
    host: str, folder: Path, state: Mapping[str, str], objects: Mapping[str, str], seen: int
) -> None:
    """Keep what a look found: owner -> digest of what holds, "" where it does not.

    folder: one of this run alone. seen: when the look began (time.time_ns).
    """
    _write(host, folder, {"state": dict(state), "objects": dict(objects), "seen": seen})


def look_again(host: str, folder: Path, state: Mapping[str, str]) -> None:
    """Take the place of what was found about the states of a host, for owners who have not been asked yet."""
    found = _read(host, folder)
    if found:
        left = {owner: digest if found["state"].get(owner) else "" for owner, digest in state.items()}
        _write(host, folder, {**found, "state": left})


def awaits(host: str, folder: Path) -> bool:
    """Tell whether there are findings about states of the host that may yet spare a call."""
    return any(_read(host, folder).get("state", {}).values())


def holds_state(host: str, folder: Path, owner: str, digest: str, is_empty: bool) -> bool:
    """Tell whether a state needs no call; the finding is used up by that.

    is_empty: nothing is wanted, which is so already where the owner has no record.
    """
    found = _read(host, folder)
    if not found:
        return False
    known = found["state"].get(owner)
    _write(host, folder, {**found, "state": {**found["state"], owner: ""}})
    return is_empty if known is None else bool(digest) and known == digest


def holds_objects(host: str, folder: Path, owner: str, digest: str) -> bool:
    """Tell whether objects need no call; the finding is used up by that."""
    found = _read(host, folder)
    if not found:
        return False
    known = found["objects"].get(owner, "")
    _write(host, folder, {**found, "objects": {**found["objects"], owner: ""}})
    marker = folder / _CHANGED
    is_fresh = not marker.exists() or marker.stat().st_mtime_ns < found["seen"]
    return is_fresh and bool(digest) and known == digest


def note_change(folder: Path) -> None:
    """Take note that something changed on some host or in the cluster."""
    marker = folder / _CHANGED
    marker.touch()
    # By this clock, as `seen` is: that of the file system is coarser.
    now = time.time_ns()
    os.utime(marker, ns=(now, now))


def follow_change(host: str, folder: Path, applied: Mapping[str, str]) -> None:
    """Take note of a change of the host; applied: what another look after it found, empty where none was."""
    note_change(folder)
    if applied:
        look_again(host, folder, applied)
    else:
        forget(host, folder)


def forget(host: str, folder: Path) -> None:
    """Drop all that is known about a host."""
    file_of(APPLIED, host, folder).unlink(missing_ok=True)


def forget_all(folder: Path) -> None:
    """Drop all that is known about any host: what follows in the run may change it untold."""
    for file in folder.glob("applied-*.json"):
        file.unlink(missing_ok=True)


def read_paths(state: Mapping[str, Any]) -> set[str]:
    """Return the paths whose contents decide what applying a state does, as it travels to the host."""
    watched: Iterable[str] = (path for unit in state["units"] for path in unit["restart_on"])
    units = (f"/etc/systemd/system/{unit['name']}" for unit in state["units"])
    return {*watched, *units, *(file["path"] for file in state["files"])}


def _read(host: str, folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file_of(APPLIED, host, folder).read_text())
    except FileNotFoundError:
        return {}
    return found


def _write(host: str, folder: Path, found: Mapping[str, Any]) -> None:
    file_of(APPLIED, host, folder).write_text(json.dumps(found))
