import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.template import Templar, trust_as_template
from plan_cases import HOSTS as HOSTS_OF_CASES
from plan_cases import prepare
from plugin_loader import load_plugin

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, Settings, open_ledger
from flatnet.plan_report import document_text, plan_document

ROOT = Path(__file__).resolve().parents[3]
HOSTS: dict[str, Any] = {
    "node-a": {"ansible_host": "192.0.2.11"},
    "node-b": {"ansible_host": "198.51.100.5", "node_address": "{{ '192.0.2.' ~ 12 }}"},
    "node-c": {"node_addresses": ["192.0.2.13"], "pod_cidr": "10.200.7.0/24"},
}


@pytest.fixture(name="action", scope="module")
def load_action() -> ModuleType:
    path = ROOT / "roles/network_plan/action_plugins/network_plan.py"
    return load_plugin(path)


@pytest.fixture(name="inventory")
def write_inventory(tmp_path: Path) -> Path:
    groups = {"kube_control_plane": {"node-a": {}}, "etcd": {"node-a": {}}, "kube_node": HOSTS}
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump({"all": {"children": {"k8s_cluster": {"children": children}}}}))
    return path


def run(inventory: Path, *arguments: str) -> tuple[int, str]:
    """Run the playbook; no host of the inventory exists, so that any contact would fail."""
    playbook = inventory.parent / "plan.yml"
    playbook.write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "k8s_cluster",
                    "gather_facts": False,
                    "roles": [{"role": "network_plan", "run_once": True}],
                    "tasks": [
                        {
                            "ansible.builtin.copy": {
                                "dest": f"{inventory.parent}/{{{{ inventory_hostname }}}}.json",
                                "content": "{{ network_plan_result.plan | to_json }}",
                                "mode": "0600",
                            },
                            "delegate_to": "localhost",
                            "connection": "local",
                            "check_mode": False,
                            "diff": False,
                        }
                    ],
                }
            ]
        )
    )
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(inventory),
            str(playbook),
            *arguments,
        ],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_limited_run_plans_everybody_and_remembers(inventory: Path) -> None:
    code, output = run(
        inventory, "--limit", "node-b,node-c", "--diff", "-e", "ansible_python_interpreter=" + sys.executable
    )
    assert code == 0, output
    plan = json.loads((inventory.parent / "node-c.json").read_text())
    assert {name: (node["addresses"], node["pod_cidrs"]) for name, node in plan["nodes"].items()} == {
        "node-a": (["192.0.2.11"], ["10.200.0.0/24"]),
        "node-b": (["192.0.2.12"], ["10.200.1.0/24"]),
        "node-c": (["192.0.2.13"], ["10.200.7.0/24"]),
    }
    assert plan["nodes"]["node-a"]["groups"] == ["etcd", "kube_control_plane", "kube_node"]
    assert (inventory.parent / "node-b.json").read_text() == (inventory.parent / "node-c.json").read_text()
    allocations = (inventory.parent / "network_allocations.yml").read_text()
    assert "  node-b: [10.200.1.0/24]\n" in allocations
    assert "+  node-b: [10.200.1.0/24]\n" in output


def test_comments_in_the_file_stay_when_a_node_is_added(inventory: Path) -> None:
    path = inventory.parent / "network_allocations.yml"
    path.write_text("# ours\nnodes:\n  # the first rack\n  node-b: [10.200.1.0/24]  # slow\n")
    code, output = run(inventory, "--diff")
    assert code == 0, output
    assert path.read_text() == (
        "# ours\ncluster: kubernetes\nnodes:\n  node-a: [10.200.0.0/24]\n  # the first rack\n"
        "  node-b: [10.200.1.0/24]  # slow\n  node-c: [10.200.7.0/24]\npins:\n  node-c: [10.200.7.0/24]\n"
    )
    assert "   # the first rack\n   node-b: [10.200.1.0/24]  # slow\n+  node-c: [10.200.7.0/24]\n" in output


def test_a_file_of_another_cluster_of_the_same_name_is_refused_and_left_as_it_is(inventory: Path) -> None:
    path = inventory.parent / "network_allocations.yml"
    text = "cluster: kubernetes\nnodes:\n  web-1: [10.200.0.0/24]\n  web-2: [10.200.1.0/24]\n"
    path.write_text(text)
    code, output = run(inventory)
    assert code == 2, output
    assert (
        "[allocation-cluster] nodes web-1, web-2: the inventory has none of them but node-a, node-b" in output
    )
    assert path.read_text() == text


def test_hosts_that_no_play_would_prepare_are_refused_together_before_anything_is_written(
    inventory: Path,
) -> None:
    outside = {
        "etcd": {"hosts": {"e-1": {"ansible_host": "192.0.2.21"}, "e-2": {"ansible_host": "192.0.2.22"}}},
        "kube_node": {"hosts": {"stray": {"ansible_host": "192.0.2.23"}}},
    }
    inside = {"kube_control_plane": {"hosts": {"node-a": HOSTS["node-a"]}}}
    inventory.write_text(yaml.safe_dump(outside | {"k8s_cluster": {"children": inside}}))
    code, output = run(inventory)
    assert code == 2, output
    words = "but not in k8s_cluster, whose hosts alone are looked at and prepared. Fix: make its group"
    assert "the network cannot be planned, 2 findings:" in output
    assert f"[host-group] e-1, e-2: it is in etcd {words}" in output
    assert f"[host-group] stray: it is in kube_node {words}" in output
    assert sorted(path.name for path in inventory.parent.iterdir()) == ["hosts.yml", "plan.yml"]


def test_a_diff_of_a_large_file_is_of_its_changed_lines(
    action: ModuleType, monkeypatch: pytest.MonkeyPatch, inventory: Path
) -> None:
    path = inventory.parent / "allocations.yml"
    with open_ledger(path) as ledger:
        found = Allocations.from_mapping({"nodes": {"node-a": ["10.200.0.0/24"]}})
        text = ledger.text_after(found)
        assert action.shown_change(ledger, found, text) == {
            "before": "",
            "after": text,
            "before_header": str(path),
            "after_header": str(path),
        }
        monkeypatch.setattr(action, "COMPARED_LENGTH", len(text) - 1)
        assert action.shown_change(ledger, found, text) == {"prepared": ledger.diff(found) + "\n"}


def test_check_mode_writes_nothing_and_what_is_wrong_is_one_message(inventory: Path) -> None:
    code, output = run(
        inventory,
        "--check",
        "-e",
        '{"network_plan_settings": {"cluster_pod_cidrs": ["10.32.0.0/16"], "cluster_max_pods": 300}}',
    )
    assert code == 2, output
    assert "Task failed: the network cannot be planned, 3 findings:\n- [allocation-outside]" in output
    assert "Traceback" not in output
    assert not (inventory.parent / "network_allocations.yml").exists()


def test_a_plan_that_is_not_to_be_recorded_writes_nothing(inventory: Path) -> None:
    code, output = run(inventory, "-e", '{"network_plan_record_enabled": false}')
    assert code == 0, output
    assert json.loads((inventory.parent / "node-c.json").read_text())["nodes"]["node-c"]["pod_cidrs"] == [
        "10.200.7.0/24"
    ]
    assert not (inventory.parent / "network_allocations.yml").exists()


def test_what_is_wrong_is_printed_once_and_not_for_its_cause_again(inventory: Path) -> None:
    code, output = run(
        inventory, "-e", '{"network_plan_settings": {"cluster_dns_domain_name": "Example.com"}}'
    )
    assert code == 2, output
    # Once in the error, once in the task's result.
    assert (
        output.count(
            "[dns-domain] cluster_dns_domain_name 'Example.com': it is not a lower-case DNS name. Fix: use"
        )
        == 2
    )
    assert "caused by" not in output


def test_the_directory_of_the_allocations_is_made_but_not_in_check_mode(inventory: Path) -> None:
    path = inventory.parent / "state" / "of" / "it.yml"
    setting = f"network_plan_allocations_file={path}"
    code, output = run(inventory, "--check", "-e", setting)
    assert code == 0, output
    assert not (inventory.parent / "state").exists()
    code, output = run(inventory, "-e", setting)
    assert code == 0, output
    assert "  node-c: [10.200.7.0/24]\n" in path.read_text()
    assert "pins:\n  node-c: [10.200.7.0/24]\n" in path.read_text()


def test_nodes_that_run_already_and_what_is_deployed_are_taken_into_account(inventory: Path) -> None:
    running = [{"metadata": {"name": "node-b"}, "spec": {"podCIDRs": ["10.200.40.0/24"]}}]
    deployed = prepare(Settings(dns_domain="example.com"), HOSTS_OF_CASES[:1]).plan
    (inventory.parent / "network_deployed.json").write_text(document_text(plan_document(deployed)))
    (inventory.parent / "nodes.json").write_text(json.dumps({"items": running}))
    settings: dict[str, object] = {"cluster_existing_nodes": f"{inventory.parent}/nodes.json"}
    code, output = run(inventory, "-e", json.dumps({"network_plan_settings": settings}))
    assert code == 2, output
    assert "[immutable-dns-domain] cluster_dns_domain_name cluster.local in place of example.com" in output
    assert not (inventory.parent / "network_allocations.yml").exists()
    settings |= {"cluster_allowed_changes": ["dns_domain"]}
    code, output = run(inventory, "-e", json.dumps({"network_plan_settings": settings}))
    assert code == 0, output
    assert "[WARNING]: [immutable-dns-domain]" in output
    assert "node-b: [10.200.40.0/24]" in (inventory.parent / "network_allocations.yml").read_text()


def test_a_record_that_cannot_be_read_is_refused(inventory: Path) -> None:
    (inventory.parent / "deployed.json").write_text('{"dns_domain": ')
    code, output = run(inventory, "-e", f"network_plan_deployed_file={inventory.parent}/deployed.json")
    assert code == 2, output
    assert "deployed.json is not JSON: Expecting value" in output
    assert "Traceback" not in output


class HostVars(dict[str, Any]):
    """Variables by host, nothing of them a template."""

    raw_get = dict.__getitem__


def test_every_host_of_the_cluster_groups_is_read_with_its_defaults(action: ModuleType) -> None:
    hostvars = {
        "b": {"ansible_host": "192.0.2.2", "seen": {"hostname": "b"}},
        "a": {"node_address": "192.0.2.1", "node_name": "first", "pod_cidr": "10.200.0.0/24"}
        | {"pod_prefix": 23, "max_pods": 500},
        "192.0.2.3": {},
    }
    groups = {
        "k8s_cluster": ["b"],
        "etcd": ["a"],
        "kube_control_plane": ["a"],
        "kube_node": ["b", "192.0.2.3"],
    }
    assert action.inventory_hosts(groups, HostVars(hostvars), "seen", Templar(None)) == [
        {
            "inventory_name": "192.0.2.3",
            "node_name": None,
            "addresses": "192.0.2.3",
            "groups": ["kube_node"],
            "pod_cidr": None,
            "pod_prefix": None,
            "max_pods": None,
            "facts": None,
            "is_in_cluster": False,
        },
        {
            "inventory_name": "a",
            "node_name": "first",
            "addresses": "192.0.2.1",
            "groups": ["etcd", "kube_control_plane"],
            "pod_cidr": "10.200.0.0/24",
            "pod_prefix": 23,
            "max_pods": 500,
            "facts": None,
            "is_in_cluster": False,
        },
        {
            "inventory_name": "b",
            "node_name": None,
            "addresses": "192.0.2.2",
            "groups": ["kube_node"],
            "pod_cidr": None,
            "pod_prefix": None,
            "max_pods": None,
            "facts": {"hostname": "b"},
            "is_in_cluster": True,
        },
    ]


def test_a_variable_that_cannot_be_rendered_is_named_with_its_host(action: ModuleType) -> None:
    hosts = HostVars(a={"node_name": trust_as_template("{{ nowhere | upper }}")})
    with pytest.raises(FlatnetError, match="node_name of a cannot be rendered: 'nowhere' is undefined"):
        action.inventory_hosts({"k8s_cluster": ["a"]}, hosts, "seen", Templar(None))


def test_an_inventory_without_a_cluster_is_refused(action: ModuleType) -> None:
    with pytest.raises(
        FlatnetError, match="the inventory has no host in k8s_cluster; put the hosts into the groups"
    ):
        action.inventory_hosts({"all": ["x"]}, HostVars(x={}), "seen", Templar(None))
