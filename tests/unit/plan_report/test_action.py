"""The role plan_report and the playbook plan_network, run for real; no host of the inventory exists."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flatnet.plan_report import parse_document, plan_of
from flatnet.plan_report.document import routes_of

ROOT = Path(__file__).resolve().parents[3]
HOSTS = {f"node-{letter}": {"ansible_host": f"192.0.2.1{index}"} for index, letter in enumerate("abc")}


@pytest.fixture(name="inventory")
def write_inventory(tmp_path: Path) -> Path:
    groups = {"kube_control_plane": {"node-a": {}}, "etcd": {"node-a": {}}, "kube_node": HOSTS}
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    path = tmp_path / "inventory" / "hosts.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"all": {"children": {"k8s_cluster": {"children": children}}}}))
    return path


def play(inventory: Path, playbook: Path, *arguments: str, **variables: object) -> tuple[int, str]:
    settings = {"plan_report_directory": f"{inventory.parent.parent}/reports"} | variables
    settings = {name: value for name, value in settings.items() if value is not None}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), str(playbook)]
    done = subprocess.run(
        [*command, "-e", json.dumps(settings), *arguments],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def plan(inventory: Path, *arguments: str, **variables: object) -> tuple[int, str]:
    return play(inventory, ROOT / "playbooks/plan_network.yml", *arguments, **variables)


def record(inventory: Path, *arguments: str) -> tuple[int, str]:
    """Plan and record the plan as deployed, as a run that provisions does at its end."""
    playbook = inventory.parent.parent / "record.yml"
    include = {"name": "plan_report", "tasks_from": "record"}
    tasks = [
        {"ansible.builtin.import_role": {"name": "network_plan"}, "run_once": True},
        {
            "ansible.builtin.import_role": include,
            "run_once": True,
            "vars": {"plan_report_plan": "{{ network_plan_result.plan }}"},
        },
    ]
    playbook.write_text(yaml.safe_dump([{"hosts": "k8s_cluster", "gather_facts": False, "tasks": tasks}]))
    return play(inventory, playbook, *arguments)


def test_a_plan_is_shown_compared_and_written(inventory: Path) -> None:
    reports = inventory.parent.parent / "reports"
    code, output = plan(inventory)
    assert code == 0, output
    assert "Pod network 10.200.0.0/16: 3 of 256 /24 networks used, 253 free." in output
    assert "Nothing is recorded as deployed: everything in this plan is new." in output
    assert f"Written: {reports}/plan.html\nWritten: {reports}/plan.json\n" in output
    document = parse_document((reports / "plan.json").read_text(), "plan.json")
    assert routes_of(document, "node-b") == [
        {"destination": "10.200.0.0/24", "gateway": "192.0.2.10"},
        {"destination": "10.200.2.0/24", "gateway": "192.0.2.12"},
    ]
    page = (reports / "plan.html").read_text()
    assert page.startswith("<!DOCTYPE html>\n")
    assert "10.200.1.0/24: pods of node-b, at 192.0.2.11" in page


def test_what_was_provisioned_is_what_the_next_plan_is_compared_with(inventory: Path) -> None:
    deployed = inventory.parent / "network_deployed.json"
    code, output = record(inventory)
    assert code == 0, output
    assert plan_of(parse_document(deployed.read_text(), "deployed"))["mtu"] == 1500
    assert "changed=0" in record(inventory)[1]
    code, output = plan(
        inventory, cluster_apiserver_extra_sans=["api.example.com"], cluster_excluded_cidrs=["172.16.0.0/12"]
    )
    assert code == 0, output
    assert "1 change; 1 unit restarts, on 1 host." in output
    page = (inventory.parent.parent / "reports/plan.html").read_text()
    assert "<code>kube-apiserver</code> on node-a" in page
    assert "Excluded 172.16.0.0/12" in page


def test_what_a_running_cluster_does_not_follow_is_refused_and_leaves_everything_as_it_was(
    inventory: Path,
) -> None:
    record(inventory)
    before = {path.name: path.read_bytes() for path in inventory.parent.iterdir()}
    code, output = plan(inventory, cluster_dns_domain_name="example.com", cluster_network_backend="flannel")
    assert code == 2, output
    assert (
        "the network cannot be planned, 2 findings:\n- [immutable-backend] cluster_network_backend flannel in"
        in output
    )
    assert (
        "\n- [immutable-dns-domain] cluster_dns_domain_name example.com in place of cluster.local: " in output
    )
    assert "Traceback" not in output
    assert {path.name: path.read_bytes() for path in inventory.parent.iterdir()} == before


def test_a_change_that_is_allowed_is_reported_with_what_it_takes(inventory: Path) -> None:
    record(inventory)
    code, output = plan(
        inventory, cluster_dns_domain_name="example.com", cluster_allowed_changes=["dns_domain"]
    )
    assert code == 0, output
    assert "[WARNING]: [immutable-dns-domain] " in output
    assert "To be done by hand: provision, and" in output
    reports = inventory.parent.parent / "reports"
    assert json.loads((reports / "plan.json").read_text())["dns_domain"] == "example.com"


def test_check_mode_reports_and_records_nothing(inventory: Path) -> None:
    code, output = plan(inventory, "--check")
    assert code == 0, output
    assert (inventory.parent.parent / "reports/plan.html").is_file()
    code, output = record(inventory, "--check")
    assert code == 0, output
    assert sorted(path.name for path in inventory.parent.iterdir()) == ["hosts.yml"]


def test_a_run_for_some_hosts_records_nothing_and_says_so(inventory: Path) -> None:
    code, output = record(inventory, "--limit", "node-a,node-b")
    assert code == 0, output
    assert (
        "the plan is not recorded as deployed: this run was not for node-c; the next run for all"
        in " ".join(output.split())
    )
    assert not (inventory.parent / "network_deployed.json").exists()


def test_other_formats_are_written_on_demand(inventory: Path) -> None:
    reports = inventory.parent.parent / "reports"
    code, output = plan(
        inventory, plan_report_formats=["kubeadm", "flags", "nodes"], plan_report_table_enabled=False
    )
    assert code == 0, output
    assert sorted(path.name for path in reports.iterdir()) == ["flags.txt", "kubeadm.yaml", "nodes.yaml"]
    assert len(list(yaml.safe_load_all((reports / "nodes.yaml").read_text()))) == 3
    assert "Written:" not in output


def test_a_record_that_is_damaged_is_told_and_not_traced(inventory: Path) -> None:
    (inventory.parent / "network_deployed.json").write_text('{"schema_version": 1, ')
    code, output = plan(inventory)
    assert code == 2, output
    assert "network_deployed.json is not JSON: " in output
    assert not (inventory.parent / "network_allocations.yml").exists()
    assert "restore the file from version control, or have it written again" in " ".join(output.split())
    assert "Traceback" not in output


def test_networks_of_nodes_that_left_are_on_the_map(inventory: Path) -> None:
    (inventory.parent / "network_allocations.yml").write_text(
        "nodes: {}\nremoved:\n  gone: [10.200.7.0/24]\n"
    )
    code, output = plan(inventory)
    assert code == 0, output
    assert "3 of 256 /24 networks used, 1 kept for nodes that left, 252 free." in output
    assert (
        "10.200.7.0/24: kept for gone, which left"
        in (inventory.parent.parent / "reports/plan.html").read_text()
    )


def test_the_reports_are_beside_the_state_by_the_name_of_the_cluster(inventory: Path) -> None:
    for name in ("berlin", "paris"):
        settings = {
            "cluster_name": name,
            "cluster_state_directory": f"{inventory.parent.parent}/state-{name}",
        }
        code, output = plan(inventory, plan_report_directory=None, **settings)
        assert code == 0, output
        reports = inventory.parent.parent / f"state-{name}" / "reports" / name
        assert sorted(path.name for path in reports.iterdir()) == ["plan.html", "plan.json"]
        assert f"Written: {reports}/plan.html" in output
    shared = inventory.parent.parent / "shared"
    code, output = plan(inventory, plan_report_directory=None, cluster_reports_directory=str(shared))
    assert code == 0, output
    assert (shared / "kubernetes" / "plan.html").is_file()
    # A folder of an inventory is read as a whole, and its reports are no part of it.
    code, output = plan(inventory, plan_report_directory=None)
    assert code == 0, output
    code, output = plan(inventory.parent, plan_report_directory=None)
    assert code == 0, output


def test_a_plan_that_is_refused_takes_the_place_of_the_one_that_was_reported(inventory: Path) -> None:
    code, output = plan(inventory, plan_report_formats=["html", "json", "kubeadm", "nodes"])
    assert code == 0, output
    code, output = plan(inventory, cluster_pod_cidrs=["10.32.0.0/16"], cluster_node_prefixes=[15])
    assert code == 2, output
    reports = inventory.parent.parent / "reports"
    assert [path.name for path in reports.iterdir()] == ["plan.html"]
    page = (reports / "plan.html").read_text()
    assert "Network plan of kubernetes: refused" in page
    assert "<li>[network-overlap] cluster_pod_cidrs 10.32.0.0/16" in page
    assert "<li>[node-prefix] cluster_node_prefixes 15" in page
    assert f"Written: {reports}/plan.html" in " ".join(output.split())


def test_where_no_reports_can_be_written_the_plan_is_shown_all_the_same(inventory: Path) -> None:
    (inventory.parent.parent / "file").write_text("")
    code, output = plan(inventory, plan_report_directory=f"{inventory.parent.parent}/file/reports")
    assert code == 0, output
    assert "the reports are not written: " in output
    assert "Nothing is recorded as deployed: everything in this plan is new." in output


def test_a_damaged_record_is_refused_before_the_allocations_are_written(inventory: Path) -> None:
    code, output = record(inventory)
    assert code == 0, output
    path = inventory.parent / "network_deployed.json"
    document = json.loads(path.read_text())
    (inventory.parent / "network_allocations.yml").unlink()
    for key, value in (("backend", {}), ("api_endpoint", {"host": "gone"}), ("nodes", {"node-a": 5})):
        path.write_text(json.dumps(document | {key: value}))
        code, output = plan(inventory)
        assert code == 2, output
        assert "network_deployed.json is wrong: " in " ".join(output.split())
        assert "Traceback" not in output
        assert not (inventory.parent / "network_allocations.yml").exists()
