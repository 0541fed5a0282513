"""What flanneld is told in each mode and family, and on which hosts it is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from flatnet.contract import find_contracts
from flatnet.flannel import (
    flannel_addresses,
    flannel_etcd_plan,
    flannel_etcd_refusals,
    flannel_network,
    flannel_refusals,
    flannel_route_removal,
)

CONTRACT = find_contracts([Path(__file__).resolve().parents[2] / "roles"])["cni_flannel"]
V4, V6 = "10.200.0.0/16", "fd00:200::/48"
ETH0 = {"name": "eth0", "addresses": ["192.0.2.11/24", "2001:db8::11/64"]}
ETH1 = {"name": "eth1", "addresses": ["2001:db8:1::11/64"]}


def backend(mode: str, pods: list[str], mtu: int) -> dict[str, Any]:
    found: dict[str, Any] = flannel_network(CONTRACT.in_mode(mode).data, pods, mtu)["Backend"]
    return found


def test_every_mode_tells_upstream_its_type_its_numbers_and_the_mtu_of_the_pods() -> None:
    vxlan = {"Type": "vxlan", "MTU": 1500, "Port": 8472, "VNI": 1}
    wireguard = {"Type": "wireguard", "MTU": 1500, "ListenPort": 51820, "ListenPortV6": 51821}
    assert {
        mode: backend(mode, [V4], 1500 - CONTRACT.in_mode(mode).overhead.ipv4) for mode in CONTRACT.modes
    } == {
        "vxlan": {**vxlan, "DirectRouting": False},
        "vxlan-direct": {**vxlan, "DirectRouting": True},
        "host-gw": {"Type": "host-gw"},
        "udp": {"Type": "udp", "Port": 8285},
        "wireguard": {**wireguard, "Mode": "separate"},
        "ipip": {"Type": "ipip"},
    }


def test_over_ipv6_the_tunnel_has_the_mtu_of_the_pods_and_not_what_upstream_would_take_off() -> None:
    # Upstream takes 50 off whatever the family, and VXLAN over IPv6 is 70 bytes.
    assert backend("vxlan", [V4, V6], 1430)["MTU"] == 1480


@pytest.mark.parametrize(
    ("pods", "families"),
    [
        ([V4], {"EnableIPv4": True, "Network": V4, "EnableIPv6": False}),
        ([V6], {"EnableIPv4": False, "EnableIPv6": True, "IPv6Network": V6}),
        ([V6, V4], {"EnableIPv4": True, "Network": V4, "EnableIPv6": True, "IPv6Network": V6}),
    ],
)
def test_upstream_is_told_the_network_of_each_family(pods: list[str], families: dict[str, Any]) -> None:
    found = flannel_network(CONTRACT.in_mode("host-gw").data, pods, 1500)
    assert found == {**families, "Backend": {"Type": "host-gw"}}


def test_the_interface_is_that_of_the_address_of_ipv4_where_there_is_one() -> None:
    assert flannel_addresses(["2001:db8::11", "192.0.2.11"]) == [
        "--iface=192.0.2.11",
        "--public-ip=192.0.2.11",
        "--public-ipv6=2001:db8::11",
    ]
    assert flannel_addresses(["2001:db8::11"]) == ["--iface=2001:db8::11", "--public-ipv6=2001:db8::11"]


@pytest.mark.parametrize(
    ("mode", "architecture", "interfaces", "words"),
    [
        (
            "udp",
            "aarch64",
            [ETH0],
            "upstream has flannel's mode udp for x86_64 only, and the host is aarch64. Fix: ",
        ),
        (
            "vxlan",
            "x86_64",
            [{**ETH0, "addresses": ["192.0.2.11/24"]}, {**ETH1, "addresses": ["2001:db8::11/64"]}],
            "the node's addresses are on different interfaces, 192.0.2.11 on eth0 and 2001:db8::11 on "
            "eth1, and flanneld takes one for both families. Fix: set node_addresses to addresses of one "
            "interface.",
        ),
    ],
)
def test_a_host_where_upstream_cannot_run_is_refused(
    mode: str, architecture: str, interfaces: list[dict[str, Any]], words: str
) -> None:
    facts = {"architecture": architecture, "interfaces": interfaces}
    [refusal] = flannel_refusals(facts, mode, ["192.0.2.11", "2001:db8::11"])
    assert refusal.startswith(words)


@pytest.mark.parametrize(
    ("mode", "architecture"), [("udp", "x86_64"), ("vxlan", "aarch64"), ("host-gw", "aarch64")]
)
def test_a_host_where_it_can_run_is_not(mode: str, architecture: str) -> None:
    facts = {"architecture": architecture, "interfaces": [ETH0, ETH1]}
    assert flannel_refusals(facts, mode, ["192.0.2.11", "2001:db8::11"]) == []
    assert flannel_refusals({**facts, "interfaces": []}, mode, ["192.0.2.11"]) == []


def test_routes_that_outlive_flanneld_are_removed_by_the_networks_of_pods() -> None:
    found = {mode: flannel_route_removal(CONTRACT.in_mode(mode).data, [V4, V6]) for mode in CONTRACT.modes}
    flush = ["route", "flush", "root"]
    both = [["ip", "-4", *flush, V4, "proto", "boot"], ["ip", "-6", *flush, V6, "proto", "boot"]]
    assert found == {mode: both if mode in ("host-gw", "vxlan-direct") else [] for mode in CONTRACT.modes}


def test_in_etcd_a_node_has_the_key_of_its_planned_subnet_and_all_nodes_one_network() -> None:
    network = flannel_network(CONTRACT.in_mode("host-gw").data, [V6, V4], 1500)
    both = [["fd00:200:0:1::/64", "10.200.1.0/24"], ["10.200.2.0/24", "fd00:200:0:2::/64"]]
    first, second = (
        flannel_etcd_plan(network, pods, ["2001:db8::1", "192.0.2.1"], ["192.0.2.9", "2001:db8::9"])
        for pods in both
    )
    assert first == {
        "prefix": "/coreos.com/network",
        "endpoints": ["https://192.0.2.9:2379", "https://[2001:db8::9]:2379"],
        "address": "192.0.2.1",
        "subnet": "10.200.1.0-24&fd00:200:0:1::-64",
        "taken": {"FLANNEL_SUBNET": "10.200.1.1/24", "FLANNEL_IPV6_SUBNET": "fd00:200:0:1::1/64"},
        "network": first["network"],
    }
    assert json.loads(first["network"]) == {
        **network,
        "SubnetLen": 24,
        "SubnetMin": "10.200.0.0",
        "IPv6SubnetLen": 64,
        "IPv6SubnetMin": "fd00:200::",
    }
    assert second["network"] == first["network"]


@pytest.mark.parametrize(
    ("managers", "cluster", "nodes", "words"),
    [
        (["etcd", "kubernetes"], [V4], ["10.200.1.0/24"], "is etcd here and kubernetes there"),
        (["zookeeper"], [V4], ["10.200.1.0/24"], "there is no subnet manager of flannel 'zookeeper'"),
        (["etcd"], [V6], ["fd00:200:0:1::/64"], "by the node's address of IPv4, and this cluster has none"),
        (["etcd"], [V4], ["10.200.0.0/17"], "10.200.0.0/16 in networks of /17 is none that flanneld reads"),
        (["etcd"], [V4], ["10.200.0.0/31"], "at least four, each of /30 or larger"),
        (["etcd"], [V4], ["10.200.1.0/24", "10.200.2.0/23"], "pod networks of /23 and /24, and in etcd"),
    ],
)
def test_nodes_that_cannot_have_their_subnets_in_etcd_are_refused(
    managers: list[str], cluster: list[str], nodes: list[str], words: str
) -> None:
    [refusal] = flannel_etcd_refusals(managers, cluster, nodes)
    assert words in refusal
    assert ". Fix: " in refusal


def test_what_upstream_wants_of_etcd_is_nothing_to_nodes_of_kubernetes() -> None:
    assert flannel_etcd_refusals(["kubernetes"], [V6], ["fd00:200:0:1::/64"]) == []
    assert flannel_etcd_refusals(["etcd"], [V4, V6], ["10.200.1.0/24", "fd00:200:0:1::/64"]) == []
