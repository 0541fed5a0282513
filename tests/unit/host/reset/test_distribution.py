"""Units of the distribution, whose place ours had, are after a reset as they were before flatnet came."""

from pathlib import Path

import pytest
from node_reset_host import (
    NO_MOUNTS,
    OURS,
    RUNTIME_REQUEST,
    THEIRS,
    UNIT,
    ClusterHost,
    provision_runtime,
    reset_with_a_kill,
)
from node_state_host import Json, Killed, StateError, tree

from flatnet.host.reset.run import reset

RECORD = "var/lib/flatnet/state/container_runtime.json"


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> ClusterHost:
    """Return a host whose distribution brought a containerd, which runs."""
    host = ClusterHost(tmp_path / "host")
    host.put(f"usr/lib/systemd/system/{UNIT}", THEIRS)
    host.systemd.run(["enable", UNIT])
    host.systemd.run(["start", UNIT])
    return host


def provision(host: ClusterHost) -> None:
    """Let flatnet's containerd take the place of the distribution's."""
    provision_runtime(host)
    host.put("var/lib/containerd/meta.db", "of flatnet")
    host.commands.clear()
    host.steps.clear()


def state(host: ClusterHost, unit: str = UNIT) -> tuple[bool, bool, str | None]:
    """Return if a unit is enabled, if it runs, and the file that systemd has read."""
    return unit in host.systemd.enabled, unit in host.systemd.running, host.systemd.read.get(unit)


def told(outcome: Json) -> list[tuple[str, str, str]]:
    """Return the changes as check mode and a reset tell them."""
    return [(change["kind"], change["item"], change["action"]) for change in outcome["changes"]]


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("running", [True, False])
def test_a_unit_of_the_distribution_comes_back_as_it_was(
    enabled: bool, running: bool, host: ClusterHost
) -> None:
    if not enabled:
        host.systemd.run(["disable", UNIT])
    if not running:
        host.systemd.run(["stop", UNIT])
    provision(host)
    assert state(host) == (True, True, OURS)
    reset(host, RUNTIME_REQUEST)
    assert state(host)[:2] == (enabled, running)
    if running:
        assert state(host)[2] == THEIRS
    assert not (host.root / "var/lib/flatnet").exists()


def test_data_goes_before_the_unit_of_the_distribution_runs_again(host: ClusterHost) -> None:
    provision(host)
    reset(host, RUNTIME_REQUEST)
    assert "/var/lib/containerd/meta.db" not in host.systemd.running[UNIT]


def test_a_unit_that_has_nothing_to_enable_is_only_started(host: ClusterHost) -> None:
    static = "[Service]\nExecStart=/usr/bin/containerd\n"
    host.put(f"usr/lib/systemd/system/{UNIT}", static)
    host.systemd.run(["disable", UNIT])
    host.systemd.run(["daemon-reload"])
    provision(host)
    predicted = reset(host, RUNTIME_REQUEST, check=True)
    outcome = reset(host, RUNTIME_REQUEST)
    assert told(predicted) == told(outcome)
    assert ["systemctl", "enable", UNIT] not in host.commands
    assert state(host) == (False, True, static)


def test_check_mode_tells_what_comes_back(host: ClusterHost) -> None:
    provision(host)
    before = tree(host.root)
    predicted = reset(host, RUNTIME_REQUEST, check=True)
    assert (tree(host.root), host.steps) == (before, [])
    assert told(predicted)[-2:] == [("unit", UNIT, "enable"), ("unit", UNIT, "start")]
    assert told(predicted) == told(reset(host, RUNTIME_REQUEST))


def test_a_unit_that_only_flatnet_had_does_not_come_back(host: ClusterHost) -> None:
    provision(host)
    reset(host, RUNTIME_REQUEST)
    assert state(host, "kubelet.service") == (False, False, None)


@pytest.mark.parametrize("moment", range(1, 50))
def test_after_a_kill_at_any_moment_the_unit_comes_back(moment: int, host: ClusterHost) -> None:
    provision(host)
    reset_with_a_kill(host, RUNTIME_REQUEST, moment)
    assert state(host) == (True, True, THEIRS)
    assert not (host.root / "var/lib/containerd").exists()
    assert not (host.root / "var/lib/flatnet").exists()


@pytest.mark.parametrize("moment", range(1, 30))
def test_a_reset_that_is_killed_twice_arrives(moment: int, host: ClusterHost) -> None:
    provision(host)
    for steps in (22, moment):
        host.steps.clear()
        host.kill_at = steps
        try:
            reset(host, RUNTIME_REQUEST)
        except Killed:
            continue
    host.kill_at = None
    reset(host, RUNTIME_REQUEST)
    assert state(host) == (True, True, THEIRS)
    assert not (host.root / "var/lib/kubelet").exists()
    assert not (host.root / "var/lib/flatnet").exists()


def test_what_the_unit_makes_after_it_came_back_is_not_removed_by_the_next_run(host: ClusterHost) -> None:
    provision(host)
    host.put("proc/self/mounts", f"{NO_MOUNTS}tmpfs /var/lib/kubelet/pods/p1/volumes tmpfs rw 0 0")
    host.refused.add("umount")
    with pytest.raises(StateError, match="cannot be unmounted"):
        reset(host, RUNTIME_REQUEST)
    assert state(host) == (True, True, THEIRS)
    theirs = host.put("var/lib/containerd/meta.db", "of the distribution")
    host.systemd.run(["disable", UNIT])
    host.refused.clear()
    reset(host, RUNTIME_REQUEST)
    assert theirs.read_text() == "of the distribution"
    # Since it came back it is its operator's, who has disabled it.
    assert state(host) == (False, True, THEIRS)
    assert not (host.root / "var/lib/flatnet").exists()


def test_a_unit_that_does_not_start_is_named_and_tried_again(host: ClusterHost) -> None:
    provision(host)
    host.systemd.refuse = lambda _name, text: text == THEIRS
    with pytest.raises(
        StateError, match=r"unit containerd.service of the distribution.* does not start: Job"
    ):
        reset(host, RUNTIME_REQUEST)
    host.systemd.refuse = lambda _name, _text: False
    outcome = reset(host, RUNTIME_REQUEST)
    assert told(outcome) == [("unit", UNIT, "start")]
    assert state(host) == (True, True, THEIRS)


@pytest.mark.parametrize("note", ["", "{", '["kube_node"]', '{"owners": []}'])
def test_a_note_that_cannot_be_read_is_named_with_what_to_do(note: str, host: ClusterHost) -> None:
    provision(host)
    path = host.put("var/lib/flatnet/reset.json", note)
    with pytest.raises(StateError, match=r"reset.json, which tells how far a reset has come, .* delete it"):
        reset(host, RUNTIME_REQUEST)
    assert state(host)[2] != THEIRS
    path.unlink()
    reset(host, RUNTIME_REQUEST)
    assert state(host) == (True, True, THEIRS)
