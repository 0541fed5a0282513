"""What other playbooks and the end of a run say of a switch that has not ended; no host is contacted."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from inventory_cases import inventory, write
from playbook import ROOT, run_playbook
from plugin_loader import load_plugin

from flatnet.switch.ends import End
from flatnet.switch.progress import DONE, FILE, progress_towards, save_progress

KUBENET = End("kubenet", "default", "cni_kubenet", "iptables", "none", "")
FLANNEL = End("flannel", "vxlan", "cni_flannel", "iptables", "none", "")


def begin(folder: Path) -> str:
    progress = progress_towards(None, "kubernetes", KUBENET, FLANNEL, ["node-a", "node-b"])
    assert progress
    progress = progress.moved(["node-a"], DONE)
    save_progress(folder / FILE, progress)
    return progress.explained()


def test_a_plan_is_refused_with_where_the_switch_stands(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": inventory()})
    explained = begin(tmp_path)
    answer = run_playbook("plan_network.yml", tmp_path)
    assert answer.code == 2
    assert answer.message.removeprefix("Task failed: ").startswith(f"{explained}\n")
    assert not (tmp_path / "network_allocations.yml").exists()


def test_the_end_of_a_run_tells_where_the_switch_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explained = begin(tmp_path)
    callback = load_plugin(ROOT / "playbooks/callback_plugins/switch_state.py").CallbackModule()
    callback.v2_playbook_on_stats(None)
    assert capsys.readouterr().out == ""
    callback.v2_runner_on_ok(SimpleNamespace(result={"switch_note": str(tmp_path / FILE)}))
    callback.v2_runner_on_ok(SimpleNamespace(result={}))
    callback.v2_playbook_on_stats(None)
    assert explained in capsys.readouterr().out
    (tmp_path / FILE).unlink()
    callback.v2_playbook_on_stats(None)
    assert capsys.readouterr().out == ""
