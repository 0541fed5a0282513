"""Which units a run has started, and the action that looks whether they stay up."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsibleActionFail
from node_state_host import FakeHost, unit_text
from node_state_rig import PLUGIN, Connection, Rig
from plugin_loader import load_plugin

from flatnet.state.started import note_started, take_started


def change(name: str, action: str, kind: str = "unit") -> dict[str, str]:
    return {"kind": kind, "item": name, "action": action, "reason": "is new"}


def test_what_was_started_is_told_once_and_of_all_tasks(tmp_path: Path) -> None:
    note_started("a", tmp_path, [change("kubelet.service", "start"), change("kubelet.service", "enable")])
    note_started("a", tmp_path, [change("etcd.service", "restart"), change("old.service", "stop")])
    note_started("a", tmp_path, [change("/etc/x", "start", "file")])
    note_started("b/1", tmp_path, [change("containerd.service", "start")])
    assert take_started("a", tmp_path) == ["etcd.service", "kubelet.service"]
    assert take_started("a", tmp_path) == []
    assert take_started("b/1", tmp_path) == ["containerd.service"]


def test_an_apply_notes_what_it_starts_and_check_mode_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    rig = Rig(tmp_path / "host", monkeypatch)
    units = [{"name": "p.service", "content": unit_text(), "enabled": True, "state": "started"}]
    rig.in_check_mode = True
    rig.run(units=units)
    assert take_started("node-1", rig.folder) == []
    rig.in_check_mode = False
    rig.run(units=units)
    assert take_started("node-1", rig.folder) == ["p.service"]
    rig.run(units=units)
    assert take_started("node-1", rig.folder) == []


def steady_units(
    folder: Path, host: FakeHost, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], list[Any]]:
    asked: list[Any] = []

    def ask(_self: object, request: dict[str, Any], _variables: object) -> dict[str, Any]:
        asked.append(request)
        return {"problems": problems}

    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(folder))
    module = load_plugin(PLUGIN.with_name("steady_units.py"))
    plugin = type("Action", (module.ActionModule,), {"ask": ask})
    task = SimpleNamespace(
        args={}, check_mode=False, async_val=0, diff=False, action="steady_units", delegate_to=None
    )
    action = plugin(task, Connection(host), SimpleNamespace(), None, None, None)
    return action.run(task_vars={"inventory_hostname": "node-1"}), asked


def test_a_host_where_nothing_was_started_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = FakeHost(tmp_path / "host")
    assert steady_units(tmp_path, host, [], monkeypatch) == ({"changed": False}, [])
    note_started("node-1", tmp_path, [change("kubelet.service", "start")])
    assert steady_units(tmp_path, host, [], monkeypatch) == (
        {"changed": False},
        [{"units": ["kubelet.service"]}],
    )


def test_a_unit_that_does_not_stay_up_is_a_failure_with_the_hosts_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_started("node-1", tmp_path, [change("kubelet.service", "start")])
    host = FakeHost(tmp_path / "host")
    with pytest.raises(AnsibleActionFail, match=r"host node-1 \(192\.0\.2\.11, port 22\): unit kubelet"):
        steady_units(tmp_path, host, ["unit kubelet.service does not stay up"], monkeypatch)
