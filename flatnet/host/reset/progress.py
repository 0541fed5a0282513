"""What a reset must still know once the records have gone: one that was cut short goes on from there."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..state.host import Host, StateError
from ..state.record import HOME
from .shadowed import Shadowed

PROGRESS = f"{HOME}/reset.json"
_FRESH = f"{HOME}/.reset.json.new"


class Progress(NamedTuple):
    """How far a reset has come.

    owners: those that had something here when it began.
    emptied: those of them whose data has gone, and whose units had names of the distribution's: what lies
    there now may be the distribution's.
    units: the distribution's units that are to come back.
    others: containerd's namespaces in which others had something.
    """

    owners: list[str]
    emptied: list[str]
    units: dict[str, Shadowed]
    others: list[str]


def load_progress(host: Host) -> Progress:
    """Return how far a reset had come, with nothing in it if none was cut short.

    Raises StateError where the note cannot be read: what it would say is nowhere else.
    """
    text = host.text(PROGRESS)
    if text is None:
        return Progress([], [], {}, [])
    try:
        noted: dict[str, Any] = json.loads(text)
        units = {name: Shadowed(**unit) for name, unit in noted["units"].items()}
        return Progress(noted["owners"], noted["emptied"], units, noted["others"])
    except (ValueError, KeyError, TypeError):
        raise StateError(
            f"{PROGRESS}, which tells how far a reset has come, cannot be read; delete it and run again: "
            "what is on record still goes"
        ) from None


def save_progress(host: Host, progress: Progress) -> None:
    """Note how far a reset has come, in one step."""
    noted = {**progress._asdict(), "units": {name: unit._asdict() for name, unit in progress.units.items()}}
    host.discard(_FRESH)
    host.write(_FRESH, json.dumps(noted).encode(), 0o600, None)
    host.rename(_FRESH, PROGRESS)


def forget_progress(host: Host) -> None:
    """Remove the note, as there is nothing to go on with."""
    host.discard(_FRESH)
    host.discard(PROGRESS)
