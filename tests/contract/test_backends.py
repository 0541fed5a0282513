from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flatnet.contract import Contract, find_contracts
from tests.docs.backend_choice import choice_table
from tests.docs.backends import BEGIN, END, TARGET, engines, main, page, scenarios, tables
from tests.docs.measured import machine_tour, measured_section

ROOT = Path(__file__).resolve().parents[2]
OURS = find_contracts([ROOT / "roles"])
BACKENDS = sorted((ROOT / "roles").glob("cni_*"))
ENGINES = sorted((ROOT / "roles").glob("policy_*"))
by_backend = pytest.mark.parametrize("role", BACKENDS, ids=[role.name for role in BACKENDS])
by_engine = pytest.mark.parametrize("role", ENGINES, ids=[role.name for role in ENGINES])
by_either = pytest.mark.parametrize(
    "role", [*BACKENDS, *ENGINES], ids=[role.name for role in (*BACKENDS, *ENGINES)]
)


def contract(role: Path) -> Contract:
    return find_contracts([ROOT / "roles"])[role.name]


# The check looks on every node for what a contract declares; units of a setting are not on all of them.
BY_A_SETTING = {"cni_flannel": {"flanneld-subnet"}, "cni_kubenet": {"flatnet-kubenet-promiscuous"}}


@by_backend
def test_a_backend_has_a_contract(role: Path) -> None:
    assert contract(role).kind == "backend"


@by_engine
def test_an_engine_has_a_contract(role: Path) -> None:
    assert contract(role).kind == "policy_engine"


@by_either
def test_a_backend_or_an_engine_runs_the_units_that_it_declares(role: Path) -> None:
    tasks = yaml.safe_load((role / "tasks/main.yml").read_text())
    assert [task for task in tasks if "node_state" in task]
    variables = yaml.safe_load((role / "vars/main.yml").read_text())
    # Those that every mode has may stand in the task.
    units = {name.removesuffix(".service") for name in unit_names([tasks, variables])}
    found = contract(role)
    declared = {unit for mode in found.modes for unit in found.in_mode(mode).units}
    assert units == declared | BY_A_SETTING.get(role.name, set())


def unit_names(value: object) -> Iterator[str]:
    """Yield the names of the units that tasks or variables describe."""
    if isinstance(value, dict):
        if str(value.get("name", "")).endswith(".service"):
            yield value["name"]
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from unit_names(item)


@by_backend
def test_a_backend_has_the_tasks_for_control_plane_hosts_that_it_promises(role: Path) -> None:
    assert (role / "tasks/routes.yml").exists() == contract(role).in_mode().control_plane_routes


def test_a_backend_and_an_engine_are_asked_what_they_refuse_before_anything_is_changed() -> None:
    first, *others = yaml.safe_load((ROOT / "playbooks/plays/check_hosts.yml").read_text())
    asked = [
        task["ansible.builtin.include_role"]
        for task in first["tasks"]
        if "ansible.builtin.include_role" in task
    ]
    assert asked == [
        {"name": "cni_{{ network_plan.backend.name }}", "tasks_from": "preflight"},
        {"name": "policy_{{ network_plan.policy_engine.name }}", "tasks_from": "preflight"},
    ]
    # What this play does, it does on the controller, or reads.
    assert first["any_errors_fatal"]
    assert others == []
    for name in ("provision", "switch"):
        plays = yaml.safe_load((ROOT / f"playbooks/{name}_network.yml").read_text())
        assert plays[1]["ansible.builtin.import_playbook"] == "plays/check_hosts.yml"


@by_backend
def test_a_backend_has_a_scenario(role: Path) -> None:
    assert contract(role).name in {one.backend for one in scenarios() if one.name != "tour"}


@by_engine
def test_an_engine_has_a_scenario(role: Path) -> None:
    assert contract(role).name in {scenario.policy_engine for scenario in scenarios()}


def test_the_tables_about_backends_are_up_to_date() -> None:
    text = (ROOT / TARGET).read_text()
    assert text == page(text), "run: make docs"


def test_a_backend_is_told_with_where_it_was_verified(tmp_path: Path) -> None:
    copy_backend(tmp_path, "flannel", "other")
    (tmp_path / "molecule/odd/inventory").mkdir(parents=True)
    (tmp_path / "molecule/odd/molecule.yml").write_text("---\n")
    settings = {"cluster_network_backend": "other", "cluster_kube_proxy_mode": "nftables"}
    inventory = {"k8s_cluster": {"vars": settings, "hosts": {"node-1": None}}}
    (tmp_path / "molecule/odd/inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
    lines = tables(tmp_path).splitlines()
    assert lines[2].startswith("| [other in mode vxlan](../roles/cni_other/README.md) | A VXLAN tunnel")
    assert lines[2].endswith(
        "| 1450 (IPv4), 1430 (IPv6) | IPv4, IPv6, both | iptables, nftables, ipvs | none "
        "| container hosts, scenario `odd`: IPv4, kube-proxy nftables |"
    )


def test_a_backend_without_a_scenario_is_told_as_verified_nowhere(tmp_path: Path) -> None:
    copy_backend(tmp_path, "kubenet", "other")
    assert (
        tables(tmp_path)
        .splitlines()[2]
        .endswith("| 1500 | IPv4, IPv6, both | iptables, nftables, ipvs | none | nowhere yet |")
    )


def test_an_engine_is_told_with_where_it_was_verified(tmp_path: Path) -> None:
    assert engines(tmp_path) == "There is none yet.\n"
    copy_role(tmp_path, "policy", "kube_router", "other")
    copy_backend(tmp_path, "kubenet", "kubenet")
    assert engines(tmp_path).splitlines()[2].endswith("| IPv4, IPv6, both | nftables | nowhere yet |")
    (tmp_path / "molecule/odd/inventory").mkdir(parents=True)
    (tmp_path / "molecule/odd/molecule.yml").write_text("---\n")
    settings = {"cluster_network_backend": "kubenet", "cluster_network_policy_engine": "other"}
    inventory = {"k8s_cluster": {"vars": settings, "hosts": {"node-1": None}}}
    (tmp_path / "molecule/odd/inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
    line = engines(tmp_path).splitlines()[2]
    assert line.startswith("| [other](../roles/policy_other/README.md) | NetworkPolicy as chains of iptables")
    assert line.endswith("| container hosts, scenario `odd`: kubenet, IPv4, kube-proxy iptables |")


def test_who_meets_a_wish_is_read_from_the_contracts() -> None:
    found = find_contracts([ROOT / "roles"])
    rows = choice_table([found.backend("flannel").in_mode("vxlan"), found.backend("kubenet").in_mode()])
    taken = dict(line.strip("| ").split(" | ") for line in rows.splitlines()[2:])
    assert taken["No overlay: packets as they are, with the full MTU"] == "kubenet in mode host-routes"
    assert taken["Nodes in several subnets, whose routers are not yours"] == "flannel in mode vxlan"
    assert taken["IPv6, alone or beside IPv4"] == "flannel in mode vxlan, kubenet in mode host-routes"
    assert taken["kube-proxy in mode `ipvs`"] == "flannel in mode vxlan, kubenet in mode host-routes"
    assert taken["Services without kube-proxy"] == "none of these"


def test_a_page_that_is_behind_is_told_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_backend(tmp_path, "kubenet", "other")
    (tmp_path / "docs").mkdir()
    (tmp_path / TARGET).write_text(f"# Backends\n\n{BEGIN}{END}\nMore.\n")
    assert main(["--root", str(tmp_path), "--check"]) == 1
    assert "+| [other in mode host-routes](../roles/cni_other/README.md)" in capsys.readouterr().err
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--root", str(tmp_path), "--check"]) == 0
    text = (tmp_path / TARGET).read_text()
    assert text.startswith(f"# Backends\n\n{BEGIN}\n| you have or want | take |\n")
    assert f"## What each one is\n\n{tables(tmp_path)}\n## Policy engines\n\n" in text
    assert text.endswith(f"\n\n{engines(tmp_path)}\n{END}\nMore.\n")


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        (TARGET, "# Backends\n", "has no lines"),
        (Path("molecule/odd/inventory/hosts.yml"), "[]", "the inventory of scenario odd cannot be read"),
        (Path("molecule/odd/inventory/hosts.yml"), "a: [", "the inventory of scenario odd cannot be read"),
    ],
)
def test_what_the_tables_cannot_be_made_from_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: Path, text: str, message: str
) -> None:
    copy_backend(tmp_path, "kubenet", "other")
    for file, content in (
        (TARGET, BEGIN + END),
        (Path("molecule/odd/molecule.yml"), ""),
        (Path("molecule/odd/inventory/hosts.yml"), "k8s_cluster: {}"),
        (path, text),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)
    assert main(["--root", str(tmp_path)]) == 1
    found = capsys.readouterr().err
    assert message in found
    assert "Traceback" not in found


def copy_backend(root: Path, name: str, new: str) -> None:
    """Write a role below the root that declares what the backend does, under another name."""
    copy_role(root, "cni", name, new)


def copy_role(root: Path, kind: str, name: str, new: str) -> None:
    """Write a role below the root with the contract of one here, under another name."""
    declared = yaml.safe_load((ROOT / f"roles/{kind}_{name}/meta/contract.yml").read_text()) | {"name": new}
    (root / f"roles/{kind}_{new}/meta").mkdir(parents=True)
    (root / f"roles/{kind}_{new}/meta/contract.yml").write_text(yaml.safe_dump(declared, sort_keys=False))


def test_what_was_measured_is_told_with_the_machine_and_what_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "measured.yml"
    assert measured_section(OURS, file) == ""
    rows = [
        {
            "from": "kubenet-iptables",
            "to": "l2_bridge-iptables",
            "switch": 20.4,
            "anew": 51.0,
            "outside": 9.5,
        },
        {
            "from": "l2_bridge-iptables",
            "to": "kubenet-iptables",
            "switch": 30.6,
            "anew": 51.0,
            "outside": 0.0,
        },
    ]
    measured = {
        "machine": "2 x a processor",
        "lacks": ["vxlan"],
        "switches": [row | {"pods": None} for row in rows],
    }
    file.write_text(yaml.safe_dump(measured))
    text = measured_section(OURS, file)
    assert "Three container hosts on one machine (2 x a processor)" in text
    assert "| kubenet-iptables | l2_bridge-iptables | 20 s | 51 s | 0.40 | 9.5 s | not measured |" in text
    assert "| l2_bridge-iptables | kubenet-iptables | 31 s | 51 s | 0.60 | 0.0 s | not measured |" in text
    assert "| backend flannel in mode vxlan | lacks the kernel feature vxlan |" in text
    assert {stop.backend for stop in machine_tour(OURS, "kubenet", file).stops} >= {"kubenet", "l2_bridge"}
    assert "What a network costs a connection" not in text


def test_what_a_network_costs_is_told_with_the_machine_that_it_was_measured_on(tmp_path: Path) -> None:
    figures = {"megabits": 100.0, "microseconds": 50.0}
    rows = [{"network": "kubenet-iptables", "pods": figures, "hosts": figures}]
    file = tmp_path / "measured.yml"
    file.write_text(yaml.safe_dump({"throughput": {"machine": "2 x a processor", "networks": rows}}))
    text = measured_section(OURS, file)
    assert text.startswith("## What a network costs a connection")
    assert "on one machine (2 x a processor)" in text
    assert "| kubenet-iptables | 100 Mbit/s | 100 Mbit/s | 1.00 | 50 µs | 50 µs | 1.00 |" in text


def test_every_backend_that_the_test_machine_can_run_is_proven_by_the_tour() -> None:
    found = {(one.backend, one.mode) for one in scenarios() if one.name == "tour"}
    assert found == {(stop.backend, stop.mode) for stop in machine_tour(OURS, "kubenet").stops}
