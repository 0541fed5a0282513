"""The distribution's units whose place ours of the same name have taken: they come back as they were."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from ..state.host import Host, StateError
from ..state.record import load
from ..state.units import show
from .request import Change, Outcome

# Where systemd looks for a unit after /etc (systemd.unit(5)).
_DIRECTORIES = (
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


class Shadowed(NamedTuple):
    """How a unit of the distribution was before the owner's took its place."""

    owner: str
    enabled: bool
    started: bool


def find_shadowed(host: Host, owners: list[str]) -> dict[str, Shadowed]:
    """Return the distribution's units behind those that the owners have on record as their own, by name."""
    found = {}
    for owner in owners:
        # A record that cannot be read is told of where its owner is to go.
        with suppress(StateError):
            for name, entry in load(host, owner).units.items():
                if entry["own"] and _file(host, name) is not None:
                    found[name] = Shadowed(owner, **entry["previous"])
    return found


def stop_running(host: Host, names: list[str], outcome: Outcome, check: bool) -> set[str]:
    """Stop those that came back in an earlier run, as their data is going; return the names of what ran."""
    try:
        shown = show(host, names)
    except StateError:
        # Told of when they are given back.
        return set()
    running = [name for name in names if shown[name]["ActiveState"] not in ("inactive", "failed")]
    outcome.changes += [Change("unit", name, "stop") for name in running]
    if not check:
        for name in running:
            _done(host, "stop", name, outcome)
    return set(running)


def give_back(
    host: Host,
    units: dict[str, Shadowed],
    released: set[str],
    stopped: set[str],
    outcome: Outcome,
    check: bool,
) -> set[str]:
    """Enable and start those that were, once ours are gone; return the names of those that are as before.

    released: those that this run takes ours away from. stopped: those of the distribution that it stopped.
    """
    back = set()
    try:
        shown = show(host, list(units))
    except StateError as error:
        outcome.problems.append(str(error))
        return set()
    for name, unit in units.items():
        now = shown[name]
        if check and name in released:
            now = _behind_ours(host, name)
        elif check and name in stopped:
            now = {**now, "ActiveState": "inactive"}
        steps = []
        if unit.enabled and now["UnitFileState"] == "disabled":
            steps.append("enable")
        started = unit.started or name in stopped
        if started and now["LoadState"] == "loaded" and now["ActiveState"] in ("inactive", "failed"):
            steps.append("start")
        outcome.changes += [Change("unit", name, step) for step in steps]
        failed = [step for step in steps if not check and not _done(host, step, name, outcome)]
        if not failed:
            back.add(name)
    return back


def _file(host: Host, name: str) -> str | None:
    paths = (f"{directory}/{name}" for directory in _DIRECTORIES)
    return next((path for path in paths if host.lstat(path) is not None), None)


def _behind_ours(host: Host, name: str) -> dict[str, str]:
    """Return what systemd is going to show of a unit once ours is disabled, stopped and gone."""
    text = host.text(_file(host, name) or "") or ""
    state = "disabled" if "[Install]" in text else "static"
    return {"LoadState": "loaded", "UnitFileState": state, "ActiveState": "inactive"}


def _done(host: Host, step: str, name: str, outcome: Outcome) -> bool:
    ran = host.run(["systemctl", step, name])
    if ran.status != 0:
        outcome.problems.append(
            f"unit {name} of the distribution, whose place ours had, does not {step}: {ran.complaint}"
        )
    return ran.status == 0
