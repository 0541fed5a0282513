"""Starting units, and saying why when one does not start."""

from __future__ import annotations

from typing import Callable

from .host import Host, StateError
from .plan import Undo

Shown = dict[str, dict[str, str]]

# A program of these types counts as started before it has done anything: look again after this many seconds.
SETTLE_SECONDS = 0.5
EARLY_TYPES = ("simple", "exec", "idle", "forking")
JOURNAL_LINES = 20


def start(
    host: Host,
    fresh: list[str],
    again: list[str],
    failed: list[str],
    show: Callable[[Host, list[str]], Shown],
    undo: Undo,
) -> None:
    """Start and restart units in one call, so that they come up side by side as their ordering allows.

    failed: those of fresh whose failures systemd counts; it would soon refuse to start them at all.
    Raises StateError with the end of the journal of the first unit that is not running then.
    """
    names = [*fresh, *again]
    undo.stop += fresh
    undo.restart += again
    if failed:
        host.run(["systemctl", "reset-failed", *failed])
    ran = host.run(["systemctl", "restart", *names])
    shown = show(host, names)
    if ran.status == 0 and any(unit["Type"] in EARLY_TYPES for unit in shown.values()):
        host.wait(SETTLE_SECONDS)
        shown = show(host, names)
    down = [name for name in names if shown[name]["ActiveState"] not in ("active", "reloading", "refreshing")]
    if down:
        raise StateError("\n".join(_failure(host, name, shown[name]) for name in down))
    if ran.status != 0:
        raise StateError(f"systemctl restart {' '.join(names)}: {ran.complaint}")


def last_words(host: Host, name: str) -> str:
    """Return the end of a unit's journal, each line indented."""
    journal = host.run(
        ["journalctl", "-u", name, "-n", str(JOURNAL_LINES), "--no-pager", "-o", "cat"], changes=False
    )
    said = journal.output.strip() or f"(nothing: {journal.complaint})"
    return "\n".join(f"    {line}" for line in said.splitlines()[-JOURNAL_LINES:])


def _failure(host: Host, name: str, shown: dict[str, str]) -> str:
    state = f"{shown['ActiveState']}, {shown['SubState']}, result {shown['Result']}"
    return (
        f"unit {name} did not start ({state}). The end of its journal:\n{last_words(host, name)}\n"
        f"Put right what it complains of and apply again; `journalctl -u {name}` on the host shows all of it."
    )
