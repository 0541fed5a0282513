"""Whether the run of a claim is over, who is told, and what is done in the place of a run that was killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatnet.check import guard

_ROOT = Path(__file__).parents[3]
# Starts a guard that writes a file, and is killed then.
_KILLED = """
import os, pathlib, sys, time
from flatnet.check import guard
print(guard.start(os.getpid(), lambda: pathlib.Path(sys.argv[1]).write_text("acted")), flush=True)
time.sleep(60)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_run_that_goes_on_has_not_ended_and_one_that_was_killed_has(
    sleeper: subprocess.Popen[bytes],
) -> None:
    claim = guard.identity(sleeper.pid)
    assert claim["process"].startswith(f"{sleeper.pid} ")
    assert not guard.has_ended(claim)
    sleeper.kill()
    # Nobody has waited for it yet: it is over all the same.
    time.sleep(0.1)
    assert guard.has_ended(claim)
    sleeper.wait()
    assert guard.has_ended(claim)


def test_another_process_with_the_number_of_a_run_is_not_that_run(sleeper: subprocess.Popen[bytes]) -> None:
    claim = guard.identity(sleeper.pid)
    number, began = claim["process"].split()
    assert guard.has_ended({**claim, "process": f"{number} {int(began) - 1}"})


@pytest.mark.parametrize(
    "other", [{"processes": "another boot"}, {"processes": ""}, {"process": ""}, {"process": None}]
)
def test_of_the_runs_of_other_controllers_nothing_is_known(other: dict[str, object]) -> None:
    assert not guard.has_ended({**guard.identity(os.getpid()), "process": "1 2", **other})


def test_a_machine_without_proc_claims_no_process(tmp_path: Path) -> None:
    assert guard.identity(1, tmp_path)["process"] == ""
    assert not guard.has_ended({"processes": "x", "process": "1 2"}, tmp_path)


def test_who_has_the_network_is_told_with_when_that_is_over() -> None:
    claim = {"since": 1000.0, "until": 2000.0, "controller": "ops-1", "process": "4711 99"}
    text = guard.holder_text(claim, 1400.0)
    assert "on ops-1 (process 4711)" in text
    assert "its claim is over in 10 minutes" in text
    assert "on another controller, and" in guard.holder_text({"since": 1.0, "until": 2.0}, 0.0)


def test_what_a_run_cannot_do_any_more_is_done_when_it_is_killed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(made)], stdout=subprocess.PIPE, cwd=_ROOT, text=True
    ) as run:
        assert run.stdout
        assert int(run.stdout.readline())
        time.sleep(1)
        assert not made.exists()
        run.kill()
        # Whoever reads what the run prints does not wait for the guard.
        assert run.stdout.read() == ""
    end = time.monotonic() + 10
    while not made.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_guard_that_is_stopped_does_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(made)], stdout=subprocess.PIPE, cwd=_ROOT, text=True
    ) as run:
        assert run.stdout
        guard.stop(int(run.stdout.readline()))
        run.send_signal(signal.SIGKILL)
    time.sleep(2)
    assert not made.exists()
    guard.stop(2**22 + 1)
