import json
from pathlib import Path
from typing import Any

import pytest
from node_state_host import FakeHost, Killed, StateError, apply, tree, unit_text

from flatnet.errors import FlatnetError

KUBELET = {"name": "kubelet.service", "content": unit_text()}
CONFIG = {"path": "/etc/kubelet.json", "content": "{}"}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


def unit_changes(outcome: dict[str, Any]) -> list[str]:
    return [
        f"{change['item']} {change['action']}: {change['reason']}"
        for change in outcome["changes"]
        if change["kind"] in ("unit", "systemd")
    ]


def verbs(host: FakeHost) -> list[str]:
    return [" ".join(call) for call in host.systemd.calls if call[0] != "show"]


def test_a_new_unit_is_enabled_read_and_started_with_one_call_each(host: FakeHost) -> None:
    other = {"name": "proxy.service", "content": unit_text()}
    outcome = apply(host, units=[KUBELET, other])
    assert verbs(host) == [
        "enable --no-reload kubelet.service proxy.service",
        "daemon-reload",
        "restart kubelet.service proxy.service",
    ]
    assert unit_changes(outcome) == [
        "kubelet.service enable: is new",
        "proxy.service enable: is new",
        "kubelet.service start: is new",
        "proxy.service start: is new",
    ]
    assert outcome["restarted"] == []


def test_nothing_is_asked_of_systemd_without_units(host: FakeHost) -> None:
    apply(host, files=[CONFIG])
    assert host.systemd.calls == []


def test_in_the_steady_state_systemd_is_asked_once(host: FakeHost) -> None:
    state: dict[str, Any] = {"files": [CONFIG], "units": [{**KUBELET, "restart_on": [CONFIG["path"]]}]}
    apply(host, **state)
    host.systemd.calls.clear()
    assert apply(host, **state)["changes"] == []
    assert [call[0] for call in host.systemd.calls] == ["show"]


def test_a_unit_restarts_when_a_file_it_reads_changes_and_only_that_unit(host: FakeHost) -> None:
    units = [{**KUBELET, "restart_on": [CONFIG["path"]]}, {"name": "proxy.service", "content": unit_text()}]
    apply(host, files=[CONFIG], units=units)
    host.systemd.calls.clear()
    outcome = apply(host, files=[{**CONFIG, "content": "{ }"}], units=units)
    assert verbs(host) == ["restart kubelet.service"]
    assert outcome["restarted"] == [{"unit": "kubelet.service", "reason": "/etc/kubelet.json changed"}]


def test_a_unit_restarts_when_its_own_file_changes_and_systemd_has_read_it(host: FakeHost) -> None:
    apply(host, units=[KUBELET])
    host.systemd.calls.clear()
    text = unit_text("/usr/bin/false")
    outcome = apply(host, units=[{**KUBELET, "content": text}])
    assert verbs(host) == [
        "reenable --no-reload kubelet.service",
        "daemon-reload",
        "restart kubelet.service",
    ]
    assert outcome["restarted"] == [
        {"unit": "kubelet.service", "reason": "/etc/systemd/system/kubelet.service changed"}
    ]
    assert host.systemd.running["kubelet.service"]["/etc/systemd/system/kubelet.service"] == text.encode()


def test_a_unit_restarts_for_what_no_file_shows_as_long_as_it_is_said(host: FakeHost) -> None:
    apply(host, units=[KUBELET])
    host.systemd.calls.clear()
    drifted = [{**KUBELET, "restart_reasons": ["eth1 is not a port of br-pods", "br-pods is down"]}]
    reason = {"unit": "kubelet.service", "reason": "eth1 is not a port of br-pods; br-pods is down"}
    assert apply(host, check=True, units=drifted)["restarted"] == [reason]
    assert verbs(host) == []
    assert apply(host, units=drifted)["restarted"] == [reason]
    assert verbs(host) == ["restart kubelet.service"]
    assert apply(host, units=[KUBELET])["changes"] == []


def test_a_unit_that_is_started_anyway_is_not_restarted_too(host: FakeHost) -> None:
    outcome = apply(host, units=[{**KUBELET, "restart_reasons": ["there is no br-pods"]}])
    assert unit_changes(outcome) == [
        "kubelet.service enable: is new",
        "kubelet.service start: is new",
    ]


def test_a_reason_that_says_nothing_is_refused(host: FakeHost) -> None:
    with pytest.raises(
        FlatnetError, match="restart_reasons: '' is no reason; say what is wrong in a few words"
    ):
        apply(host, units=[{**KUBELET, "restart_reasons": [""]}])


def test_a_mode_alone_restarts_nothing(host: FakeHost) -> None:
    units = [{**KUBELET, "restart_on": [CONFIG["path"]]}]
    apply(host, files=[CONFIG], units=units)
    assert apply(host, files=[{**CONFIG, "mode": "0600"}], units=units)["restarted"] == []


def test_a_file_of_another_owner_restarts_the_unit_that_reads_it(host: FakeHost) -> None:
    program = host.put("/usr/local/bin/kubelet", "v1")
    units = [{**KUBELET, "restart_on": ["/usr/local/bin/kubelet"]}]
    apply(host, units=units)
    assert apply(host, units=units)["changes"] == []
    program.write_text("v2")
    assert apply(host, units=units)["restarted"] == [
        {"unit": "kubelet.service", "reason": "/usr/local/bin/kubelet changed"}
    ]
    assert apply(host, units=units)["changes"] == []


def test_a_watched_file_that_goes_with_this_apply_restarts_once(host: FakeHost) -> None:
    host.put("/var/lib/old/f", "x")
    units = [{**KUBELET, "restart_on": ["/var/lib/old/f"]}]
    apply(host, units=units)
    assert len(apply(host, units=units, absent=["/var/lib/old"])["restarted"]) == 1
    assert apply(host, units=units, absent=["/var/lib/old"])["changes"] == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [("failed", "has failed (exit-code)"), ("inactive", "is inactive")],
)
def test_a_unit_that_does_not_run_is_started_again(host: FakeHost, state: str, reason: str) -> None:
    apply(host, units=[KUBELET])
    host.systemd.running.clear()
    if state == "failed":
        host.systemd.failed.add("kubelet.service")
    host.systemd.calls.clear()
    outcome = apply(host, units=[KUBELET])
    assert unit_changes(outcome) == [f"kubelet.service start: {reason}"]
    before = ["reset-failed kubelet.service"] if state == "failed" else []
    assert verbs(host) == [*before, "restart kubelet.service"]


def test_stopped_and_disabled_are_states_too(host: FakeHost) -> None:
    apply(host, units=[KUBELET])
    host.systemd.calls.clear()
    state = {"units": [{**KUBELET, "enabled": False, "state": "stopped"}]}
    outcome = apply(host, **state)
    assert unit_changes(outcome) == [
        "kubelet.service disable: is enabled",
        "kubelet.service stop: is running, wanted stopped",
    ]
    assert (host.systemd.running, host.systemd.enabled) == ({}, set())
    assert apply(host, **state)["changes"] == []


def test_a_unit_no_longer_wanted_is_stopped_disabled_and_removed(host: FakeHost) -> None:
    before = tree(host.root)
    apply(host, units=[KUBELET])
    host.systemd.calls.clear()
    outcome = apply(host, state="absent")
    assert verbs(host) == [
        "stop kubelet.service",
        "disable --no-reload kubelet.service",
        "daemon-reload",
    ]
    assert unit_changes(outcome) == [
        "kubelet.service stop: no longer wanted",
        "kubelet.service disable: no longer wanted",
    ]
    assert tree(host.root) == before
    assert host.systemd.read == {}


def test_a_failed_unit_that_goes_is_forgotten_by_systemd(host: FakeHost) -> None:
    apply(host, units=[KUBELET])
    host.systemd.running.clear()
    host.systemd.failed.add("kubelet.service")
    apply(host, state="absent")
    assert host.systemd.failed == set()


def test_a_packaged_unit_returns_to_what_it_was(host: FakeHost) -> None:
    host.put("/usr/lib/systemd/system/chrony.service", unit_text())
    apply(host, units=[{"name": "chrony.service"}])
    assert (host.systemd.enabled, list(host.systemd.running)) == ({"chrony.service"}, ["chrony.service"])
    apply(host, state="absent")
    assert (host.systemd.enabled, host.systemd.running) == (set(), {})
    assert (host.root / "usr/lib/systemd/system/chrony.service").exists()


def test_a_packaged_unit_that_ran_before_runs_after(host: FakeHost) -> None:
    host.put("/usr/lib/systemd/system/swapd.service", unit_text())
    host.systemd.run(["enable", "swapd.service"])
    host.systemd.run(["start", "swapd.service"])
    apply(host, units=[{"name": "swapd.service", "state": "stopped", "enabled": False}])
    assert host.systemd.running == {}
    apply(host, state="absent")
    assert (host.systemd.enabled, list(host.systemd.running)) == ({"swapd.service"}, ["swapd.service"])


def test_a_unit_that_does_not_exist_is_named(host: FakeHost) -> None:
    with pytest.raises(StateError, match=r"^unit chrony.service does not exist on this host; install what"):
        apply(host, units=[{"name": "chrony.service"}])


def test_a_running_unit_never_recorded_restarts_as_nothing_is_known_of_it(host: FakeHost) -> None:
    host.put("/etc/systemd/system/kubelet.service", unit_text())
    host.systemd.run(["enable", "kubelet.service"])
    host.systemd.run(["start", "kubelet.service"])
    outcome = apply(host, units=[KUBELET])
    assert unit_changes(outcome) == ["kubelet.service restart: not known which files it was started with"]
    assert apply(host, units=[KUBELET])["changes"] == []


def test_a_unit_file_that_systemd_has_not_read_is_a_change_of_its_own(host: FakeHost) -> None:
    host.put("/usr/lib/systemd/system/chrony.service", unit_text())
    apply(host, units=[{"name": "chrony.service"}])
    host.put("/usr/lib/systemd/system/chrony.service", unit_text("/usr/bin/false"))
    outcome = apply(host, units=[{"name": "chrony.service"}])
    assert unit_changes(outcome) == [
        "unit files read: systemd has not read the present file of chrony.service"
    ]


def test_a_drop_in_is_read_and_restarts_the_unit_that_names_it(host: FakeHost) -> None:
    drop_in = "/etc/systemd/system/kubelet.service.d/10-x.conf"
    units = [{**KUBELET, "restart_on": [drop_in]}]
    apply(host, files=[{"path": drop_in, "content": "[Service]\n"}], units=units)
    host.systemd.calls.clear()
    apply(host, files=[{"path": drop_in, "content": "[Service]\nNice=1\n"}], units=units)
    assert verbs(host) == ["daemon-reload", "restart kubelet.service"]


def test_a_unit_that_does_not_start_is_explained_and_everything_put_back(host: FakeHost) -> None:
    state: dict[str, Any] = {"files": [CONFIG], "units": [{**KUBELET, "restart_on": [CONFIG["path"]]}]}
    apply(host, **state)
    record = host.root / "var/lib/flatnet/state/example.json"
    before = (tree(host.root), record.read_bytes(), set(host.systemd.enabled))
    refused = unit_text("/usr/bin/broken")
    host.systemd.refuse = lambda _name, text: "broken" in text
    bad = {
        "files": [{**CONFIG, "content": "{1}", "mode": "0600"}, {"path": "/opt/new/f", "content": "x"}],
        "links": [{"path": "/opt/new/l", "target": "f"}],
        "units": [{**KUBELET, "content": refused}, {"name": "second.service", "content": unit_text()}],
    }
    with pytest.raises(StateError) as caught:
        apply(host, **bad)
    assert (tree(host.root), record.read_bytes(), set(host.systemd.enabled)) == before
    assert list(host.systemd.running) == ["kubelet.service"]
    assert host.systemd.running["kubelet.service"]["/etc/kubelet.json"] == b"{}"
    lines = "\n".join(f"    line {number}" for number in range(11, 31))
    assert str(caught.value) == (
        "unit kubelet.service did not start (failed, failed, result exit-code). The end of its journal:\n"
        f"{lines}\n"
        "Put right what it complains of and apply again; `journalctl -u kubelet.service` on the host shows "
        "all of it.\n"
        "The files and units of this host are as they were before."
    )
    assert ["journalctl", "-u", "kubelet.service", "-n", "20", "--no-pager", "-o", "cat"] in host.commands
    assert apply(host, **state)["changes"] == []


def test_a_program_that_ran_and_was_stopped_again_leaves_a_record_for_what_it_made(host: FakeHost) -> None:
    record = host.root / "var/lib/flatnet/state/example.json"
    host.systemd.refuse = lambda _name, text: "broken" in text
    bad = {"name": "second.service", "content": unit_text("/usr/bin/broken")}
    with pytest.raises(StateError):
        apply(host, units=[KUBELET, bad])
    assert not host.systemd.running
    assert json.loads(record.read_text())["units"] == {}
    apply(host)
    assert not record.exists()
    with pytest.raises(StateError):
        apply(host, files=[{**CONFIG, "validate": "/bin/false {path}"}], units=[KUBELET])
    assert not record.exists()


def test_what_cannot_be_put_back_is_listed_and_kept_in_the_record(host: FakeHost) -> None:
    apply(host, units=[KUBELET])
    host.systemd.refuse = lambda _name, _text: True
    with pytest.raises(StateError) as caught:
        apply(host, units=[{**KUBELET, "content": unit_text("/usr/bin/x")}])
    assert str(caught.value).endswith(
        "\nWhat was there before could not all be restored:\n"
        "  systemctl restart kubelet.service: Job for kubelet.service failed because the control process "
        "exited with error code."
    )
    host.systemd.refuse = lambda _name, _text: False
    outcome = apply(host, units=[KUBELET])
    assert unit_changes(outcome) == ["kubelet.service start: has failed (exit-code)"]
    assert apply(host, units=[KUBELET])["changes"] == []


def test_an_apply_killed_before_the_restart_is_completed_by_the_next(host: FakeHost) -> None:
    units = [{**KUBELET, "restart_on": [CONFIG["path"]]}]
    apply(host, files=[CONFIG], units=units)
    host.steps.clear()
    changed: dict[str, Any] = {"files": [{**CONFIG, "content": "{2}"}], "units": units}
    dry = FakeHost(host.root.parent / "dry")
    apply(dry, files=[CONFIG], units=units)
    dry.steps.clear()
    apply(dry, **changed)
    host.kill_at = dry.steps.index("systemctl restart kubelet.service") + 1
    with pytest.raises(Killed, match=r"^systemctl restart kubelet\.service$"):
        apply(host, **changed)
    assert host.systemd.running["kubelet.service"]["/etc/kubelet.json"] == b"{}"
    host.kill_at = None
    outcome = apply(host, **changed)
    assert outcome["restarted"] == [{"unit": "kubelet.service", "reason": "/etc/kubelet.json changed"}]
    assert host.systemd.running["kubelet.service"]["/etc/kubelet.json"] == b"{2}"


def test_two_owners_of_one_unit_are_both_named(host: FakeHost) -> None:
    apply(host, name="first", units=[KUBELET])
    with pytest.raises(StateError, match="is wanted by second and belongs to first already; let only one"):
        apply(host, name="second", units=[{"name": "kubelet.service"}])
