"""For any states A and B: after A and B there is B, whatever happened in between."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_state_host import FakeHost, Json, Killed, StateError, apply, tree, unit_text

from flatnet.host.state.look import look

H = TypeVar("H", bound=FakeHost)
PATHS = ["/opt/a", "/opt/b", "/opt/a/x", "/opt/a/y", "/opt/b/x/z", "/etc/f", "/etc/g"]
UNITS = ["one.service", "two.service"]
CHANGED = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def overlapping(path: str, taken: dict[str, str]) -> bool:
    """Tell whether something that is no directory is wanted above path."""
    return any(path.startswith(f"{other}/") and kind != "directories" for other, kind in taken.items())


@st.composite
def states(draw: st.DrawFn) -> Json:
    """Draw a valid state."""
    state: dict[str, list[Any]] = {key: [] for key in ("directories", "files", "links", "absent")}
    taken: dict[str, str] = {}
    for path in PATHS:
        kind = draw(st.sampled_from(["", "", "directories", "files", "files", "links", "absent"]))
        if not kind or overlapping(path, taken):
            continue
        taken[path] = kind
        mode = draw(st.sampled_from(["0755", "0700"]))
        entries: dict[str, Any] = {
            "directories": {"path": path, "mode": mode},
            "files": {"path": path, "mode": mode, "content": draw(st.sampled_from(["1", "22", "33"]))},
            "links": {"path": path, "target": draw(st.sampled_from(["f", "g"]))},
            "absent": path,
        }
        state[kind].append(entries[kind])
    watched = [path for path, kind in taken.items() if kind == "files"]
    return {**state, **draw(others(watched))}


@st.composite
def others(draw: st.DrawFn, watched: list[str]) -> Json:
    """Draw units, values, routes and tables."""
    units = [
        {
            "name": name,
            "content": unit_text(draw(st.sampled_from(["/bin/v1", "/bin/v2"]))),
            "enabled": draw(st.booleans()),
            "state": draw(st.sampled_from(["started", "started", "stopped"])),
            "restart_on": draw(st.lists(st.sampled_from(watched), unique=True)) if watched else [],
        }
        for name in draw(st.lists(st.sampled_from(UNITS), unique=True))
    ]
    gateway = st.sampled_from(["192.0.2.1", "192.0.2.2"])
    routes = [
        {"destination": destination, "gateway": draw(gateway)}
        for destination in draw(st.lists(st.sampled_from(["198.51.100.0/24", "203.0.113.0/24"]), unique=True))
    ]
    tables = [
        {"family": "inet", "table": table, "content": draw(st.sampled_from(["chain a {\n}", "chain b {\n}"]))}
        for table in draw(st.lists(st.sampled_from(["first", "second"]), unique=True))
    ]
    values = draw(st.sampled_from([{}, {"net.ipv4.ip_forward": 1}, {"net.ipv4.ip_forward": 2}]))
    return {"units": units, "routes": routes, "nftables": tables, "sysctls": values}


@contextmanager
def hosts(number: int) -> Iterator[list[FakeHost]]:
    """Give fresh hosts, on each of which somebody else has a file already."""
    with tempfile.TemporaryDirectory() as directory:
        made = [FakeHost(Path(directory) / str(index)) for index in range(number)]
        for host in made:
            host.put("/opt/a/theirs", "not ours")
        yield made


def everything(host: FakeHost, state: Json) -> Json:
    """Return all that a state can have an effect on. Of a started unit: what it was started with."""
    running = {
        unit["name"]: [
            host.systemd.running[unit["name"]].get(path)
            for path in [f"/etc/systemd/system/{unit['name']}", *unit["restart_on"]]
        ]
        for unit in state["units"]
        if unit["name"] in host.systemd.running
    }
    modes = {
        entry["path"]: (host.root / entry["path"].lstrip("/")).stat().st_mode
        for entry in [*state["files"], *state["directories"]]
    }
    return {
        "tree": tree(host.root),
        "modes": modes,
        "running": running,
        "names": sorted(host.systemd.running),
        "enabled": host.systemd.enabled,
        "known to systemd": {name: text for name, text in host.systemd.read.items() if name in running},
        "routes": host.kernel.routes,
        "tables": host.kernel.tables,
        "forward": (host.root / "proc/sys/net/ipv4/ip_forward").read_text(),
        "records": sorted(path.name for path in (host.root / "var/lib/flatnet/state").iterdir()),
    }


def refused(host: FakeHost, state: Json) -> bool:
    """Apply a state; tell whether it cannot be reached because something of others stands there."""
    try:
        apply(host, **state)
    except StateError as error:
        if "stands there; remove it, or choose another path" in str(error):
            return True
        raise
    return False


@CHANGED
@given(first=states(), second=states())
def test_after_two_states_there_is_exactly_the_second(first: Json, second: Json) -> None:
    with hosts(2) as (host, fresh):
        if refused(fresh, second) or refused(host, first):
            return
        # What the first one wanted absent cannot come back.
        for path in ("/opt/a", "/opt/a/theirs"):
            if not (host.root / path.lstrip("/")).exists():
                return
        predicted = apply(host, check=True, **second)["changes"]
        before = tree(host.root)
        apply(host, check=True, diff=True, **second)
        assert tree(host.root) == before
        outcome = apply(host, **second)
        assert outcome["changes"] == predicted
        assert outcome["changed"] is bool(predicted)
        assert everything(host, second) == everything(fresh, second)
        assert apply(host, **second)["changes"] == []
        assert apply(host, check=True, **second)["changes"] == []


@CHANGED
@given(first=states(), second=states(), third=states(), data=st.data())
def test_after_a_kill_at_any_moment_the_next_apply_arrives(
    first: Json, second: Json, third: Json, data: st.DataObject
) -> None:
    with hosts(3) as (host, fresh, rehearsal):
        if refused(fresh, third) or refused(host, first) or refused(rehearsal, first):
            return
        rehearsal.steps.clear()
        if refused(rehearsal, second) or not (rehearsal.root / "opt/a/theirs").exists():
            return
        host.steps.clear()
        host.kill_at = data.draw(st.integers(1, len(rehearsal.steps) + 1))
        try:
            apply(host, **second)
        except Killed:
            host.kill_at = None
        host.kill_at = None
        last = data.draw(st.sampled_from([second, third]))
        reference = rehearsal if last is second else fresh
        apply(host, **last)
        assert everything(host, last) == everything(reference, last)
        assert apply(host, **last)["changes"] == []


@CHANGED
@given(first=states(), second=states(), data=st.data())
def test_a_failure_at_any_step_leaves_what_was_there(first: Json, second: Json, data: st.DataObject) -> None:
    with hosts(2) as (host, rehearsal):
        if refused(host, first) or refused(rehearsal, first):
            return
        rehearsal.steps.clear()
        if refused(rehearsal, second) or not rehearsal.steps:
            return
        before = everything(host, first)
        host.steps.clear()
        host.fail_at = data.draw(st.integers(1, len(rehearsal.steps)))
        try:
            apply(host, **second)
        except StateError as error:
            failed = str(error)
        host.fail_at = None
        # Once the new state is recorded, only tidying up is left: then it is the new state that holds.
        if failed.endswith("The files and units of this host are as they were before."):
            assert everything(host, first) == before
        apply(host, **second)
        assert everything(host, second) == everything(rehearsal, second)


@st.composite
def drifts(draw: st.DrawFn) -> Callable[[FakeHost], None]:
    """Draw what somebody else does to a host."""
    path = draw(
        st.sampled_from([*PATHS, "/etc/systemd/system/one.service", "/etc/flatnet/routes/example.batch"])
    )
    unit = draw(st.sampled_from(UNITS))
    kind = draw(
        st.sampled_from(["write", "mode", "remove", "stop", "disable", "route", "table", "value", "none"])
    )

    def drift(host: FakeHost) -> None:
        place = host.root / path.lstrip("/")
        if kind == "write" and place.is_file():
            place.write_text("other")
        elif kind == "mode" and place.exists() and not place.is_symlink():
            place.chmod(0o711)
        elif kind == "remove" and (place.is_file() or place.is_symlink()):
            place.unlink()
        elif kind == "stop":
            host.systemd.running.pop(unit, None)
        elif kind == "disable":
            host.systemd.enabled.discard(unit)
        elif kind == "route":
            host.kernel.routes.clear()
        elif kind == "table":
            host.kernel.tables.clear()
        elif kind == "value":
            host.put("proc/sys/net/ipv4/ip_forward", "3")

    return drift


@CHANGED
@given(first=states(), second=states(), drift=drifts())
def test_what_a_look_finds_to_hold_is_what_an_apply_would_leave_alone(
    first: Json, second: Json, drift: Callable[[FakeHost], None]
) -> None:
    with hosts(1) as (host,):
        if refused(host, first) or refused(host, second):
            return
        is_recorded = bool(look(host))
        assert all(look(host).values())
        drift(host)
        before = tree(host.root)
        held = look(host)
        assert tree(host.root) == before
        try:
            changes = apply(host, check=True, **second)["changes"]
        except StateError:
            assert not any(held.values())
            return
        if is_recorded:
            assert bool(held["example"]) is (changes == [])


STATE_A: Json = {
    "directories": [{"path": "/opt/d", "mode": "0700"}],
    "files": [{"path": "/opt/d/f", "content": "1"}, {"path": "/opt/e/f", "content": "1"}],
    "links": [{"path": "/opt/l", "target": "d"}],
}
STATE_B: Json = {
    "files": [{"path": "/opt/d/f", "content": "2", "mode": "0600"}, {"path": "/opt/l", "content": "3"}],
    "absent": ["/opt/old/tree"],
}


def test_a_process_that_gets_sigkill_leaves_what_the_next_can_complete(tmp_path: Path) -> None:
    fresh = prepared(tmp_path / "fresh", FakeHost)
    apply(fresh, **STATE_B)
    ended = []
    for moment in range(1, len(fresh.steps) + 2):
        host = prepared(tmp_path / str(moment), MortalHost)
        child = os.fork()
        if child == 0:
            host.mortal_at = moment
            apply(host, **STATE_B)
            os._exit(0)
        ended.append(os.WIFSIGNALED(os.waitpid(child, 0)[1]))
        apply(host, **STATE_B)
        assert tree(host.root) == tree(fresh.root)
        assert apply(host, **STATE_B)["changes"] == []
    assert ended == [True] * len(fresh.steps) + [False]


class MortalHost(FakeHost):
    """A host on which the process itself dies."""

    mortal_at = 0

    def step(self, what: str) -> None:
        super().step(what)
        if len(self.steps) == self.mortal_at:
            os.kill(os.getpid(), signal.SIGKILL)


def prepared(root: Path, kind: type[H]) -> H:
    """Return a host in state A, on which there is also a tree that B wants absent."""
    host = kind(root)
    apply(host, **STATE_A)
    host.put("/opt/old/tree/x", "x")
    host.steps.clear()
    return host
