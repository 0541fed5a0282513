"""What earlier tasks of a run in check mode would have left on a host, for the tasks that depend on it.

A daemon restarts when its program is another one, and the program is brought by another task than the one
that runs the daemon. In check mode nothing is brought, so each task is told what those before it foresaw.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from flatnet.state.findings import FORESEEN, file_of


def foreseen_on(host: str, folder: Path) -> dict[str, str]:
    """Return path -> sha256, or "absent", of the files that would have changed.

    folder: one of this run alone.
    """
    file = file_of(FORESEEN, host, folder)
    if not file.exists():
        return {}
    found: dict[str, str] = json.loads(file.read_text())
    return found


def foresee(host: str, folder: Path, digests: Mapping[str, str]) -> None:
    """Add what one more task would have changed; the tasks of a host follow each other, none at once."""
    if digests:
        file_of(FORESEEN, host, folder).write_text(json.dumps({**foreseen_on(host, folder), **digests}))
