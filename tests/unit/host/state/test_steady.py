"""Units that were started are looked at until they are well, or named with their last words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from node_state_host import FakeHost, Ran

from flatnet.host.state.steady import STEP_SECONDS, WATCHED_SECONDS, problems

Shown = dict[str, str]


def unit(state: str, restarts: int = 0, since: float = 100.0, name: str = "kube-proxy.service") -> Shown:
    active, _, sub = state.partition("/")
    return {
        "Id": name,
        "ActiveState": active,
        "SubState": sub,
        "Result": "success" if active == "active" else "exit-code",
        "Restart": "always",
        "NRestarts": str(restarts),
        "ActiveEnterTimestampMonotonic": str(int(since * 1e6)),
    }


class Moments(FakeHost):
    """A host whose units are, at each look, as the next of the moments; the last one stays."""

    def __init__(self, root: Path, *moments: list[Shown]) -> None:
        super().__init__(root)
        self._moments: Iterator[list[Shown]] = iter(moments)
        self._now: list[Shown] = []
        self.seconds = 101.0

    def clock(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        if arguments[0] != "systemctl":
            return super().run(arguments, text, changes)
        assert changes is False
        self._now = next(self._moments, self._now)
        names = arguments[arguments.index("--") + 1 :]
        shown = [one for one in self._now if one["Id"] in names]
        return Ran(0, "\n\n".join("\n".join(f"{k}={v}" for k, v in one.items()) for one in shown), "")


WELL = unit("active/running", name="kubelet.service")
NAMES = ["kubelet.service", "kube-proxy.service"]


def test_units_that_run_are_looked_at_once(tmp_path: Path) -> None:
    host = Moments(tmp_path / "host", [WELL, unit("active/running")])
    assert problems(host, NAMES) == []
    assert host.seconds == 101.0


def test_a_unit_that_came_up_at_the_second_try_is_well_after_a_while(tmp_path: Path) -> None:
    host = Moments(
        tmp_path / "host", [WELL, unit("activating/auto-restart")], [unit("active/running", 1, 101.5)]
    )
    assert problems(host, NAMES) == []
    assert host.seconds == 106.5


@pytest.mark.parametrize("running", [True, False])
def test_a_unit_that_is_started_again_and_again_is_named_with_its_last_words(
    tmp_path: Path, running: bool
) -> None:
    def moment(number: int) -> list[Shown]:
        # It runs for two steps, ends, and is started again after two more.
        is_up = running and number % 4 < 2
        restarts = 1 + number // 4
        state = "active/running" if is_up else "activating/auto-restart"
        return [WELL, unit(state, restarts, 101 + 2 * restarts)]

    looks = int(WATCHED_SECONDS / STEP_SECONDS) + 1
    host = Moments(tmp_path / "host", [WELL, unit("activating/auto-restart")], *map(moment, range(1, looks)))
    [problem] = problems(host, NAMES)
    assert problem.startswith(
        "unit kube-proxy.service does not stay up: systemd has started it again 7 times (activating, "
        "auto-restart, result exit-code). Its last words:\n    line 11\n"
        if not running
        else "unit kube-proxy.service does not stay up: systemd has started it again 7 times (active, running"
    )
    assert host.seconds == 101.0 + WATCHED_SECONDS


def test_a_unit_that_has_not_finished_starting_is_waited_for(tmp_path: Path) -> None:
    host = Moments(tmp_path / "host", [unit("activating/start")], [unit("active/running", since=101.5)])
    assert problems(host, NAMES) == []


def test_a_unit_that_ends_by_itself_is_none_of_this(tmp_path: Path) -> None:
    once = {**unit("inactive/dead"), "Restart": "no"}
    assert problems(Moments(tmp_path / "host", [once]), NAMES) == []
