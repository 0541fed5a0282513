"""How `make test` runs its tiers."""

import subprocess
import threading
from collections import deque
from pathlib import Path

import pytest

from flatnet.errors import FlatnetError
from tests.pipeline import __main__ as pipelines
from tests.pipeline import runner as module
from tests.pipeline.__main__ import PIPELINES
from tests.pipeline.runner import Pipeline, TierFailedError

WAIT_SECONDS = 20


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(module, "REPORTS", tmp_path)
    return tmp_path


def test_a_tier_that_fails_ends_the_run_with_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    pipeline = Pipeline()
    with pytest.raises(TierFailedError, match=r"^lint failed with exit status 3$"):
        pipeline.run("lint", ["sh", "-c", "echo seen; exit 3"])
    assert capfd.readouterr().out == "\n=== lint\nseen\n"
    assert [name for name, _ in pipeline.times.tiers] == ["lint"]


def test_tiers_in_lanes_run_at_once_and_are_shown_as_a_whole(
    reports: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline = Pipeline()
    # Each ends when the other has begun.
    meet = "echo {0} 1; touch {0}; until test -e {1}; do sleep 0.05; done; echo {0} 2"
    script = f"cd {reports}; {meet}"
    pipeline.beside(
        lambda: pipeline.run("left one", ["sh", "-c", script.format("a", "b")]),
        lambda: pipeline.run("right one", ["sh", "-c", script.format("b", "a")]),
    )
    shown = capfd.readouterr().out
    assert "\n=== left one\na 1\na 2\n" in shown
    assert "\n=== right one\nb 1\nb 2\n" in shown
    assert f"=== left one: begun, output in {reports}/left_one.log\n" in shown
    assert (reports / "left_one.log").read_text() == "a 1\na 2\n"
    assert sorted(name for name, _ in pipeline.times.tiers) == ["left one", "right one"]


def test_where_a_lane_fails_the_other_ends_what_it_runs_and_begins_nothing(
    reports: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline, failed = Pipeline(), threading.Event()

    def fails() -> None:
        try:
            script = f"until test -e {reports}/begun; do sleep 0.1; done; echo FAILED a.py::test_b; exit 1"
            pipeline.run("bad", ["sh", "-c", script])
        finally:
            failed.set()

    def goes_on() -> None:
        script = f"touch {reports}/begun; until test -e {reports}/go; do sleep 0.05; done; echo ended"
        pipeline.run("good", ["sh", "-c", script])
        pipeline.run("never", ["echo", "never"])

    def lets_it_end() -> None:
        assert failed.wait(WAIT_SECONDS)
        (reports / "go").touch()

    with pytest.raises(TierFailedError, match=r"^bad failed with exit status 1$"):
        pipeline.beside(fails, goes_on, lets_it_end)
    shown = capfd.readouterr().out
    assert "\n=== good\nended\n" in shown
    assert "never" not in shown
    assert pipeline.cause.lines == ["FAILED a.py::test_b"]


def test_both_lanes_wait_for_the_build_and_it_is_shown_once(
    reports: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline = Pipeline()
    monkeypatch.setattr(pipeline, "_log", reports / "programs.log")
    begin = subprocess.Popen
    script = f"until test -e {reports}/go; do sleep 0.05; done; echo built; exit 4"
    monkeypatch.setattr(subprocess, "Popen", lambda _, **rest: begin(["sh", "-c", script], **rest))
    pipeline.begin_programs()
    (reports / "go").touch()
    with pytest.raises(TierFailedError, match=r"^programs failed with exit status 4$"):
        pipeline.beside(pipeline.wait_for_programs, pipeline.wait_for_programs)
    assert capfd.readouterr().out.count("built\n") == 1


@pytest.mark.parametrize(
    ("name", "build", "seen"), [("test", ["--quick"], "0"), ("ci", ["--quick"], "1"), ("test-all", [], "1")]
)
def test_programs_that_take_long_are_built_used_or_left_out(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
    build: list[str],
    seen: str,
) -> None:
    _, slow = PIPELINES[name]
    runner = Pipeline(slow)
    runner.run("tier", ["sh", "-c", "echo slow=$FLATNET_TEST_SLOW"])
    assert f"slow={seen}" in capfd.readouterr().out
    started: list[list[str]] = []
    monkeypatch.setattr(module, "REPORTS", tmp_path)
    monkeypatch.setattr(runner, "_log", tmp_path / "programs.log")
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
    runner.begin_programs()
    assert started[0][4:] == build


def test_where_the_machine_has_no_room_for_two_clusters_tiers_run_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(hosts: int) -> None:
        raise FlatnetError(f"{hosts} more hosts need more than there is")

    ran: list[str] = []
    pipeline = Pipeline()
    monkeypatch.setattr(pipeline, "begin_programs", lambda: None)
    monkeypatch.setattr(pipeline, "run", lambda name, *_: ran.append(name))
    monkeypatch.setattr(pipelines, "check_inotify", refuse)
    pipelines.test(pipeline, deque(["tour", "default"]))
    assert ran == [
        "image of the hosts",
        "lint",
        "unit and contract tests",
        "browser tests",
        "integration tests",
        "molecule tour",
        "molecule default",
    ]
    assert "one tier after the other, which takes longer: 7 more hosts need" in capfd.readouterr().out
