"""Runs the tests and `make cluster`: tier after tier, the programs built meanwhile.

`test` does without programs that take many minutes to build and without some scenarios, `test-all` has all,
and `ci` is `test` with those programs that are built already. What a run left out is told in the end.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

REPOSITORY = Path(__file__).resolve().parents[1]
REPORTS = REPOSITORY / "reports"
INVENTORY = "inventories/container_hosts"
SCENARIOS = tuple(path.parent.name for path in sorted(REPOSITORY.glob("molecule/*/molecule.yml")))
# What they show beside the tour takes longer than the others' time allows.
LONG = frozenset({"bgp", "flannel", "l2_bridge", "l2_uplink", "policies"})
SHOWN = 12

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
# What becomes of programs that take many minutes to build.
BUILT, USED = "built", "used"
_CAUSE_LINES = 16
_CAUSE_WIDTH = 240


class TierFailedError(Exception):
    """A tier failed; the message says which and how."""


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


class Pipeline:
    """Runs tiers one after the other and a build beside them.

    slow: whether programs that take many minutes to build are built (BUILT), used where they are (USED), or
    left out.
    """

    def __init__(self, slow: str = "") -> None:
        self.slow = slow
        self.left_out = LeftOutReader()
        self.times = Times()
        self.cause = CauseReader()
        self._build: subprocess.Popen[bytes] | None = None
        self._log = REPORTS / "programs.log"

    def run(
        self, name: str, command: Sequence[str | Path], environment: dict[str, str] | None = None
    ) -> None:
        """Run one tier with its output shown; TierFailedError when it fails."""
        sys.stdout.write(f"\n=== {name}\n")
        sys.stdout.flush()
        began = time.monotonic()
        reader = StepReader(self.times)
        self.cause = CauseReader()
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            # A step's time is told from when its first line arrives.
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "FLATNET_TEST_SLOW": "1" if self.slow else "0",
                **(environment or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            for line in process.stdout or ():
                reader.read(line, time.monotonic())
                self.cause.read(line)
                self.left_out.read(line)
                sys.stdout.write(line)
                sys.stdout.flush()
        finally:
            # After the last line it ends by itself; after an interruption it has to be told.
            if sys.exception():
                process.terminate()
            process.wait()
        reader.end(time.monotonic())
        self.times.tiers.append((name, time.monotonic() - began))
        if process.returncode:
            raise TierFailedError(f"{name} failed with exit status {process.returncode}")

    def begin_programs(self) -> None:
        """Start the build of what is not built yet; its output goes to a file until somebody waits for it."""
        REPORTS.mkdir(exist_ok=True)
        sys.stdout.write(f"\n=== programs: building in the background, output in {self._log}\n")
        with self._log.open("wb") as log:
            self._build = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "flatnet.programs",
                    "build",
                    *([] if self.slow == BUILT else ["--quick"]),
                ],
                cwd=REPOSITORY,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_programs(self) -> None:
        """Show what the build says until it ends; TierFailedError when it failed."""
        if not self._build:
            return
        build, began = self._build, time.monotonic()
        sys.stdout.write("\n=== programs: waiting for the build\n")
        with self._log.open(errors="replace") as log:
            while True:
                ended = build.poll() is not None
                while line := log.readline():
                    sys.stdout.write(line)
                    sys.stdout.flush()
                if ended:
                    break
                time.sleep(0.2)
        self._build = None
        self.times.tiers.append(("programs (waited for)", time.monotonic() - began))
        if build.returncode:
            raise TierFailedError(f"programs failed with exit status {build.returncode}")

    def stop(self) -> None:
        """End the build when nobody waits for it any more."""
        if self._build and self._build.poll() is None:
            self._build.send_signal(signal.SIGTERM)
            self._build.wait()


def molecule(pipeline: Pipeline, scenarios: Sequence[str]) -> None:
    """Run every scenario with molecule's own files in a folder that goes afterwards."""
    for scenario in scenarios:
        folder = tempfile.mkdtemp(prefix="flatnet-molecule-")
        command = ["molecule", "--base-config", ".config/molecule/config.yml"]
        try:
            pipeline.run(
                f"molecule {scenario}",
                [*command, "test", "--no-command-borders", "--scenario-name", scenario],
                {"MOLECULE_EPHEMERAL_DIRECTORY": folder},
            )
        finally:
            # A folder that stays is no reason to hide how the scenario ended.
            shutil.rmtree(folder, ignore_errors=True)


def test(pipeline: Pipeline, scenarios: Sequence[str]) -> None:
    """Run every tier, quick ones first."""
    pipeline.begin_programs()
    pipeline.run("image of the hosts", [sys.executable, "-m", "tests.container_hosts", "image"])
    pipeline.run("lint", ["tests/lint"])
    pipeline.run("unit and contract tests", [sys.executable, "-m", "pytest", "-q"])
    pipeline.run("browser tests", [sys.executable, "-m", "pytest", "-q", "tests/browser"])
    pipeline.wait_for_programs()
    pipeline.run("integration tests", [sys.executable, "-m", "pytest", "-q", "tests/integration"])
    molecule(pipeline, scenarios)


def cluster(pipeline: Pipeline, _: Sequence[str]) -> None:
    """Bring up a proven cluster and leave it running."""
    pipeline.begin_programs()
    hosts = [sys.executable, "-m", "tests.container_hosts", "create", "--inventory", INVENTORY]
    pipeline.run("hosts", hosts)
    pipeline.wait_for_programs()
    for verb in ("provision", "verify"):
        pipeline.run(verb, ["ansible-playbook", "--inventory", INVENTORY, f"playbooks/{verb}_network.yml"])


def scenarios_only(pipeline: Pipeline, scenarios: Sequence[str]) -> None:
    """Run molecule alone, with the programs built before."""
    pipeline.begin_programs()
    pipeline.wait_for_programs()
    molecule(pipeline, scenarios)


PIPELINES = {
    "test": (test, ""),
    "test-all": (test, BUILT),
    "ci": (test, USED),
    "cluster": (cluster, ""),
    "molecule": (scenarios_only, USED),
}


def main() -> int:
    """Run what the first argument names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", choices=tuple(PIPELINES))
    usual = tuple(name for name in SCENARIOS if name not in LONG)
    parser.add_argument("scenarios", nargs="*", help=f"default: {', '.join(usual)}; with test-all, all")
    options = parser.parse_args()
    run, slow = PIPELINES[options.pipeline]
    options.scenarios = options.scenarios or (SCENARIOS if slow == BUILT else usual)
    pipeline = Pipeline(slow)
    outcome = f"{options.pipeline}: passed"
    status = 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(pipeline, options.scenarios)
    except TierFailedError as failure:
        outcome, status = f"{options.pipeline}: FAILED: {failure}", 1
    except KeyboardInterrupt:
        outcome, status = f"{options.pipeline}: interrupted", 130
    finally:
        pipeline.stop()
    pipeline.times.show(sys.stdout)
    pipeline.left_out.show(sys.stdout)
    if status == 1:
        pipeline.cause.show(sys.stdout)
    left = " ".join(name for name in SCENARIOS if name not in options.scenarios)
    if left and options.pipeline != "cluster":
        sys.stdout.write(f'\nscenarios that were not run: make molecule SCENARIOS="{left}"\n')
    sys.stdout.write(f"\n{outcome}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
