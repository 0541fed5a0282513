"""What a look found spares calls of node_state, and never one that would have changed anything."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from node_state_host import unit_text
from node_state_rig import Rig
from plugin_loader import load_plugin

from flatnet.errors import FlatnetError
from flatnet.host.state.look import look
from flatnet.state.applied import forget_all, holds_objects, holds_state, note_change, remember

ROLES = Path(__file__).parents[3] / "roles"
KUBELET: dict[str, Any] = {
    "name": "kubelet",
    "files": [{"path": "/etc/kubelet", "content": "a"}],
    "units": [
        {"name": "kubelet.service", "content": unit_text(), "restart_on": ["/etc/kubelet", "/opt/program"]}
    ],
}
PROXY: dict[str, Any] = {"name": "proxy", "files": [{"path": "/etc/proxy", "content": "a"}]}
UNCHANGED = {"changed": False, "changes": [], "restarted": [], "msg": "as wanted"}


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Return a host that has all states, in a run that has looked at it."""
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    made = Rig(tmp_path / "host", monkeypatch)
    made.run(name="programs", files=[{"path": "/opt/program", "content": "old"}])
    made.run(**KUBELET)
    made.run(**PROXY)
    see(made)
    return made


def see(rig: Rig) -> None:
    remember("node-1", rig.folder, look(rig.host), {}, 0)
    rig.requests.clear()


def called(rig: Rig) -> list[str]:
    return [request["state"]["name"] for request in rig.requests]


def test_what_holds_needs_no_call_and_tells_the_same(rig: Rig) -> None:
    assert rig.run(**KUBELET) == UNCHANGED
    assert rig.run(**PROXY) == UNCHANGED
    assert called(rig) == []


def test_check_mode_needs_no_call_either(rig: Rig) -> None:
    rig.in_check_mode = True
    assert rig.run(**KUBELET) == UNCHANGED
    assert called(rig) == []


def test_a_finding_spares_one_call_only(rig: Rig) -> None:
    rig.run(**KUBELET)
    rig.run(**KUBELET)
    assert called(rig) == ["kubelet"]


def test_without_a_look_every_call_is_made(rig: Rig) -> None:
    (rig.folder / "applied-node-1.json").unlink()
    rig.run(**KUBELET)
    rig.run(**PROXY)
    assert called(rig) == ["kubelet", "proxy"]


def test_another_value_costs_the_call_of_whom_it_concerns(rig: Rig) -> None:
    result = rig.run(**{**KUBELET, "files": [{"path": "/etc/kubelet", "content": "b"}]})
    assert [change["item"] for change in result["changes"]] == ["/etc/kubelet", "kubelet.service"]
    assert "applied" not in result
    assert rig.run(**PROXY) == UNCHANGED
    assert called(rig) == ["kubelet"]


def test_what_somebody_changed_is_repaired(rig: Rig) -> None:
    rig.host.put("etc/proxy", "b")
    see(rig)
    assert rig.run(**KUBELET) == UNCHANGED
    assert rig.run(**PROXY)["msg"] == "file /etc/proxy: update (content differs)"
    assert called(rig) == ["proxy"]


def test_a_program_of_another_owner_costs_the_call_of_whose_daemon_runs_it(rig: Rig) -> None:
    rig.run(name="programs", files=[{"path": "/opt/program", "content": "new"}])
    result = rig.run(**KUBELET)
    assert result["restarted"] == [{"unit": "kubelet.service", "reason": "/opt/program changed"}]
    assert rig.run(**PROXY) == UNCHANGED
    assert called(rig) == ["programs", "kubelet"]


def test_a_file_that_another_task_of_the_run_writes_restarts_whose_daemon_reads_it(rig: Rig) -> None:
    [unit] = KUBELET["units"]
    reads_a_template = {**KUBELET, "units": [{**unit, "restart_on": ["/etc/kubelet", "/etc/template"]}]}
    rig.host.put("etc/template", "old")
    rig.run(**reads_a_template)
    see(rig)
    rig.host.put("etc/template", "new")
    result = rig.run(**reads_a_template)
    assert result["restarted"] == [{"unit": "kubelet.service", "reason": "/etc/template changed"}]


def test_check_mode_predicts_what_follows_from_another_owners_change(rig: Rig) -> None:
    rig.in_check_mode = True
    rig.run(name="programs", files=[{"path": "/opt/program", "content": "new"}])
    assert rig.run(**KUBELET)["restarted"] == [{"unit": "kubelet.service", "reason": "/opt/program changed"}]
    assert rig.run(**PROXY) == UNCHANGED
    assert called(rig) == ["programs", "kubelet"]


def test_a_change_that_breaks_what_another_owner_applied_is_seen_in_the_same_run(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = rig.host.systemd._restart

    def takes_the_proxy_along(name: str) -> object:
        rig.host.put("etc/proxy", "b")
        return run(name)

    monkeypatch.setattr(rig.host.systemd, "_restart", takes_the_proxy_along)
    rig.run(**{**KUBELET, "files": [{"path": "/etc/kubelet", "content": "b"}]})
    assert rig.run(**PROXY)["changed"] is True


def test_after_a_failed_apply_nothing_is_taken_to_hold(rig: Rig) -> None:
    rig.host.fail_at = len(rig.host.steps) + 2
    broken = rig.run(**{**KUBELET, "files": [{"path": "/etc/kubelet", "content": "b"}]})
    assert broken["failed"] is True
    rig.host.fail_at = None
    rig.run(**PROXY)
    assert called(rig) == ["kubelet", "proxy"]


def test_after_a_call_without_an_answer_nothing_is_taken_to_hold(rig: Rig) -> None:
    rig.ran = {"rc": 137, "stdout": "", "stderr": "Killed"}
    with pytest.raises(AnsibleActionFail):
        rig.run(**{**KUBELET, "files": [{"path": "/etc/kubelet", "content": "b"}]})
    rig.ran = None
    rig.run(**PROXY)
    assert called(rig) == ["kubelet", "proxy"]


def test_a_restart_that_was_asked_for_is_made(rig: Rig) -> None:
    [unit] = KUBELET["units"]
    result = rig.run(**{**KUBELET, "units": [{**unit, "restart_reasons": ["cbr0 is down"]}]})
    assert result["restarted"] == [{"unit": "kubelet.service", "reason": "cbr0 is down"}]


def test_who_wants_nothing_and_has_nothing_needs_no_call(rig: Rig) -> None:
    assert rig.run(name="masquerade") == UNCHANGED
    assert called(rig) == []
    rig.run(name="proxy", state="absent")
    assert called(rig) == ["proxy"]


def test_a_look_at_another_host_says_nothing_about_this_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig, "variables", {**rig.variables, "inventory_hostname": "node-2"})
    rig.run(**PROXY)
    assert called(rig) == ["proxy"]


def test_once_the_plan_is_recorded_as_deployed_every_call_of_later_plays_is_made(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = load_plugin(ROLES / "plan_report" / "action_plugins" / "plan_report.py")
    monkeypatch.setattr(plugin, "plain", lambda document: document)
    monkeypatch.setattr(plugin, "plan_document", lambda plan: plan)
    task = SimpleNamespace(
        args={"plan": {"nodes": {"node-1": {}}}, "deployed_path": "/nowhere", "record_enabled": True},
        check_mode=False,
        async_val=0,
        action="plan_report",
    )
    result = plugin.ActionModule(task, rig.connection, SimpleNamespace(), None, None, None).run(task_vars={})
    assert "this run was not for node-1" in result["warnings"][0]
    rig.host.put("etc/proxy", "b")
    assert rig.run(**PROXY)["msg"] == "file /etc/proxy: update (content differs)"


def test_all_is_forgotten_of_every_host(tmp_path: Path) -> None:
    for host in ("control-1", "node-1"):
        remember(host, tmp_path, {}, {"dns": "aa"}, 10**18)
    forget_all(tmp_path)
    assert not holds_objects("control-1", tmp_path, "dns", "aa")
    assert not holds_objects("node-1", tmp_path, "dns", "aa")


def test_objects_hold_until_something_changes_on_any_host(tmp_path: Path) -> None:
    now = 10**18
    remember("control-1", tmp_path, {}, {"dns": "aa", "flannel": "bb", "other": ""}, now)
    assert holds_objects("control-1", tmp_path, "dns", "aa")
    assert not holds_objects("control-1", tmp_path, "dns", "aa")
    assert not holds_objects("control-1", tmp_path, "other", "")
    assert not holds_objects("control-1", tmp_path, "unknown", "")
    assert not holds_objects("node-1", tmp_path, "flannel", "bb")
    note_change(tmp_path)
    assert not holds_objects("control-1", tmp_path, "flannel", "bb")


def test_after_objects_without_an_answer_none_are_taken_to_hold(rig: Rig) -> None:
    plugin = load_plugin(ROLES / "cluster_objects" / "action_plugins" / "cluster_objects.py")

    def no_answer(*_: object) -> None:
        raise FlatnetError("the program ended before it could answer")

    action = type("Action", (plugin.ActionModule,), {"ask": no_answer})
    credentials = {"server": "https://192.0.2.11:6443", "ca": "/ca", "certificate": "/crt", "key": "/key"}
    task = SimpleNamespace(
        args={"credentials": credentials, "owner": "flannel"},
        check_mode=False,
        async_val=0,
        diff=False,
        action="cluster_objects",
        delegate_to="control-1",
    )
    remember("control-1", rig.folder, {}, {"dns": "aa", "proxy": "bb"}, time.time_ns())
    assert holds_objects("control-1", rig.folder, "proxy", "bb")
    result = action(task, rig.connection, SimpleNamespace(), None, None, None).run(task_vars={})
    assert result["failed"] is True
    assert not holds_objects("control-1", rig.folder, "dns", "aa")


def test_a_look_after_the_change_counts_again(tmp_path: Path) -> None:
    note_change(tmp_path)
    remember("control-1", tmp_path, {"etcd": "cc"}, {"dns": "aa"}, 2 * 10**18)
    assert holds_objects("control-1", tmp_path, "dns", "aa")
    assert holds_state("control-1", tmp_path, "etcd", "cc", is_empty=False)
