from typing import Any

import pytest
from routing_cases import rule

from flatnet.state.place import Place
from flatnet.state.surroundings import surroundings_problems

PLACE = Place(["192.0.2.11"], ["10.200.0.0/16"], ["10.32.0.0/24"], ["kubelet", "containerd"])
DUAL = PLACE._replace(
    addresses=["192.0.2.11", "2001:db8::11"], pod_cidrs=["10.200.0.0/16", "2001:db8:200::/48"]
)


def facts(**changes: object) -> dict[str, Any]:
    """Return those of a host that has nothing of anybody else's."""
    eth0 = {
        "name": "eth0",
        "addresses": ["192.0.2.11/24", "2001:db8::11/64"],
        "link_scope_addresses": [],
        "secondary_addresses": [],
    }
    rules = [
        ("ipv4", 0, "local"),
        ("ipv4", 32766, "main"),
        ("ipv4", 32767, "default"),
        ("ipv6", 32766, "main"),
    ]
    on: dict[str, Any] = {"ipv4": {"forwarding": 1}, "ipv6": {"forwarding": 1, "disable_ipv6": 0}}
    return {
        "interfaces": [eth0],
        "interface_settings": {"all": on, "default": on, "eth0": on},
        "rules": [rule(number, table, family=family) for family, number, table in rules],
        "other_routes": [],
        "drop_ins": {},
        "default_environment": [],
        "cni_files": [],
        "unrecorded_data": [],
        "networkd": True,
        "network_files": [],
        "incompatible_chains": [],
        "other_chains": [],
        **changes,
    }


def found(place: Place = PLACE, **changes: object) -> list[str]:
    return surroundings_problems("host node-1", facts(**changes), place)


def test_a_host_of_its_own_has_no_problem() -> None:
    assert found() == found(DUAL) == []


def drop_in(unit: str, *settings: str) -> dict[str, Any]:
    path = f"/usr/lib/systemd/system/{unit}.service.d/10-kubeadm.conf"
    return {f"{unit}.service": [{"path": path, "settings": list(settings)}]}


def test_a_drop_in_that_makes_one_of_our_units_another_is_refused() -> None:
    assert found(drop_ins=drop_in("kubelet", "Environment", "EnvironmentFile", "ExecStart")) == [
        "host node-1 has /usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf, which gives "
        "kubelet.service another ExecStart than flatnet does; remove that file, or the package that "
        "brought it"
    ]


@pytest.mark.parametrize(
    "drop_ins", [drop_in("containerd", "Environment", "MemoryMax"), drop_in("docker", "ExecStart")]
)
def test_a_drop_in_with_a_limit_or_of_another_unit_is_not(drop_ins: dict[str, Any]) -> None:
    assert found(drop_ins=drop_ins) == []


def test_a_proxy_for_every_unit_is_refused_unless_it_has_exceptions() -> None:
    proxy = "HTTPS_PROXY=http://192.0.2.9:3128"
    [problem] = found(default_environment=[f'"{proxy}"'])
    assert problem.startswith("host node-1 has systemd give every unit a proxy (DefaultEnvironment")
    assert found(default_environment=[f"{proxy} NO_PROXY=192.0.2.0/24"]) == []
    assert found(default_environment=["LANG=C.UTF-8"]) == []


def test_a_cni_configuration_that_containerd_would_take_first_is_refused() -> None:
    files = ["/etc/cni/net.d/05-cilium.conflist", "/etc/cni/net.d/87-podman-bridge.conflist"]
    assert found(cni_files=files) == [
        "host node-1 has the CNI configuration /etc/cni/net.d/05-cilium.conflist of somebody else, and "
        "containerd takes the first by name; remove it"
    ]


def test_a_cni_configuration_that_the_backends_programs_write_may_come_first() -> None:
    own = PLACE._replace(own_paths=["/etc/cni/net.d/05-cil*"])
    assert found(own, cni_files=["/etc/cni/net.d/05-cilium.conflist"]) == []
    assert found(own, cni_files=["/etc/cni/net.d/05-other.conflist"]) != []


def test_an_address_that_the_host_does_not_send_from_is_refused() -> None:
    two = {
        "name": "eth0",
        "addresses": ["198.51.100.7/24", "192.0.2.10/24", "192.0.2.11/24"],
        "link_scope_addresses": [],
        "secondary_addresses": ["192.0.2.11/24"],
    }
    assert found(interfaces=[two]) == [
        "host node-1 has the node's address 192.0.2.11 as the second of eth0, and sends from the first, "
        "192.0.2.10; plan the node with that one, or swap the two there"
    ]
    assert found(PLACE._replace(addresses=["192.0.2.10"]), interfaces=[two]) == []
    hidden = {**two, "addresses": ["192.0.2.11/24"], "link_scope_addresses": ["192.0.2.10/24"]}
    assert len(found(interfaces=[hidden])) == 1


def test_the_nodes_interface_forwards_where_the_host_does() -> None:
    settings, family = facts()["interface_settings"], "ipv4"
    off = {**settings, "eth0": {**settings["eth0"], family: {"forwarding": 0}}}
    [problem] = found(DUAL, interface_settings=off)
    assert problem.startswith(f"host node-1 has net.{family}.conf.eth0.forwarding = 0: no packet of a pod")
    # Turning all on turns this one on too; and another interface may forward nothing on purpose.
    assert found(DUAL, interface_settings={**off, "all": {**off["all"], family: {"forwarding": 0}}}) == []
    assert found(DUAL._replace(addresses=["198.51.100.7"]), interface_settings=off) == []


def test_an_interface_that_heeds_router_advertisements_forwards_ipv6_as_the_host_does() -> None:
    settings = facts()["interface_settings"]
    host = {**settings["eth0"], "ipv6": {"forwarding": 0, "accept_ra": 1, "disable_ipv6": 0}}
    assert found(DUAL, interface_settings={**settings, "eth0": host}) == []


@pytest.mark.parametrize("name", ["all", "default"])
def test_pods_with_ipv6_need_interfaces_with_it(name: str) -> None:
    settings = facts()["interface_settings"]
    off = {**settings, name: {**settings[name], "ipv6": {"disable_ipv6": 1}}}
    assert found(interface_settings=off) == []
    assert found(DUAL, interface_settings=off) == [
        f"host node-1 has net.ipv6.conf.{name}.disable_ipv6 = 1: the interfaces of pods would have no IPv6; "
        "set it to 0"
    ]


def test_the_interface_of_a_node_with_two_families_has_both() -> None:
    settings = facts()["interface_settings"]
    off = {**settings, "eth0": {"ipv4": {"forwarding": 1}, "ipv6": {"disable_ipv6": 1}}}
    assert found(interface_settings=off) == []
    assert found(DUAL, interface_settings=off) == [
        "host node-1 has net.ipv6.conf.eth0.disable_ipv6 = 1: eth0 carries the node's packets, and none of "
        "IPv6; set it to 0"
    ]
