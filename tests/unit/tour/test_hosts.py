"""That a playbook can be killed with whatever it has started."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tour.hosts import Hosts, TourError


def hosts_that_run(script: str, monkeypatch: pytest.MonkeyPatch, reports: Path) -> Hosts:
    hosts = Hosts("tour", [], reports)

    def command(*_: object) -> Sequence[str]:
        return ["sh", "-c", script]

    monkeypatch.setattr(hosts, "_command", command)
    return hosts


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_playbook_is_killed_with_all_its_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    note = tmp_path / "worker"
    hosts = hosts_that_run(f"sleep 60 & echo $! > {note}; wait", monkeypatch, tmp_path)
    hosts.killed(lambda: note.exists() and bool(note.read_text()), "switch", {})
    worker, deadline = int(note.read_text()), time.monotonic() + 5
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(worker)


def test_a_playbook_that_ends_before_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hosts = hosts_that_run("exit 3", monkeypatch, tmp_path)
    with pytest.raises(TourError, match=r"switch_network\.yml ended before it was killed"):
        hosts.killed(lambda: False, "switch", {})
