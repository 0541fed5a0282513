"""Whether units that were started a moment ago stay up, and their last words where they do not."""

from __future__ import annotations

from typing import Any

from .host import Host
from .started import last_words
from .units import RUNNING

PROPERTIES = "Id,ActiveState,SubState,Result,Restart,NRestarts,ActiveEnterTimestampMonotonic"
# One that systemd has started again may have waited for another daemon: it is well once it runs this long.
STEADY_SECONDS = 5.0
# Most that is waited for those that are not well, and in steps of what.
WATCHED_SECONDS = 12.0
STEP_SECONDS = 0.5
_MICROSECONDS = 1e6


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return {problems: [one text for each unit that does not stay up]}. request: units, by their names."""
    return {"problems": problems(Host(), request["units"])}


def problems(host: Host, names: list[str]) -> list[str]:
    """Return what keeps units from staying up; at once where all run and none has been started again.

    Others are looked at again until each has run for a while, for a bounded time.
    """
    waited = 0.0
    restless = _restless(host, names)
    while restless and waited < WATCHED_SECONDS:
        host.wait(STEP_SECONDS)
        waited += STEP_SECONDS
        restless = _restless(host, list(restless))
    return [_problem(host, name, shown) for name, shown in restless.items()]


def _restless(host: Host, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the properties of those that do not run, or have not run for long since they were started again.

    A unit that systemd does not start again, and one that it does not know any more, is another matter.
    """
    ran = host.run(["systemctl", "show", f"--property={PROPERTIES}", "--", *names], changes=False)
    blocks = [block for block in ran.output.split("\n\n") if block.strip()]
    shown = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return {
        unit["Id"]: unit for unit in shown if unit.get("Restart", "no") != "no" and not _is_well(host, unit)
    }


def _is_well(host: Host, unit: dict[str, str]) -> bool:
    if unit["ActiveState"] not in RUNNING:
        return False
    since = int(unit["ActiveEnterTimestampMonotonic"]) / _MICROSECONDS
    return unit["NRestarts"] == "0" or host.clock() - since >= STEADY_SECONDS


def _problem(host: Host, name: str, shown: dict[str, str]) -> str:
    state = f"{shown['ActiveState']}, {shown['SubState']}, result {shown['Result']}"
    return (
        f"unit {name} does not stay up: systemd has started it again {shown['NRestarts']} times ({state}). "
        f"Its last words:\n{last_words(host, name)}"
    )
