"""Runs tiers with their output shown, one after the other or in lanes beside each other."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from tests.pipeline.output import CauseReader, LeftOutReader, StepReader, Times

REPOSITORY = Path(__file__).resolve().parents[2]
REPORTS = REPOSITORY / "reports"
# What becomes of programs that take many minutes to build.
BUILT, USED = "built", "used"


class TierFailedError(Exception):
    """A tier failed; the message says which and how."""


class Pipeline:
    """Runs tiers, and a build beside them.

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
        self._running: set[subprocess.Popen[str]] = set()
        self._in_lanes = False
        self._failure: TierFailedError | None = None
        # Of what is written, and of the build.
        self._shown, self._waited = threading.Lock(), threading.Lock()

    def run(
        self, name: str, command: Sequence[str | Path], environment: dict[str, str] | None = None
    ) -> None:
        """Run one tier; TierFailedError when it fails, or when one of another lane has.

        Its output is shown as it comes. In lanes it is shown as a whole when the tier has ended, and is in a
        file meanwhile.
        """
        if self._failure:
            raise TierFailedError(f"{name} was not begun")
        began = time.monotonic()
        reader, cause = StepReader(self.times), CauseReader()
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
        self._running.add(process)
        try:
            for line in self._lines_shown(name, process):
                reader.read(line, time.monotonic())
                cause.read(line)
                self.left_out.read(line)
        finally:
            # After the last line it ends by itself; after an interruption it has to be told.
            if sys.exception():
                process.terminate()
            process.wait()
            self._running.discard(process)
        reader.end(time.monotonic())
        self.times.tiers.append((name, time.monotonic() - began))
        if process.returncode:
            failure = TierFailedError(f"{name} failed with exit status {process.returncode}")
            if not self._failure:
                self._failure, self.cause = failure, cause
            raise failure

    def beside(self, *lanes: Callable[[], None]) -> None:
        """Run lanes of tiers beside each other.

        Where a tier fails, those that run come to their end and no other begins; its TierFailedError is
        raised then.
        """
        self._in_lanes = True
        with ThreadPoolExecutor(len(lanes)) as pool:
            futures = [pool.submit(lane) for lane in lanes]
            try:
                wait(futures)
            except KeyboardInterrupt:
                self._failure = TierFailedError("interrupted")
                for process in tuple(self._running):
                    process.terminate()
                self.stop()
                raise
        self._in_lanes = False
        if self._failure:
            raise self._failure
        for future in futures:
            future.result()

    def _lines_shown(self, name: str, process: "subprocess.Popen[str]") -> Iterator[str]:
        """Yield what a tier prints, and show it."""
        lines = process.stdout or ()
        if not self._in_lanes:
            self._show(f"\n=== {name}\n")
            for line in lines:
                self._show(line)
                yield line
            return
        log = REPORTS / f"{re.sub(r'[^a-z0-9]+', '_', name)}.log"
        REPORTS.mkdir(exist_ok=True)
        self._show(f"\n=== {name}: begun, output in {log}\n")
        try:
            with log.open("w") as output:
                for line in lines:
                    output.write(line)
                    output.flush()
                    yield line
        finally:
            self._show(f"\n=== {name}\n{log.read_text()}")

    def _show(self, text: str) -> None:
        with self._shown:
            sys.stdout.write(text)
            sys.stdout.flush()

    def begin_programs(self) -> None:
        """Start the build of what is not built yet; its output goes to a file until somebody waits for it."""
        REPORTS.mkdir(exist_ok=True)
        self._show(f"\n=== programs: building in the background, output in {self._log}\n")
        quick = [] if self.slow == BUILT else ["--quick"]
        with self._log.open("wb") as log:
            self._build = subprocess.Popen(
                [sys.executable, "-m", "flatnet.programs", "build", *quick],
                cwd=REPOSITORY,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_programs(self) -> None:
        """Wait until the build has ended and show what it said; TierFailedError when it failed."""
        with self._waited:
            if not self._build:
                return
            began = time.monotonic()
            self._show("\n=== programs: waiting for the build\n")
            failed = self._build.wait()
            self._show(self._log.read_text(errors="replace"))
            self._build = None
            self.times.tiers.append(("programs (waited for)", time.monotonic() - began))
            if failed:
                self._failure = TierFailedError(f"programs failed with exit status {failed}")
                raise self._failure

    def stop(self) -> None:
        """End the build when nobody waits for it any more."""
        if self._build and self._build.poll() is None:
            self._build.send_signal(signal.SIGTERM)
            self._build.wait()
