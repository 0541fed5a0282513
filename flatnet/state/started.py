"""Which units the tasks of a run have started on a host, for the task that looks whether they stay up."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flatnet.state.findings import STARTED, file_of

_VERBS = ("start", "restart")


def note_started(host: str, folder: Path, changes: Iterable[Mapping[str, Any]]) -> None:
    """Take note of the units that an apply has started, out of its changes.

    folder: one of this run alone. The tasks of a host follow each other, none at once.
    """
    names = {
        str(change["item"]) for change in changes if change["kind"] == "unit" and change["action"] in _VERBS
    }
    if names:
        file_of(STARTED, host, folder).write_text(json.dumps(sorted(names | set(_read(host, folder)))))


def take_started(host: str, folder: Path) -> list[str]:
    """Return the units, by name, each once: they are not told again."""
    names = _read(host, folder)
    file_of(STARTED, host, folder).unlink(missing_ok=True)
    return names


def _read(host: str, folder: Path) -> list[str]:
    file = file_of(STARTED, host, folder)
    names: list[str] = json.loads(file.read_text()) if file.exists() else []
    return names
