import ipaddress
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from hypothesis import given
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from tests.container_hosts.spec import check_prefix, cluster_of_inventory, make_cluster, read_inventory
from tests.container_hosts.state import SOCKETS, state_directory

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def _plugins_of_ansible() -> None:
    init_plugin_loader()


def inventory() -> dict[str, Any]:
    shared = {
        "container_hosts_prefix": "demo",
        "container_hosts_subnets": ["192.0.2.0/24", "2001:db8::/64"],
    }
    return {
        "_meta": {
            "hostvars": {
                "node-1": {
                    **shared,
                    "ansible_host": "192.0.2.12",
                    "node_addresses": ["192.0.2.12", "2001:db8::12"],
                },
                "control-plane-1": {**shared, "ansible_host": "192.0.2.11"},
                "elsewhere": {"ansible_host": "198.51.100.1"},
            }
        },
        "all": {"children": ["ungrouped", "k8s_cluster"]},
        "ungrouped": {"hosts": ["elsewhere"]},
        "k8s_cluster": {"children": ["kube_control_plane", "kube_node"]},
        "kube_control_plane": {"hosts": ["control-plane-1"]},
        "kube_node": {"hosts": ["control-plane-1", "node-1"]},
    }


def test_the_hosts_are_those_of_the_cluster_group_with_the_addresses_the_plan_would_use() -> None:
    cluster = cluster_of_inventory(inventory())
    assert cluster.prefix == "demo"
    assert [(host.name, [str(interface) for interface in host.interfaces]) for host in cluster.hosts] == [
        ("control-plane-1", ["192.0.2.11/24"]),
        ("node-1", ["192.0.2.12/24", "2001:db8::12/64"]),
    ]
    assert [str(interface) for interface in cluster.controller_interfaces] == [
        "192.0.2.1/24",
        "2001:db8::1/64",
    ]
    assert cluster.hosts[1].address == "192.0.2.12"
    assert cluster.container(cluster.hosts[1]) == "demo.node-1"


def test_an_inventory_of_real_hosts_is_refused() -> None:
    data = inventory()
    for variables in data["_meta"]["hostvars"].values():
        variables.pop("container_hosts_prefix", None)
    with pytest.raises(FlatnetError) as refusal:
        cluster_of_inventory(data)
    assert str(refusal.value) == (
        "the inventory sets no container_hosts_prefix for group k8s_cluster: it is not an inventory of "
        "container hosts"
    )


def test_an_inventory_without_the_cluster_group_is_refused() -> None:
    with pytest.raises(FlatnetError, match=r"^the inventory has no host in group k8s_cluster$"):
        cluster_of_inventory({"_meta": {"hostvars": {}}})


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        (
            {"a": ["198.51.100.1"]},
            "host a: 198.51.100.1 is outside of container_hosts_subnets (192.0.2.0/24)",
        ),
        (
            {"a": ["192.0.2.1"]},
            "host a: 192.0.2.1 is this machine's own address on 192.0.2.0/24 already; choose a free address",
        ),
        (
            {"a": ["192.0.2.9"], "b": ["192.0.2.9"]},
            "host b: 192.0.2.9 is the address of a already; choose a free address",
        ),
        ({"a": []}, "host a has no address: set ansible_host"),
        (
            {"a": ["a.example.com"]},
            "host a: 'a.example.com' does not appear to be an IPv4 or IPv6 address; "
            "set ansible_host to an IP address",
        ),
        (
            {"Node.1": ["192.0.2.9"]},
            "host 'Node.1': a host name has lower-case letters, digits and hyphens only",
        ),
        ({}, "cluster demo needs at least one subnet and one host"),
    ],
)
def test_a_host_that_cannot_be_created_is_refused_by_name(hosts: dict[str, list[str]], message: str) -> None:
    with pytest.raises(FlatnetError) as refusal:
        make_cluster("demo", ["192.0.2.0/24"], hosts)
    assert str(refusal.value) == message


def test_a_subnet_with_host_bits_is_refused() -> None:
    with pytest.raises(FlatnetError) as refusal:
        make_cluster("demo", ["192.0.2.1/24"], {"a": ["192.0.2.9"]})
    assert str(refusal.value) == (
        "container_hosts_subnets: 192.0.2.1/24 has host bits set; write it like 192.0.2.0/24"
    )


@pytest.mark.parametrize("prefix", ["", "1a", "a.b", "A", "a" * 16, "a/b", "a b"])
def test_a_prefix_that_cannot_name_an_interface_is_refused(prefix: str) -> None:
    with pytest.raises(FlatnetError, match="is not a usable name"):
        check_prefix(prefix)


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_hosts_in_an_inventory_means_nothing(names: list[str]) -> None:
    hosts = {name: [f"192.0.2.{ord(name)}"] for name in names}
    cluster = make_cluster("demo", ["192.0.2.0/24"], hosts)
    assert [host.name for host in cluster.hosts] == ["a", "b", "c", "d"]


def test_the_inventory_of_this_repository_has_three_hosts() -> None:
    cluster = read_inventory([REPOSITORY / "inventories" / "container_hosts"])
    assert (cluster.prefix, cluster.subnets) == ("flatnet", (ipaddress.ip_network("10.211.0.0/24"),))
    assert [host.name for host in cluster.hosts] == ["control-plane-1", "node-1", "node-2"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FLATNET_CACHE": "/srv/cache", "XDG_CACHE_HOME": "/xdg"}, "/srv/cache/container_hosts/demo"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/flatnet/container_hosts/demo"),
        ({}, "/home/ops/.cache/flatnet/container_hosts/demo"),
    ],
)
def test_the_inventory_looks_for_keys_where_python_puts_them(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLATNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/ops", **environment}.items():
        monkeypatch.setenv(name, value)
    loader = DataLoader()
    file = REPOSITORY / "inventories/container_hosts/group_vars/k8s_cluster/connection.yml"
    variables = loader.load_from_file(str(file), trusted_as_template=True)
    variables["container_hosts_prefix"] = "demo"
    template = Templar(loader, variables=variables).template
    assert template(variables["cluster_state_directory"]) == str(state_directory("demo")) == expected
    assert template(variables["ansible_ssh_common_args"]) == f"-F {expected}/ssh_config"
    assert template(variables["ansible_control_path_dir"]) == str(SOCKETS / "demo")


def test_a_segment_that_no_host_leads_to_is_refused() -> None:
    members = {"node-1": ["192.0.2.12"], "node-2": ["198.51.100.13"]}
    with pytest.raises(FlatnetError) as refusal:
        make_cluster("demo", ["192.0.2.0/24"], members, [["198.51.100.0/24"]])
    assert str(refusal.value) == (
        "nobody leads to 198.51.100.0/24: give a host of group network_router an address there and one in "
        "192.0.2.0/24"
    )


def test_further_segments_are_read_from_the_inventory() -> None:
    data = inventory()
    for name in ("node-1", "control-plane-1"):
        data["_meta"]["hostvars"][name]["container_hosts_further_subnets"] = [["198.51.100.0/24"]]
    data["_meta"]["hostvars"]["router"] = {"node_addresses": ["192.0.2.9", "198.51.100.9"]}
    data["network_router"] = {"hosts": ["router"]}
    cluster = cluster_of_inventory(data)
    assert [(leg.segment, str(leg.interfaces[0])) for leg in cluster.hosts[-1].legs] == [
        (0, "192.0.2.9/24"),
        (1, "198.51.100.9/24"),
    ]
