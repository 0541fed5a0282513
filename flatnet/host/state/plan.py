"""What an apply is going to do, and how to take it back.

Comparing produces the plan; check mode reports it, an apply carries it out: so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Callable, NamedTuple

from .host import Host


class Phase(IntEnum):
    """The order in which things happen on a host."""

    STOP_UNWANTED = 0
    REMOVE = 1
    WRITE = 2
    LABEL = 3
    MODULES = 4
    SYSCTLS = 5
    TABLES = 6
    ROUTES = 7
    ENABLE = 8
    RELOAD = 9
    STOP = 10
    START = 11


class Change(NamedTuple):
    """One thing that differs from what is wanted."""

    kind: str
    item: str
    action: str
    reason: str

    def __str__(self) -> str:
        """Return it as a line for people."""
        return f"{self.kind} {self.item}: {self.action} ({self.reason})"


@contextmanager
def collecting(failures: list[str], what: str) -> Iterator[None]:
    """Add an error to failures in place of raising it."""
    try:
        yield
    except Exception as error:
        failures.append(f"{what}: {error}")


class Undo:
    """How to go back, gathered while going forward."""

    def __init__(self, host: Host) -> None:
        """Begin with nothing done."""
        self.host = host
        self._back: list[tuple[str, Callable[[], object]]] = []
        self._done: list[Callable[[], object]] = []
        self.stop: list[str] = []
        self.restart: list[str] = []
        self.reload = False

    def back(self, what: str, how: Callable[[], object]) -> None:
        """Remember how to undo the step just done."""
        self._back.append((what, how))

    def afterwards(self, what: Callable[[], object]) -> None:
        """Remember what to tidy up once all has succeeded."""
        self._done.append(what)

    def tidy(self) -> None:
        """Remove what was kept for going back."""
        for what in reversed(self._done):
            what()

    def roll_back(self) -> list[str]:
        """Restore what was there; return what could not be restored."""
        failures: list[str] = []
        if self.stop:
            # A unit that was not running before may be restarting for ever on files that are about to go.
            self.host.run(["systemctl", "stop", *self.stop])
        for what, how in reversed(self._back):
            # Whatever goes wrong with one step, the others are still to be undone.
            with collecting(failures, what):
                how()
        if self.reload:
            self._ask(["daemon-reload"], failures)
        if self.restart:
            self._ask(["restart", *self.restart], failures)
        return failures

    def _ask(self, arguments: list[str], failures: list[str]) -> None:
        ran = self.host.run(["systemctl", *arguments])
        if ran.status != 0:
            failures.append(f"systemctl {' '.join(arguments)}: {ran.complaint}")


@dataclass
class Plan:
    """Changes by phase, and what else the caller has to know."""

    steps: list[tuple[Phase, Callable[[Undo], None]]] = field(default_factory=list)
    changes: list[tuple[Phase, Change]] = field(default_factory=list)
    diffs: list[dict[str, Any]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    touched: list[str] = field(default_factory=list)
    restarted: list[dict[str, str]] = field(default_factory=list)

    def add(self, phase: Phase, changes: list[Change], how: Callable[[Undo], None]) -> None:
        """Plan one step that makes some changes."""
        self.steps.append((phase, how))
        self.changes.extend((phase, change) for change in changes)

    def ordered_changes(self) -> list[Change]:
        """Return the changes in the order in which they are made."""
        return [change for _, change in sorted(self.changes, key=lambda entry: entry[0])]

    def ordered_steps(self) -> list[Callable[[Undo], None]]:
        """Return the steps in the order in which they are made."""
        return [how for _, how in sorted(self.steps, key=lambda entry: entry[0])]

    def changes_path_under(self, directory: str) -> bool:
        """Tell whether anything below a directory changes."""
        return any(path.startswith(directory + "/") for path in self.touched)
