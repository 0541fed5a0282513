"""systemd units: compared in one call, and each started, stopped or restarted for a stated reason only.

The record holds the digests of the files a unit was last started with. A unit restarts when they differ from
the wanted ones: so an apply that was killed after writing and before restarting is completed by the next.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .digests import Digests
from .host import Host, StateError
from .plan import Change, Phase, Plan, Undo
from .record import Record
from .remove import Removal
from .started import start
from .wanted import UNIT_DIRECTORY, Wanted, WantedUnit

PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Result,Type"
RUNNING = ("active", "reloading", "refreshing")
ENABLED = (
    "enabled",
    "enabled-runtime",
    "alias",
    "static",
    "indirect",
    "generated",
    "linked",
    "linked-runtime",
)
# Directories whose files systemd reads when told to.
READ_BY_SYSTEMD = (UNIT_DIRECTORY, "/usr/lib/systemd/system", "/lib/systemd/system")


def show(host: Host, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the properties of units by name, in one call."""
    if not names:
        return {}
    ran = host.run(["systemctl", "show", f"--property={PROPERTIES}", "--", *names], changes=False)
    if ran.status != 0:
        raise StateError(f"systemd does not tell the state of its units: {ran.complaint}")
    blocks = [block for block in ran.output.split("\n\n") if block.strip()]
    shown = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    if len(shown) != len(names):
        raise StateError(f"systemd told of {len(shown)} units when asked for {', '.join(names)}")
    return {name: shown[place] for place, name in enumerate(names)}


class Units:
    """Compares units with systemd and plans what to do about them."""

    def __init__(
        self, host: Host, wanted: Wanted, old: Record, plan: Plan, digests: Digests, removal: Removal
    ) -> None:
        """Ask systemd about all units concerned; not at all when there are none."""
        self._host = host
        self._wanted = wanted
        self._old = old
        self._plan = plan
        self._digests = digests
        self._removal = removal
        self._file_digests = {file.path: file.sha256 for file in wanted.files}
        self._wanted_names = {unit.name for unit in wanted.units}
        self._stale = [name for name in old.units if name not in self._wanted_names]
        self._shown = show(host, [*(unit.name for unit in wanted.units), *self._stale])

    def plan(self) -> dict[str, dict[str, Any]]:
        """Add the steps, and return what the record is to say of the units."""
        entries = {unit.name: self._entry(unit) for unit in self._wanted.units}
        self._plan_release()
        self._plan_enablement(entries)
        self._plan_reload()
        self._plan_stop()
        self._plan_start(entries)
        return entries

    def _entry(self, unit: WantedUnit) -> dict[str, Any]:
        shown = self._shown[unit.name]
        known = self._old.units.get(unit.name)
        previous = (
            known["previous"]
            if known
            else {"enabled": shown["UnitFileState"] in ENABLED, "started": shown["ActiveState"] in RUNNING}
        )
        digests = {path: self._wanted_digest(path) for path in self._watched(unit)} if unit.started else {}
        return {"own": unit.own, "previous": previous, "digests": digests}

    def _watched(self, unit: WantedUnit) -> list[str]:
        return sorted({*([unit.path] if unit.own else []), *unit.restart_on})

    def _wanted_digest(self, path: str) -> str:
        if path in self._file_digests:
            return self._file_digests[path]
        if path in self._wanted.links:
            return f"link {self._wanted.links[path]}"
        return "absent" if self._removal.takes(path) else self._digests.of(path)

    # Units that are no longer wanted

    def _plan_release(self) -> None:
        """Stop and disable our own units; put those of others back to what they were."""
        stop, disable, enable, start_again = [], [], [], []
        changes = []
        for name in self._stale:
            shown, entry = self._shown[name], self._old.units[name]
            before = {"enabled": False, "started": False} if entry["own"] else entry["previous"]
            running = shown["ActiveState"] not in ("inactive", "failed")
            enabled = shown["UnitFileState"] in ("enabled", "enabled-runtime")
            if running and not before["started"]:
                stop.append(name)
                changes.append(Change("unit", name, "stop", "no longer wanted"))
            if enabled and not before["enabled"]:
                disable.append(name)
                changes.append(Change("unit", name, "disable", "no longer wanted"))
            if entry["own"] or shown["LoadState"] != "loaded":
                continue
            if before["enabled"] and shown["UnitFileState"] == "disabled":
                enable.append(name)
                changes.append(Change("unit", name, "enable", "was enabled before"))
            if before["started"] and not running:
                start_again.append(name)
                changes.append(Change("unit", name, "start", "was running before"))
        if changes:
            self._plan.add(
                Phase.STOP_UNWANTED, changes, partial(self._release, stop, disable, enable, start_again)
            )

    def _release(
        self, stop: list[str], disable: list[str], enable: list[str], start_again: list[str], undo: Undo
    ) -> None:
        if stop:
            undo.restart += stop
            self._systemctl(["stop", *stop])
        if disable:
            undo.back("units", partial(self._systemctl, ["enable", "--no-reload", *disable]))
            self._systemctl(["disable", "--no-reload", *disable])
        if enable:
            undo.back("units", partial(self._systemctl, ["disable", "--no-reload", *enable]))
            self._systemctl(["enable", "--no-reload", *enable])
        if start_again:
            undo.stop += start_again
            self._systemctl(["start", *start_again])

    # Enabling

    def _plan_enablement(self, entries: dict[str, dict[str, Any]]) -> None:
        enable, disable, again, changes = [], [], [], []
        for unit in self._wanted.units:
            state = self._shown[unit.name]["UnitFileState"]
            self._refuse_unusable(unit)
            if unit.enabled and state not in ENABLED:
                enable.append(unit.name)
                changes.append(Change("unit", unit.name, "enable", f"is {state or 'new'}"))
            elif not unit.enabled and state in ("enabled", "enabled-runtime"):
                disable.append(unit.name)
                changes.append(Change("unit", unit.name, "disable", f"is {state}"))
            elif unit.enabled and unit.own and self._file_differs(unit, entries):
                # Its [Install] section may be another one; the links follow it.
                again.append(unit.name)
        if enable or disable or again:
            self._plan.add(Phase.ENABLE, changes, partial(self._enable, enable, disable, again))

    def _file_differs(self, unit: WantedUnit, entries: dict[str, dict[str, Any]]) -> bool:
        if unit.path in self._plan.touched:
            return True
        known = self._old.units.get(unit.name, {"digests": {}})["digests"]
        wanted = entries[unit.name]["digests"]
        return unit.path in wanted and known.get(unit.path) != wanted[unit.path]

    def _refuse_unusable(self, unit: WantedUnit) -> None:
        shown = self._shown[unit.name]
        if not (unit.enabled or unit.started):
            return
        if "masked" in (shown["LoadState"], shown["UnitFileState"]):
            raise StateError(f"unit {unit.name} is masked; allow it with `systemctl unmask {unit.name}`")
        ours = unit.own or any(path.endswith(f"/{unit.name}") for path in self._file_digests)
        if shown["LoadState"] == "not-found" and not ours:
            raise StateError(
                f"unit {unit.name} does not exist on this host; install what brings it, or give its content"
            )

    def _enable(self, enable: list[str], disable: list[str], again: list[str], undo: Undo) -> None:
        if disable:
            undo.back("units", partial(self._systemctl, ["enable", "--no-reload", *disable]))
            self._systemctl(["disable", "--no-reload", *disable])
        if enable:
            undo.back("units", partial(self._systemctl, ["disable", "--no-reload", *enable]))
            self._systemctl(["enable", "--no-reload", *enable])
        if again:
            self._systemctl(["reenable", "--no-reload", *again])

    # Reading unit files

    def _plan_reload(self) -> None:
        stale_view = [name for name, shown in self._shown.items() if shown["NeedDaemonReload"] == "yes"]
        files = any(self._plan.changes_path_under(directory) for directory in READ_BY_SYSTEMD)
        enablement = any(phase == Phase.ENABLE for phase, _ in self._plan.steps)
        unfinished = not self._old.complete and bool(self._shown)
        if stale_view and not files:
            reason = f"systemd has not read the present file of {', '.join(stale_view)}"
            changes = [Change("systemd", "unit files", "read", reason)]
            self._plan.add(Phase.RELOAD, changes, self._reload)
        elif files or enablement or unfinished:
            self._plan.add(Phase.RELOAD, [], self._reload)

    def _reload(self, undo: Undo) -> None:
        undo.reload = True
        self._systemctl(["daemon-reload"])
        failed = [name for name in self._stale if self._shown[name]["ActiveState"] == "failed"]
        if failed:
            # Else systemd goes on listing a unit whose file is gone. It may know it no longer: no matter.
            self._host.run(["systemctl", "reset-failed", *failed])

    # Stopping and starting

    def _plan_stop(self) -> None:
        names = [
            unit.name
            for unit in self._wanted.units
            if unit.started is False and self._shown[unit.name]["ActiveState"] not in ("inactive", "failed")
        ]
        if names:
            changes = [Change("unit", name, "stop", "is running, wanted stopped") for name in names]
            self._plan.add(Phase.STOP, changes, partial(self._stop, names))

    def _stop(self, names: list[str], undo: Undo) -> None:
        undo.restart += names
        self._systemctl(["stop", *names])

    def _plan_start(self, entries: dict[str, dict[str, Any]]) -> None:
        fresh, again, failed, changes = [], [], [], []
        for unit in self._wanted.units:
            if not unit.started:
                continue
            idle = self._idle_reason(unit)
            if idle:
                fresh.append(unit.name)
                changes.append(Change("unit", unit.name, "start", idle))
                failed += [unit.name] if self._shown[unit.name]["ActiveState"] == "failed" else []
                continue
            reason = self._restart_reason(unit, entries[unit.name]["digests"])
            if reason:
                again.append(unit.name)
                changes.append(Change("unit", unit.name, "restart", reason))
                self._plan.restarted.append({"unit": unit.name, "reason": reason})
        if changes:
            self._plan.add(Phase.START, changes, partial(start, self._host, fresh, again, failed, show))

    def _idle_reason(self, unit: WantedUnit) -> str:
        shown = self._shown[unit.name]
        if shown["ActiveState"] in RUNNING:
            return ""
        if shown["LoadState"] == "not-found":
            return "is new"
        if shown["ActiveState"] == "failed":
            return f"has failed ({shown['Result']})"
        if shown["ActiveState"] == "activating":
            return f"is not ready ({shown['SubState']})"
        return f"is {shown['ActiveState']}"

    def _restart_reason(self, unit: WantedUnit, wanted: dict[str, str]) -> str:
        known: dict[str, str] = self._old.units.get(unit.name, {"digests": {}})["digests"]
        if wanted and not known:
            return "not known which files it was started with"
        changed = [path for path, digest in wanted.items() if known.get(path) != digest]
        reasons = [f"{', '.join(changed)} changed"] if changed else []
        return "; ".join([*reasons, *unit.restart_reasons])

    def _systemctl(self, arguments: list[str]) -> None:
        ran = self._host.run(["systemctl", *arguments])
        if ran.status != 0:
            raise StateError(f"systemctl {' '.join(arguments)}: {ran.complaint}")
