"""How a long build or download tells its user where it is: a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console


class Progress(Protocol):
    """What builders and downloaders report to."""

    def say(self, message: str) -> None:
        """Show one line that stays."""

    def step(self, label: str, position: int, total: int) -> AbstractContextManager[None]:
        """Show that step `position` of `total` is under way, and how long it took once it is done."""


class Lines:
    """One line when a step begins and one when it ends: for logs and pipes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to `stream`, by default standard error (standard output belongs to results)."""
        self.stream = stream or sys.stderr

    def say(self, message: str) -> None:
        """Write one line."""
        self.stream.write(f"{message}\n")
        self.stream.flush()

    @contextmanager
    def step(self, label: str, position: int, total: int) -> Iterator[None]:
        """Write the beginning and, if it succeeds, the end with its seconds."""
        self.say(f"[{position}/{total}] {label} ...")
        began = time.monotonic()
        yield
        self.say(f"[{position}/{total}] {label}: {time.monotonic() - began:.1f} s")


class Terminal:
    """A spinner while a step is under way."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console

    def say(self, message: str) -> None:
        """Print one line above the spinner."""
        self._console.print(message, highlight=False, markup=False)

    @contextmanager
    def step(self, label: str, position: int, total: int) -> Iterator[None]:
        """Spin until the block ends, then leave a line with its seconds."""
        began = time.monotonic()
        with self._console.status(f"{label} ({position} of {total})"):
            yield
        self.say(f"{label}: {time.monotonic() - began:.1f} s ({position} of {total})")


def for_stream(stream: TextIO | None = None) -> Progress:
    """Return a spinner when `stream` (default: standard error) is a terminal, plain lines otherwise."""
    target = stream or sys.stderr
    return Terminal(Console(file=target)) if target.isatty() else Lines(target)
