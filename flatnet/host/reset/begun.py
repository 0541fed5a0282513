"""What a reset must still know once the records have gone: one that was cut short goes on from there."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..state.host import Host, StateError
from ..state.record import HOME
from .shadowed import Shadowed

BEGUN = f"{HOME}/reset.json"
_FRESH = f"{HOME}/.reset.json.new"


class Begun(NamedTuple):
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


def load_begun(host: Host) -> Begun:
    """Return how far a reset had come, with nothing in it if none was cut short.

    Raises StateError where the note cannot be read: what it would say is nowhere else.
    """
    text = host.text(BEGUN)
    if text is None:
        return Begun([], [], {}, [])
    try:
        noted: dict[str, Any] = json.loads(text)
        units = {name: Shadowed(**unit) for name, unit in noted["units"].items()}
        return Begun(noted["owners"], noted["emptied"], units, noted["others"])
    except (ValueError, KeyError, TypeError):
        raise StateError(
            f"{BEGUN}, which tells how far a reset has come, cannot be read; delete it and run again: what "
            "is on record still goes"
        ) from None


def save_begun(host: Host, begun: Begun) -> None:
    """Note how far a reset has come, in one step."""
    noted = {**begun._asdict(), "units": {name: unit._asdict() for name, unit in begun.units.items()}}
    host.discard(_FRESH)
    host.write(_FRESH, json.dumps(noted).encode(), 0o600, None)
    host.rename(_FRESH, BEGUN)


def forget_begun(host: Host) -> None:
    """Remove the note, as there is nothing to go on with."""
    host.discard(_FRESH)
    host.discard(BEGUN)
