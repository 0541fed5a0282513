"""What is read in the output of tiers, and what is told of it in the end."""

import re
from dataclasses import dataclass, field
from typing import TextIO

SHOWN = 12
_CAUSE_LINES = 16
_CAUSE_WIDTH = 240

# What molecule prints when it begins a step: `default ➜ converge: Executing`.
_MOLECULE_STEP = re.compile(r"(\S+) ➜ (\S+): Executing")
# What pytest prints below "slowest durations": `1.25s call     tests/unit/plan/test_x.py::test_y`.
_PYTEST_STEP = re.compile(r"^(\d+\.\d+)s (?:call|setup|teardown) +(\S.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# A task of Ansible, and how it ends when it fails; a test of pytest, in its summary.
_TASK = re.compile(r"^(?:TASK|PLAY|HANDLER|RUNNING HANDLER) ")
_TASK_FAILED = re.compile(r"^(?:fatal: \[|failed: \[|\[ERROR\]: )")
_TEST_FAILED = re.compile(r"^(?:FAILED|ERROR) \S+")
# What a tier did not run, and why: the tour says it of backends.
_LEFT_OUT = re.compile(r"not run on this machine: ([^'\"\n]+)")


@dataclass
class Times:
    """How long what took: tiers in the order in which they ran, and the steps inside them."""

    tiers: list[tuple[str, float]] = field(default_factory=list)
    steps: list[tuple[str, float]] = field(default_factory=list)

    def show(self, stream: TextIO) -> None:
        """Write the tiers and then the slowest steps, in seconds."""
        stream.write("\ntier                                        seconds\n")
        stream.writelines(f"{name:40} {seconds:10.1f}\n" for name, seconds in self.tiers)
        slowest = sorted(self.steps, key=lambda step: -step[1])[:SHOWN]
        if slowest:
            stream.write("\nslowest steps                               seconds\n")
        stream.writelines(f"{name:40} {seconds:10.1f}\n" for name, seconds in slowest)
        stream.flush()


@dataclass
class StepReader:
    """Finds in the output of a tier when its steps began and how long they took."""

    times: Times
    _begun: tuple[str, float] | None = None

    def read(self, line: str, now: float) -> None:
        """Take note of what `line`, printed at `now` (seconds), begins or reports."""
        text = _COLOUR.sub("", line)
        if begun := _MOLECULE_STEP.search(text):
            self.end(now)
            self._begun = (f"{begun[1]} {begun[2]}", now)
        elif reported := _PYTEST_STEP.match(text):
            self.times.steps.append((reported[2].strip(), float(reported[1])))

    def end(self, now: float) -> None:
        """Close the step that is still open."""
        if self._begun:
            self.times.steps.append((self._begun[0], now - self._begun[1]))
        self._begun = None


@dataclass
class CauseReader:
    """Keeps what a tier printed about its failure: often thousands of lines above where the output ends."""

    lines: list[str] = field(default_factory=list)
    _heading: str = ""
    _failing: bool = False

    def read(self, line: str) -> None:
        """Take note of `line` if it tells about a failure; of tasks, the last one that failed counts."""
        text = _COLOUR.sub("", line).rstrip()
        if _TASK.match(text):
            self._heading, self._failing = text.rstrip(" *"), False
        elif _TASK_FAILED.match(text) and not self._failing:
            self.lines, self._failing = [self._heading, text], True
        elif self._failing or _TEST_FAILED.match(text):
            self.lines.append(text)

    def show(self, stream: TextIO) -> None:
        """Write the first lines, cut to a width that still fits beside a timestamp."""
        if self.lines:
            stream.write("\nwhere it failed\n")
        for line in self.lines[:_CAUSE_LINES]:
            stream.write(line if len(line) <= _CAUSE_WIDTH else line[:_CAUSE_WIDTH] + " ...")
            stream.write("\n")
        stream.flush()


@dataclass
class LeftOutReader:
    """Keeps what a tier says that it did not run."""

    lines: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Take note of what `line` tells, each once."""
        found = _LEFT_OUT.search(_COLOUR.sub("", line))
        if found and found[1] not in self.lines:
            self.lines.append(found[1])

    def show(self, stream: TextIO) -> None:
        """Write all of it."""
        if self.lines:
            stream.write("\nnot run on this machine\n")
        stream.writelines(f"{line}\n" for line in self.lines)
        stream.flush()
