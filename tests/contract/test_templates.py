"""Names and paths reach the modules as the text that they are, whatever YAML would take them for."""

from pathlib import Path
from typing import Any, cast

from ansible.template import Templar
from template_loader import loader

ROLE = Path(__file__).resolve().parents[2] / "roles/kube_control_plane"
# Names that a node may have, and that YAML takes for numbers, nothing, a truth and a day.
NAMES = ["007", "0x1f", "1001", "1e3", "2024-01-01", "null", "on"]


def loaded(file: str) -> object:
    """Return what a file of the role holds, with its templates as such."""
    content: object = loader().load_from_file(str(ROLE / file), trusted_as_template=True)
    return content


def argument(module: str, name: str, **inputs: object) -> list[dict[str, Any]]:
    """Return an argument of the role's task, as its module gets it."""
    files = ("tasks/main.yml", "tasks/register.yml")
    tasks = [task for file in files for task in cast(list[dict[str, Any]], loaded(file))]
    variables: dict[str, Any] = {"ansible_search_path": [str(ROLE)], "inventory_hostname": "node-a"}
    for file in ("defaults/main.yml", "vars/main.yml"):
        variables |= cast(dict[str, Any], loaded(file))
    template = next(task[module][name] for task in tasks if module in task)
    found: list[dict[str, Any]] = Templar(loader(), variables=variables | inputs).template(template)
    return found


def test_a_node_is_registered_by_its_name_whatever_yaml_takes_that_for() -> None:
    nodes = {name: {"name": name, "pod_cidrs": ["10.200.0.0/24", "2001:db8::/64"]} for name in NAMES}
    objects = argument("cluster_objects", "objects", kube_control_plane_nodes=nodes)
    registered = [one for one in objects if one["kind"] == "Node"]
    assert [one["metadata"]["name"] for one in registered] == NAMES
    assert registered[0]["spec"] == {
        "podCIDR": "10.200.0.0/24",
        "podCIDRs": ["10.200.0.0/24", "2001:db8::/64"],
    }


def test_a_node_whose_addresses_the_backend_hands_out_is_registered_without_networks() -> None:
    nodes = {"node-a": {"name": "node-a", "pod_cidrs": []}}
    objects = argument("cluster_objects", "objects", kube_control_plane_nodes=nodes)
    [node] = [one for one in objects if one["kind"] == "Node"]
    assert node == {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}}


def test_a_host_of_the_control_plane_is_registered_with_that_role() -> None:
    nodes = {
        name: {"name": name, "pod_cidrs": [], "groups": groups}
        for name, groups in (("node-a", ["kube_control_plane", "kube_node"]), ("node-b", ["kube_node"]))
    }
    objects = argument("cluster_objects", "objects", kube_control_plane_nodes=nodes)
    [first, second] = [one["metadata"] for one in objects if one["kind"] == "Node"]
    assert first == {"name": "node-a", "labels": {"node-role.kubernetes.io/control-plane": ""}}
    assert second == {"name": "node-b"}


def test_a_directory_of_certificates_may_have_any_name() -> None:
    directory = "/srv/team: net #2/'pki'"
    files = argument("node_state", "files", kube_control_plane_pki_directory=directory)
    sources = {file["path"]: file["source"] for file in files if "source" in file}
    assert sources["/etc/kubernetes/pki/ca.crt"] == f"{directory}/ca.crt"
    assert {source.rpartition("/")[0] for source in sources.values()} == {directory}
