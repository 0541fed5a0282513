"""What an inventory holds that makes it no basis of a plan, each as a file that Ansible reads."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from inventory_cases import SMALL, ask, inventory, refusal, write

MERGED = """k8s_cluster:
  children:
    kube_node:
      hosts:
<<<<<<< HEAD
        node-4: {ansible_host: 192.0.2.14}
=======
        node-5: {ansible_host: 192.0.2.15}
>>>>>>> other
"""
NUMBER = "kube_node:\n  hosts:\n    node-4: {}\n    1001: {}\n"


def changed(host: str, **variables: object) -> dict[str, dict[str, Any]]:
    """Return the small cluster with further variables of one host."""
    return {name: {**given, **(variables if name == host else {})} for name, given in SMALL.items()}


def test_a_whole_inventory_is_understood_and_its_folder_keeps_the_state(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": inventory(), "network_allocations.yml": "nodes: {}\n", "pki/ca.crt": "x"})
    for source in (tmp_path, tmp_path / "hosts.yml"):
        assert ask(source)["settings"]["cluster_state_directory"] == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("more.yml", MERGED),
        ("more.yml", NUMBER),
        ("more.yml", "kube_node:\n  hosts:\n\tnode-4:\n"),
        ("more.yml", "- node-4\n"),
        ("more.json", '{"kube_node": {"hosts": {"node-4": {}}'),
        ("more", "[kube_node\nnode-4\n"),
        ("more", "[kube_node:childs]\nnode-4\n"),
        ("more.toml", "[kube_node"),
        ("racks/more.yml", MERGED),
    ],
    ids=["markers", "number", "tab", "no-groups", "json", "ini", "ini-kind", "toml", "folder"],
)
def test_a_file_that_cannot_be_read_beside_a_good_one_is_refused(
    tmp_path: Path, name: str, text: str
) -> None:
    write(tmp_path, {"hosts.yml": inventory(), name: text})
    assert f"{tmp_path / name} is no inventory that Ansible can read" in refusal(tmp_path)
    assert f"{tmp_path / name} is no inventory that" in refusal(tmp_path / "hosts.yml", tmp_path / name)


def test_an_inventory_that_does_not_exist_is_refused_beside_one_that_does(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": inventory()})
    assert f"there is no inventory {tmp_path / 'host.yml'}" in refusal(
        tmp_path / "hosts.yml", tmp_path / "host.yml"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kube_node: {host: {node-4: {}}}\n", "Skipping unexpected key (host) in group (kube_node)"),
        ("kube_node: {vars: {x: 1}, hosts: {node-4: {}}, var: {y: 1}}\n", "unexpected key (var)"),
        (
            "kube_node: {hosts: {node-4: {}}}\nkube_node: {hosts: {node-5: {}}}\n",
            "Found duplicate mapping key",
        ),
        ("kube_node: {hosts: {node-1: {}, node-1: {}}}\n", "Found duplicate mapping key 'node-1'"),
        ("kube_node: [node-4]\n", "Skipping 'kube_node' as this is not a valid group definition"),
        ("kube_node: {note: nothing}\n", "Skipping key (note) in group (kube_node)"),
        ("kube_node: {hosts: {node-1: {}}}\nnode-1: {hosts: {node-2: {}}}\n", "same name: node-1"),
    ],
)
def test_a_part_that_ansible_leaves_out_with_a_warning_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    write(tmp_path, {"hosts.yml": inventory(), "more.yml": text})
    message = refusal(tmp_path)
    assert "a part of the inventory was left out: " in message
    assert words in message


@pytest.mark.parametrize(
    ("group", "meant"),
    [
        ("kube_nodes", "kube_node"),
        ("kube-node", "kube_node"),
        ("Kube_Node", "kube_node"),
        ("kubenode", "kube_node"),
        ("workers", "kube_node"),
        ("kube-master", "kube_control_plane"),
        ("kube_control_planes", "kube_control_plane"),
        ("etcds", "etcd"),
    ],
)
def test_a_group_whose_name_is_nearly_one_of_the_field_is_refused(
    tmp_path: Path, group: str, meant: str
) -> None:
    hosts = {"node-4": {"ansible_host": "192.0.2.14"}}
    cluster = yaml.safe_load(inventory())
    cluster["k8s_cluster"]["children"][group] = {"hosts": hosts}
    write(tmp_path, {"hosts.yml": yaml.safe_dump(cluster)})
    message = refusal(tmp_path)
    assert f"the group {group} is read by nothing; do you mean {meant}, which lacks node-4?" in message
    assert "node-4: in k8s_cluster but in none of etcd, kube_control_plane, kube_node" in message


@pytest.mark.parametrize("group", ["k8s-cluster", "k8s_clusters", "kubernetes", "K8S_Cluster"])
def test_a_misspelt_cluster_is_refused_with_its_name(tmp_path: Path, group: str) -> None:
    text = inventory().replace("k8s_cluster:", f"{group}:")
    write(tmp_path, {"hosts.yml": text})
    message = refusal(tmp_path, hosts=["node-1", "node-2", "node-3"])
    assert (
        f"the group {group} is read by nothing; do you mean k8s_cluster, which lacks node-[1:3]?" in message
    )


def test_a_group_of_hosts_that_are_where_they_belong_may_be_called_as_it_likes(tmp_path: Path) -> None:
    further: dict[str, Any] = {"kube_node_1": {"hosts": {"node-1": {}}}, "workers": {"hosts": {"web-1": {}}}}
    write(tmp_path, {"hosts.yml": inventory(SMALL, None, **further)})
    assert refusal(tmp_path) == ""


@pytest.mark.parametrize("sources", [["hosts.yml"], ["web-1,web-2,"]])
def test_an_inventory_without_a_cluster_is_refused(tmp_path: Path, sources: list[str]) -> None:
    write(tmp_path, {"hosts.yml": "web: {hosts: {web-1: {}}}\n"})
    given = [str(tmp_path / source) if source.endswith("yml") else source for source in sources]
    assert "the inventory has no host in k8s_cluster; put the hosts into the groups" in refusal(*given)


def test_a_run_for_hosts_of_which_none_is_in_the_cluster_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": inventory(SMALL, None, web={"hosts": {"web-1": {}, "web-2": {}}})})
    words = "this run is for web-1, web-2, of which none is in k8s_cluster; limit it to hosts of k8s_cluster"
    assert refusal(tmp_path, hosts=["web-1", "web-2"]) == words
    assert refusal(tmp_path, hosts=["web-1", "node-2"]) == ""


@pytest.mark.parametrize("host", ["node-1", "node-2", "node-3"])
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"cluster_max_pods": 60}, "cluster_max_pods is 60 for {host} and not set for "),
        ({"cluster_pod_cidrs": ["10.9.0.0/16"]}, "cluster_pod_cidrs is ['10.9.0.0/16'] for {host} and not"),
        (
            {"cluster_pod_cidr": ["10.9.0.0/16"]},
            "cluster_pod_cidr is not a setting; do you mean cluster_pod_cidrs?",
        ),
        ({"cluster_dns_domain_nam": "x"}, "do you mean cluster_dns_domain_name?"),
        ({"network_plan_max_pods": 60}, "do you mean cluster_max_pods? It is set for {host}"),
        ({"network_plan_settings": {}}, "network_plan_settings is set by the playbooks"),
        ({"max_pod": 60}, "max_pod is read by nothing; do you mean max_pods? It is set for {host}"),
        ({"maxPods": 60}, "maxPods is read by nothing; do you mean max_pods?"),
        ({"pod_prefixes": [25]}, "do you mean pod_prefix?"),
        ({"node_adress": "192.0.2.9"}, "do you mean node_address?"),
        ({"nodename": "x"}, "do you mean node_name?"),
        ({"access_ip": "198.51.100.9"}, "access_ip of {host} is read by nothing"),
        (
            {"cluster_state_directory": "/srv/other"},
            "cluster_state_directory is '/srv/other' for {host} and not",
        ),
    ],
)
def test_a_variable_of_one_host_counts_wherever_the_host_is(
    tmp_path: Path, host: str, variables: dict[str, Any], words: str
) -> None:
    write(tmp_path, {"hosts.yml": inventory(changed(host, **variables))})
    assert words.format(host=host) in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pod_cidrs", "cluster_pod_cidrs for the cluster, or pod_cidr for one host"),
        ("podCIDR", "cluster_pod_cidrs for the cluster, or pod_cidr for one host"),
        ("Cluster_pod_cidrs", "cluster_pod_cidrs"),
        ("CLUSTER_POD_CIDRS", "cluster_pod_cidrs"),
        ("clusterPodCidrs", "cluster_pod_cidrs"),
        ("Cluster_pod_cidr", "cluster_pod_cidrs"),
        ("kube_pods_subnet", "cluster_pod_cidrs"),
        ("kube_service_addresses", "cluster_service_cidrs"),
        ("kube_network_node_prefix", "cluster_node_prefixes"),
        ("kube_network_plugin", "cluster_network_backend"),
        ("CLUSTER_CIDR", "cluster_pod_cidrs"),
        ("cluster_cidr", "cluster_pod_cidrs"),
        ("SERVICE_CIDR", "cluster_service_cidrs"),
        ("NODE_PORT_RANGE", "cluster_node_port_range"),
        ("serviceCIDR", "cluster_service_cidrs"),
        ("podSubnet", "cluster_pod_cidrs"),
        ("clusterDNS", "cluster_dns_service_addresses"),
        ("service_cidrs", "cluster_service_cidrs"),
        ("network_plan_dns_domain", "cluster_dns_domain_name"),
        ("network_plan_dns_addresses", "cluster_dns_service_addresses"),
        ("network_plan_extra_apiserver_sans", "cluster_apiserver_extra_sans"),
        ("kube_proxy_mode", "cluster_kube_proxy_mode"),
        ("dns_upstreams", "cluster_dns_upstreams"),
    ],
)
def test_a_setting_by_another_name_is_refused_with_its_own(tmp_path: Path, name: str, meant: str) -> None:
    write(tmp_path, {"hosts.yml": inventory(SMALL, {name: "10.9.0.0/16"})})
    assert f"{name} is read by nothing; do you mean {meant}?" in refusal(tmp_path)


def test_what_others_call_their_own_is_left_to_them(tmp_path: Path) -> None:
    foreign = {
        "ip": "192.0.2.11",
        "api_port": 80,
        "name": "x",
        "node_exporter_version": "1",
        "ntp_servers": [],
        "cluster_owner": "x",
    }
    write(tmp_path, {"hosts.yml": inventory(changed("node-1", **foreign))})
    assert refusal(tmp_path) == ""


def test_files_of_groups_and_hosts_are_read_as_well(tmp_path: Path) -> None:
    files = {
        "hosts.yml": inventory(),
        "group_vars/kube_control_plane.yml": "cluster_api_port: 7443\n",
        "host_vars/node-3.yml": "pod_cidrs: [10.9.0.0/24]\n",
    }
    message = refusal(write(tmp_path, files))
    assert "cluster_api_port is 7443 for node-1 and not set for node-2, node-3" in message
    assert "or pod_cidr for one host? It is set for node-3" in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("group_vars/k8s-cluster.yml", "as there is no group k8s-cluster; do you mean k8s_cluster?"),
        ("group_vars/K8S_cluster", "as there is no group K8S_cluster; do you mean k8s_cluster?"),
        ("group_vars/kube_nodes/network.yml", "as there is no group kube_nodes; do you mean kube_node?"),
        ("host_vars/node_1.yml", "as there is no host node_1; do you mean node-1?"),
        ("host_vars/NODE-2/address.yml", "as there is no host NODE-2; do you mean node-2?"),
        (
            "racks/group_vars/k8s_cluster.yml",
            "is read by nothing: variables are read from beside what -i names",
        ),
    ],
)
def test_a_file_of_variables_that_ansible_passes_over_is_refused(
    tmp_path: Path, name: str, words: str
) -> None:
    files = {"hosts.yml": inventory(), name: "cluster_name: x\n"}
    assert words in refusal(write(tmp_path, files))


@pytest.mark.parametrize(
    "name", ["group_vars/web.yml", "group_vars/all.yml", "host_vars/node-9.yml", "group_vars/.hidden"]
)
def test_files_of_variables_for_others_are_left_to_them(tmp_path: Path, name: str) -> None:
    assert refusal(write(tmp_path, {"hosts.yml": inventory(), name: "color: red\n"})) == ""


def test_a_setting_is_compared_as_it_is_rendered_for_each_host(tmp_path: Path) -> None:
    template = {"cluster_max_pods": "{{ most }}", "most": "{{ 100 + more }}", "more": 10}
    write(tmp_path, {"hosts.yml": inventory(SMALL, template)})
    assert refusal(tmp_path) == ""
    write(tmp_path, {"hosts.yml": inventory(changed("node-3", more=20), template)})
    assert "cluster_max_pods is 120 for node-3 and 110 for node-1, node-2" in refusal(tmp_path)
    write(tmp_path, {"hosts.yml": inventory(changed("node-2", cluster_max_pods=110), template)})
    assert refusal(tmp_path) == ""
    write(tmp_path, {"hosts.yml": inventory(SMALL, {"cluster_max_pods": "{{ nowhere }}"})})
    assert "cluster_max_pods of node-1 cannot be rendered: " in refusal(tmp_path)


def test_the_command_line_is_the_same_for_every_host(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.yml": inventory(changed("node-1", cluster_max_pods=60))})
    assert refusal(tmp_path, extra={"cluster_max_pods": 110}) == ""
    assert "do you mean max_pods" in refusal(tmp_path, extra={"cluster_max_pods": 110, "max_pod": 1})


def halves(tmp_path: Path) -> tuple[Path, Path]:
    """Write a cluster whose hosts are defined in two folders."""
    more = {"kube_node": {"hosts": {"node-0": {"ansible_host": "192.0.2.10"}}}}
    write(tmp_path, {"one/hosts.yml": inventory()})
    write(tmp_path, {"two/hosts.yml": yaml.safe_dump({"k8s_cluster": {"children": more}})})
    return tmp_path / "one", tmp_path / "two"


def test_the_state_of_hosts_in_several_folders_is_where_it_is_kept_already(tmp_path: Path) -> None:
    one, two = halves(tmp_path)
    for sources in ((one, two), (two, one), (tmp_path,)):
        message = refusal(*sources)
        assert f"(node-[1:3] in {one}; node-0 in {two}), and none of them keeps" in message
        assert "set cluster_state_directory to the folder that keeps the state of this cluster" in message
    write(one, {"network_allocations.yml": "nodes: {}\n"})
    for sources in ((one, two), (two, one)):
        assert ask(*sources)["settings"]["cluster_state_directory"] == str(one)
    write(two, {"network_deployed.json": "{}"})
    assert f"{one} and {two} keep state" in refusal(one, two)
    setting = {"cluster_state_directory": str(two)}
    assert ask(one, two, extra=setting)["settings"]["cluster_state_directory"] == str(two)


@pytest.mark.parametrize("value", ["  ", None, [], "/", "//", "{{ '' }}", "/etc/hostname"])
def test_a_state_directory_that_is_no_folder_is_refused(tmp_path: Path, value: object) -> None:
    write(tmp_path, {"hosts.yml": inventory(SMALL, {"cluster_state_directory": value})})
    assert "cluster_state_directory " in refusal(tmp_path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "{folder}"),
        ("state", "{folder}/state"),
        ("./state/../kept", "{folder}/kept"),
        ("/srv/cluster/", "/srv/cluster"),
        ("$STATE/a", "/srv/b/a"),
        ("~/a", "/home/x/a"),
        ("{{ inventory_dir }}/kept", "{folder}/kept"),
    ],
)
def test_a_relative_state_directory_is_one_beside_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    monkeypatch.setenv("STATE", "/srv/b")
    monkeypatch.setenv("HOME", "/home/x")
    write(tmp_path, {"hosts.yml": inventory(SMALL, {"cluster_state_directory": value})})
    assert ask(tmp_path)["settings"]["cluster_state_directory"] == expected.format(folder=tmp_path)


def test_a_relative_state_directory_of_hosts_in_several_folders_is_refused(tmp_path: Path) -> None:
    one, two = halves(tmp_path)
    assert "'state' is relative, and the hosts are defined in several" in refusal(
        one, two, extra={"cluster_state_directory": "state"}
    )


def test_a_list_of_hosts_has_no_folder_beside_it(tmp_path: Path) -> None:
    more: dict[str, Any] = {"k8s_cluster": {"children": {"kube_node": {"hosts": {"node-0": {}}}}}}
    write(tmp_path, {"hosts.yml": inventory(), "two.yml": yaml.safe_dump(more)})
    assert ask("node-0,", tmp_path)["settings"]["cluster_state_directory"] == str(tmp_path)


@pytest.mark.parametrize("name", ["example", "container_hosts"])
def test_the_inventories_of_the_project_are_understood(name: str) -> None:
    folder = Path(__file__).resolve().parents[3] / "inventories" / name
    assert refusal(folder) == ""
