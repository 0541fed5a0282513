import multiprocessing
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from flatnet.errors import FlatnetError
from flatnet.late_writes import refuse_late_write
from flatnet.plan import Allocations, open_ledger
from flatnet.plan_report import write_text

FORK = multiprocessing.get_context("fork")


def worker(folder: Path, parent_ended: int, said: int) -> None:
    """Plan at once, as a worker of a playbook does, and write once the playbook was killed."""
    with open_ledger(folder / "ledger.yml") as ledger:
        text = ledger.text_after(Allocations.from_mapping({"nodes": {"node-a": ["10.200.0.0/24"]}}))
        os.write(said, b"planned\n")
        os.read(parent_ended, 1)
        for write in (ledger.write, partial(write_text, folder / "plan.json")):
            try:
                write(text)
                os.write(said, b"written\n")
            except FlatnetError as error:
                os.write(said, f"{error}\n".encode())


def playbook(folder: Path, parent_ended: int, said: int) -> None:
    """Start the worker and wait for its end, as a playbook does."""
    FORK.Process(target=worker, args=(folder, parent_ended, said)).start()
    signal.pause()


def end_at_once(process: multiprocessing.process.BaseProcess) -> None:
    assert process.pid is not None
    process.kill()
    # Not join(), which waits for its children too.
    os.waitpid(process.pid, 0)


def run(folder: Path, is_killed: bool) -> list[str]:
    """Return what a worker says whose playbook is killed, or lives, before it writes."""
    parent_ended, end = os.pipe()
    hear, said = os.pipe()
    process = FORK.Process(target=playbook, args=(folder, parent_ended, said))
    process.start()
    os.close(said)
    with os.fdopen(hear) as stream:
        assert stream.readline() == "planned\n"
        if is_killed:
            end_at_once(process)
        os.write(end, b"x")
        answers = [stream.readline().strip() for _ in range(2)]
    if not is_killed:
        end_at_once(process)
    os.close(end)
    os.close(parent_ended)
    return answers


def test_a_worker_whose_playbook_was_killed_writes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, is_killed=True) == [
        f"the run that {tmp_path / name} was to be written for has ended; run it again"
        for name in ("ledger.yml", "plan.json")
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_worker_of_a_playbook_that_runs_writes(tmp_path: Path) -> None:
    assert run(tmp_path, is_killed=False) == ["written", "written"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.yml", "plan.json"]


def test_who_is_no_worker_writes_for_itself(tmp_path: Path) -> None:
    try:
        refuse_late_write(tmp_path)
    except FlatnetError as error:
        pytest.fail(str(error))
