"""That the playbooks ask whether the inventory is understood; no host is contacted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from inventory_cases import SMALL, inventory, write
from playbook import ROOT, run_playbook

# An ansible.cfg of one's own, which lets Ansible go on with what it could parse.
FOREIGN = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_playbook_asks_before_anything_else(name: str) -> None:
    first, second, *_ = yaml.safe_load((ROOT / "playbooks" / name).read_text())
    assert first["ansible.builtin.import_playbook"] == "plays/require_hosts.yml"
    if "ansible.builtin.import_playbook" in second:
        second = yaml.safe_load((ROOT / "playbooks" / second["ansible.builtin.import_playbook"]).read_text())[
            0
        ]
    assert second["hosts"] == "k8s_cluster"
    asked = (second.get("pre_tasks") or second["tasks"])[0]["ansible.builtin.import_tasks"]
    assert asked.removeprefix("../") == "tasks/inputs.yml"
    assert "network_settings" in yaml.safe_load((ROOT / "playbooks/tasks/inputs.yml").read_text())[0]


def test_a_run_that_matches_no_host_fails(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": inventory(SMALL, None, web={"hosts": {"web-1": {}}})})
    answer = run_playbook("verify_network.yml", tmp_path, "--limit", "web-1")
    words = "this run is for web-1, of which none is in k8s_cluster; limit it to hosts of k8s_cluster"
    assert (answer.code, answer.message.removeprefix("Task failed: ")) == (2, words)
    write(tmp_path, {"hosts.yml": "all: {}\n"})
    answer = run_playbook("reset_network.yml", tmp_path)
    assert answer.code == 2
    assert "the inventory has no host in k8s_cluster" in answer.message


def test_half_an_inventory_is_refused_with_whatever_settings_of_ansible(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": inventory(), "more.yml": "kube_node: {hosts: {node-4: {}, 1001: {}}}\n"})
    answer = run_playbook("provision_network.yml", tmp_path, environment=FOREIGN)
    assert answer.code == 2
    assert f"{tmp_path}/more.yml is no inventory that Ansible can read" in answer.message
    answer = run_playbook("plan_network.yml", tmp_path)
    assert answer.code != 0
    assert f"Completely failed to parse inventory source {tmp_path}/more.yml" in answer.errors


def test_whatever_a_run_is_limited_to_one_folder_keeps_the_state(tmp_path: Path) -> None:
    more = {"kube_node": {"hosts": {"node-0": {"ansible_host": "192.0.2.10"}}}}
    files = {
        "one/hosts.yml": inventory(),
        "two/hosts.yml": yaml.safe_dump({"k8s_cluster": {"children": more}}),
    }
    write(tmp_path, files)
    kept = tmp_path / "one/network_allocations.yml"
    assert run_playbook("plan_network.yml", tmp_path / "one").code == 0
    before = kept.read_text()
    second = ["-i", str(tmp_path / "two"), "--limit", "node-0"]
    answer = run_playbook("plan_network.yml", tmp_path / "one", *second)
    assert answer.code == 0, answer.output
    added = "  node-0: [10.200.3.0/24]\n"
    assert kept.read_text() == before.replace("nodes:\n", f"nodes:\n{added}")
    assert not (tmp_path / "two/network_allocations.yml").exists()


def test_a_relative_state_directory_is_not_one_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"inventory/hosts.yml": inventory(SMALL, {"cluster_state_directory": "state"})})
    assert run_playbook("plan_network.yml", tmp_path / "inventory").code == 0
    written = [path.relative_to(tmp_path / "inventory") for path in tmp_path.rglob("network_allocations.yml")]
    assert written == [Path("state/network_allocations.yml")]


@pytest.mark.parametrize("formerly", [True, False])
def test_an_inventory_that_is_refused_takes_the_place_of_a_former_plan(
    tmp_path: Path, formerly: bool
) -> None:
    if formerly:
        write(tmp_path, {"hosts.yml": inventory()})
        assert run_playbook("plan_network.yml", tmp_path).code == 0
    write(tmp_path, {"hosts.yml": inventory(SMALL, {"cluster_api_port": 70000})})
    # Of other playbooks a refusal says nothing about the plan.
    assert run_playbook("verify_network.yml", tmp_path).code == 2
    reports = tmp_path / "reports/kubernetes"
    before = {"plan.html", "plan.json"} if formerly else set()
    assert before <= {path.name for path in reports.glob("*")}
    answer = run_playbook("plan_network.yml", tmp_path)
    assert answer.code == 2
    assert ("Written: " in answer.message) == formerly
    assert [path.name for path in reports.glob("*")] == ["plan.html"] * formerly
    if formerly:
        assert "refused" in (reports / "plan.html").read_text()
        assert "cluster_api_port 70000" in (reports / "plan.html").read_text()
