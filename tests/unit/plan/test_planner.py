import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, DUAL, FLANNEL, HOSTS, KUBENET, contracts_of, host, hosts, prepare

from flatnet.plan import Settings, node_routes
from flatnet.plan.table import HOSTS as HOSTS_SHOWN
from flatnet.plan.table import plan_table

DUAL_HOSTS = [replace(one, addresses=(f"2001:db8::{i}", *one.addresses)) for i, one in enumerate(HOSTS, 1)]


def text_of(plan: dict[str, Any]) -> str:
    return json.dumps(plan)


def test_the_whole_plan_of_a_small_cluster() -> None:
    plan = prepare(Settings(underlay_mtu=1500), HOSTS[:2], FLANNEL).plan
    assert set(plan.pop("needs")) == {
        "commands",
        "kernel_features",
        "optional_kernel_features",
        "identities",
        "programs",
        "images",
        "files",
    }
    assert plan == {
        "api_endpoint": {
            "host": "node-a",
            "address": "192.0.2.11",
            "port": 6443,
            "url": "https://192.0.2.11:6443",
        },
        "apiserver_sans": {
            "dns": [
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "localhost",
                "node-a",
            ],
            "ip": ["10.32.0.1", "127.0.0.1", "192.0.2.11"],
        },
        "backend": contracts_of(FLANNEL).backend("flannel").in_mode().data,
        "cluster_name": "kubernetes",
        "dns_addresses": ["10.32.0.10"],
        "dns_domain": "cluster.local",
        "families": ["ipv4"],
        "first_service_addresses": ["10.32.0.1"],
        "flags": {
            "kube-apiserver": {
                "service-cluster-ip-range": "10.32.0.0/24",
                "service-node-port-range": "30000-32767",
            },
            "kube-controller-manager": {
                "allocate-node-cidrs": "false",
                "cluster-cidr": "10.200.0.0/16",
                "node-cidr-mask-size": "24",
                "service-cluster-ip-range": "10.32.0.0/24",
            },
            "kube-proxy": {"cluster-cidr": "10.200.0.0/16", "proxy-mode": "iptables"},
            "kubelet": {"cluster-dns": "10.32.0.10", "cluster-domain": "cluster.local", "max-pods": "110"},
        },
        "kube_proxy_configuration": {"clusterCIDR": "10.200.0.0/16", "mode": "iptables"},
        "kube_proxy_mode": "iptables",
        "kubelet_configuration": {
            "clusterDNS": ["10.32.0.10"],
            "clusterDomain": "cluster.local",
            "maxPods": 110,
        },
        "masquerade": {
            "pod_cidrs": ["10.200.0.0/16"],
            "not_to": ["10.200.0.0/16", "192.0.2.11/32", "192.0.2.12/32"],
        },
        "mtu": 1450,
        "node_port_range": "30000-32767",
        "api_port": 6443,
        "dns_upstreams": ["/etc/resolv.conf"],
        "programs": {"source": "release", "exceptions": {}, "directory": "", "releases": ""},
        "node_prefixes": [24],
        "nodes": {
            "node-a": {
                "addresses": ["192.0.2.11"],
                "groups": ["etcd", "kube_control_plane", "kube_node"],
                "name": "node-a",
                "pod_cidrs": ["10.200.0.0/24"],
                "pod_gateways": ["10.200.0.1"],
                "tunnel_addresses": ["10.200.0.0"],
            },
            "node-b": {
                "addresses": ["192.0.2.12"],
                "groups": ["kube_node"],
                "name": "node-b",
                "pod_cidrs": ["10.200.1.0/24"],
                "pod_gateways": ["10.200.1.1"],
                "tunnel_addresses": ["10.200.1.0"],
            },
        },
        "pod_cidrs": ["10.200.0.0/16"],
        "policy_engine": {"name": "none"},
        "service_cidrs": ["10.32.0.0/24"],
        "underlay_mtu": 1500,
    }


def test_networks_outside_that_are_listed_see_pods_addresses_as_well() -> None:
    listed = prepare(replace(Settings(), non_masquerade_cidrs=("198.51.100.0/24", "10.0.0.0/8"))).plan
    assert listed["masquerade"]["not_to"] == [
        *prepare().plan["masquerade"]["not_to"],
        "198.51.100.0/24",
        "10.0.0.0/8",
    ]


def test_every_list_of_a_dual_stack_plan_is_in_the_order_of_the_families() -> None:
    plan = prepare(DUAL, DUAL_HOSTS).plan
    assert plan["families"] == ["ipv4", "ipv6"]
    assert plan["node_prefixes"] == [24, 64]
    assert plan["first_service_addresses"] == ["10.32.0.1", "2001:db8:32::1"]
    assert plan["dns_addresses"] == ["10.32.0.10", "2001:db8:32::a"]
    assert plan["nodes"]["node-b"] == {
        "name": "node-b",
        "groups": ["kube_node"],
        "addresses": ["192.0.2.12", "2001:db8::2"],
        "pod_cidrs": ["10.200.1.0/24", "2001:db8:200:1::/64"],
        "pod_gateways": ["10.200.1.1", "2001:db8:200:1::1"],
        "tunnel_addresses": ["10.200.1.0", "2001:db8:200:1::"],
    }
    assert plan["masquerade"]["not_to"] == [
        "10.200.0.0/16",
        "2001:db8:200::/56",
        "192.0.2.11/32",
        "192.0.2.12/32",
        "192.0.2.13/32",
        "2001:db8::1/128",
        "2001:db8::2/128",
        "2001:db8::3/128",
    ]
    assert plan["flags"]["kube-controller-manager"] == {
        "cluster-cidr": "10.200.0.0/16,2001:db8:200::/56",
        "service-cluster-ip-range": "10.32.0.0/24,2001:db8:32::/112",
        "node-cidr-mask-size-ipv4": "24",
        "node-cidr-mask-size-ipv6": "64",
        "allocate-node-cidrs": "false",
    }
    assert plan["flags"]["kubelet"]["cluster-dns"] == "10.32.0.10,2001:db8:32::a"


def test_ipv6_first_turns_every_list_around() -> None:
    turned = Settings(
        pod_cidrs=DUAL.pod_cidrs[::-1],
        service_cidrs=DUAL.service_cidrs[::-1],
        dns_addresses=("10.32.0.53", "2001:db8:32::53"),
    )
    plan = prepare(turned, DUAL_HOSTS).plan
    assert plan["families"] == ["ipv6", "ipv4"]
    assert plan["node_prefixes"] == [64, 24]
    assert plan["dns_addresses"] == ["2001:db8:32::53", "10.32.0.53"]
    assert plan["nodes"]["node-a"]["addresses"] == ["2001:db8::1", "192.0.2.11"]
    assert plan["nodes"]["node-a"]["pod_cidrs"] == ["2001:db8:200::/64", "10.200.0.0/24"]
    assert node_routes(plan, "node-a")[0]["destination"] == "2001:db8:200:1::/64"


def test_ipv6_alone_is_planned_with_its_own_flag() -> None:
    only = Settings(pod_cidrs=("2001:db8:200::/56",), service_cidrs=("2001:db8:32::/112",))
    plan = prepare(only, [host("node-a", "2001:db8::1", groups=ALL_GROUPS)]).plan
    assert plan["families"] == ["ipv6"]
    assert plan["flags"]["kube-controller-manager"]["node-cidr-mask-size"] == "64"
    assert plan["apiserver_sans"]["ip"] == ["127.0.0.1", "2001:db8:32::1", "2001:db8::1", "::1"]


@pytest.mark.parametrize(("contract", "expected"), [(KUBENET, "true"), (FLANNEL, None)])
def test_an_api_server_beside_no_kube_proxy_calls_pods_by_their_own_addresses(
    contract: dict[str, Any], expected: str | None
) -> None:
    flag = "enable-aggregator-routing"
    apart = [replace(HOSTS[0], groups=ALL_GROUPS - {"kube_node"}), *HOSTS[1:]]
    assert prepare(some=apart, contract=contract).plan["flags"]["kube-apiserver"].get(flag) == expected
    assert flag not in prepare(contract=contract).plan["flags"]["kube-apiserver"]


def test_a_node_name_of_its_own_is_what_kubernetes_sees() -> None:
    some = [replace(HOSTS[0], node_name="first.example.com"), HOSTS[1]]
    planned = prepare(some=some)
    assert planned.plan["nodes"]["node-a"]["name"] == "first.example.com"
    assert "first.example.com" in planned.plan["apiserver_sans"]["dns"]
    assert sorted(planned.allocations.nodes) == ["first.example.com", "node-b"]


@given(st.permutations(hosts(7)), st.sets(st.integers(0, 6)))
def test_any_order_of_the_hosts_gives_the_same_bytes(some: list[Any], known: set[int]) -> None:
    ledger = {"nodes": {f"node-{i:04}": [f"10.200.{50 - i}.0/24"] for i in known}}
    expected = prepare(some=hosts(7), allocations=ledger)
    planned = prepare(some=some, allocations=ledger)
    assert text_of(planned.plan) == text_of(expected.plan)
    assert planned.allocations.to_mapping() == expected.allocations.to_mapping()


@given(st.sets(st.integers(0, 20), min_size=1), st.sets(st.integers(0, 20), min_size=1))
def test_planning_again_with_its_own_allocations_changes_nothing_for_who_stays(
    first: set[int], second: set[int]
) -> None:
    everybody = hosts(21)
    before = prepare(some=[everybody[i] for i in {0} | first])
    after = prepare(some=[everybody[i] for i in {0} | second], allocations=before.allocations.to_mapping())
    for name in before.plan["nodes"].keys() & after.plan["nodes"].keys():
        assert before.plan["nodes"][name]["pod_cidrs"] == after.plan["nodes"][name]["pod_cidrs"]
    again = prepare(some=[everybody[i] for i in {0} | second], allocations=after.allocations.to_mapping())
    assert text_of(again.plan) == text_of(after.plan)


def test_every_node_routes_to_every_other_through_its_address() -> None:
    plan = prepare(some=hosts(20)).plan
    for name in plan["nodes"]:
        others = {
            other["pod_cidrs"][0]: other["addresses"][0]
            for key, other in plan["nodes"].items()
            if key != name
        }
        assert {route["destination"]: route["gateway"] for route in node_routes(plan, name)} == others


def test_the_plan_does_not_share_the_contract_with_its_giver() -> None:
    contract = KUBENET | {"ports": [{"port": 1, "protocol": "udp", "purpose": "x"}]}
    plan = prepare(contract=contract).plan
    plan["backend"]["ports"][0]["port"] = 2
    assert contract["ports"] == [{"port": 1, "protocol": "udp", "purpose": "x"}]


def test_the_table_shows_the_cluster_and_each_host() -> None:
    cluster, _, nodes = plan_table(
        prepare(Settings(underlay_mtu=1500), HOSTS[:2], FLANNEL).plan, width=120
    ).partition("\n\n\n")
    assert cluster.splitlines() == [
        "  Cluster              kubernetes",
        " ───────────────────────────────────────────────────────────",
        "  Backend              flannel: A bridge and static routes",
        "  API server           https://192.0.2.11:6443",
        "  Pods                 10.200.0.0/16",
        "  Services             10.32.0.0/24",
        "  Service kubernetes   10.32.0.1",
        "  DNS                  10.32.0.10, cluster.local",
        "  Node ports           30000-32767",
        "  MTU                  1450 in pods, 1500 between the nodes",
        "  kube-proxy           iptables",
        "  Network policies     none",
    ]
    cells = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in nodes.splitlines()]
    assert [cells[0], *cells[2:]] == [
        ["Host", "Node", "Groups", "Addresses", "Pods", "Gateways", "Routes"],
        ["node-a", "node-a", ", ".join(sorted(ALL_GROUPS)), "192.0.2.11", "10.200.0.0/24", "10.200.0.1", "0"],
        ["node-b", "node-b", "kube_node", "192.0.2.12", "10.200.1.0/24", "10.200.1.1", "0"],
    ]


def test_a_narrow_table_folds_and_never_cuts() -> None:
    shown = plan_table(prepare(DUAL, DUAL_HOSTS).plan, width=60)
    assert max(map(len, shown.splitlines())) <= 60
    letters = "".join(shown.split())
    assert "…" not in letters


def test_of_many_hosts_the_table_shows_the_first_and_how_many_more_there_are() -> None:
    shown = plan_table(prepare(some=hosts(HOSTS_SHOWN)).plan).splitlines()
    assert shown[-1].split()[0] == f"node-{HOSTS_SHOWN - 1:04}"
    shown = plan_table(
        prepare(
            Settings(pod_cidrs=("10.0.0.0/8",), service_cidrs=("172.20.0.0/16",)),
            some=hosts(HOSTS_SHOWN + 1200),
        ).plan
    ).splitlines()
    assert [line.split()[0] for line in shown if line.startswith("  node-")][
        -1
    ] == f"node-{HOSTS_SHOWN - 1:04}"
    assert shown[-1] == "  and 1,200 more hosts"
