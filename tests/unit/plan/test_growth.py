"""Growing: several pod networks, nodes of several sizes, further service networks."""

from dataclasses import replace
from typing import Any

import pytest
from plan_cases import ALL_GROUPS, DUAL, FLANNEL, HOSTS, KUBENET, findings, host, hosts, pod_cidrs, prepare

from flatnet.plan import Settings, node_routes

SEVERAL = KUBENET | {"several_pod_cidrs": True}
TWO = Settings(pod_cidrs=("10.200.0.0/23", "10.204.0.0/23"))


def test_a_second_network_of_a_family_takes_nodes_when_the_first_is_full() -> None:
    planned = prepare(TWO, hosts(4), SEVERAL)
    assert pod_cidrs(planned) == {
        "node-0000": ["10.200.0.0/24"],
        "node-0001": ["10.200.1.0/24"],
        "node-0002": ["10.204.0.0/24"],
        "node-0003": ["10.204.1.0/24"],
    }
    assert planned.plan["families"] == ["ipv4"]
    assert planned.plan["node_prefixes"] == [24]
    assert planned.plan["masquerade"]["pod_cidrs"] == ["10.200.0.0/23", "10.204.0.0/23"]
    assert planned.plan["masquerade"]["not_to"][:2] == ["10.200.0.0/23", "10.204.0.0/23"]
    assert [route["destination"] for route in node_routes(planned.plan, "node-0000")] == [
        "10.200.1.0/24",
        "10.204.0.0/24",
        "10.204.1.0/24",
    ]


def test_adding_a_network_moves_nobody() -> None:
    before = prepare(replace(TWO, pod_cidrs=TWO.pod_cidrs[:1]), hosts(2), SEVERAL)
    after = prepare(TWO, hosts(3), SEVERAL, before.allocations.to_mapping())
    assert {name: pod_cidrs(after)[name] for name in pod_cidrs(before)} == pod_cidrs(before)
    assert pod_cidrs(after)["node-0002"] == ["10.204.0.0/24"]


def test_several_networks_that_are_full_are_named_with_what_makes_room() -> None:
    assert findings(TWO, hosts(5), SEVERAL) == [
        "[pod-network-full] cluster_pod_cidrs 10.200.0.0/23, 10.204.0.0/23: they hold 4 /24 networks, "
        "0 taken by nodes, 5 more needed; none is left for node-0004. "
        "Fix: widen cluster_pod_cidrs to a /22 (holds 4 nodes), or add another network to cluster_pod_cidrs, "
        "or set cluster_node_prefixes to 25."
    ]


def test_with_several_networks_kube_proxy_is_told_to_ask_for_the_nodes_own() -> None:
    plan = prepare(TWO, hosts(2), SEVERAL).plan
    assert plan["kube_proxy_configuration"] == {"detectLocalMode": "NodeCIDR", "mode": "iptables"}
    assert plan["flags"]["kube-proxy"] == {"detect-local-mode": "NodeCIDR", "proxy-mode": "iptables"}
    assert plan["flags"]["kube-controller-manager"] == {
        "cluster-cidr": "10.200.0.0/23,10.204.0.0/23",
        "service-cluster-ip-range": "10.32.0.0/24",
        "node-cidr-mask-size": "24",
        "allocate-node-cidrs": "false",
    }


def test_one_network_per_family_keeps_the_cluster_network_in_kube_proxy() -> None:
    plan = prepare(contract=SEVERAL).plan
    assert plan["kube_proxy_configuration"] == {"clusterCIDR": "10.200.0.0/16", "mode": "iptables"}


def test_several_networks_of_both_families_are_planned_per_family() -> None:
    both = Settings(
        pod_cidrs=("10.200.0.0/24", "2001:db8:200::/64", "10.204.0.0/24", "2001:db8:204::/64"),
        service_cidrs=DUAL.service_cidrs,
    )
    some = [
        host(f"node-{i}", f"192.0.2.{i}", f"2001:db8::{i}", groups=ALL_GROUPS if i == 1 else {"kube_node"})
        for i in (1, 2)
    ]
    plan = prepare(both, some, SEVERAL).plan
    assert plan["families"] == ["ipv4", "ipv6"]
    assert [plan["nodes"][f"node-{i}"]["pod_cidrs"] for i in (1, 2)] == [
        ["10.200.0.0/24", "2001:db8:200::/64"],
        ["10.204.0.0/24", "2001:db8:204::/64"],
    ]


def test_several_networks_of_a_family_are_refused_where_the_backend_carries_one() -> None:
    line = "a family has two networks, and backend flannel carries one per family."
    assert line in findings(TWO, contract=FLANNEL)[0]


def test_a_big_node_gets_a_big_network_and_more_pods() -> None:
    big = replace(HOSTS[2], pod_prefixes=(22,), max_pods=500)
    planned = prepare(some=[*HOSTS[:2], big])
    # The largest first, so that small ones do not cut up what a large one needs.
    assert pod_cidrs(planned) == {
        "node-a": ["10.200.4.0/24"],
        "node-b": ["10.200.5.0/24"],
        "node-c": ["10.200.0.0/22"],
    }
    assert planned.plan["nodes"]["node-c"]["max_pods"] == 500
    assert "max_pods" not in planned.plan["nodes"]["node-a"]
    assert planned.plan["kubelet_configuration"]["maxPods"] == 110


def test_a_node_without_a_gap_of_its_size_gets_the_next_aligned_one() -> None:
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"], "node-b": ["10.200.2.0/24"]}}
    big = replace(HOSTS[2], pod_prefixes=(23,))
    assert pod_cidrs(prepare(some=[*HOSTS[:2], big], allocations=ledger))["node-c"] == ["10.200.4.0/23"]


def test_a_size_that_a_node_got_too_late_is_a_warning_and_moves_nobody() -> None:
    before = prepare()
    big = replace(HOSTS[2], pod_prefixes=(22,))
    planned = prepare(some=[*HOSTS[:2], big], allocations=before.allocations.to_mapping())
    assert pod_cidrs(planned) == pod_cidrs(before)
    assert planned.warnings == [
        "[pod-prefix] node-c: allocation 10.200.2.0/24: pod_prefix 22 is for new nodes, "
        "and this one keeps what it has. Fix: nothing, or pin another network and replace the node."
    ]


def test_more_pods_than_a_nodes_network_addresses_are_refused_for_that_node() -> None:
    many = [replace(one, max_pods=300) for one in HOSTS[1:]]
    assert findings(some=[HOSTS[0], *many], allocations=prepare().allocations.to_mapping()) == [
        "[max-pods] node-b: allocation 10.200.1.0/24; node-c: allocation 10.200.2.0/24: "
        "it addresses 253 pods, max_pods is 300. Fix: lower that or pin a larger network."
    ]


def test_more_pods_than_a_new_nodes_network_would_address_are_refused_too() -> None:
    assert findings(some=[HOSTS[0], replace(HOSTS[1], max_pods=300)]) == [
        "[max-pods] node-b: max_pods 300: a /24 network addresses 253 pods. "
        "Fix: lower max_pods to 253 or set pod_prefix to 23, or to 22 for the usual two addresses per pod."
    ]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"pod_prefixes": (23, 64)},
            "pod_prefix 23, 64: there are 2 for the families ipv4. "
            "Fix: give one per family, in the order of cluster_pod_cidrs.",
        ),
        (
            {"pod_prefixes": (15,)},
            "pod_prefix 15: no ipv4 pod network can be split into /15 networks. "
            "Fix: use a prefix length from 16 to 25.",
        ),
        (
            {"pod_prefixes": (33,)},
            "pod_prefix 33: no ipv4 pod network can be split into /33 networks. "
            "Fix: use a prefix length from 16 to 25.",
        ),
        ({"max_pods": 0}, "max_pods 0: it is not from 1 to 4194304. Fix: use 110 or leave it out."),
    ],
)
def test_a_size_that_cannot_be_is_refused_once_for_all_hosts(changed: dict[str, Any], line: str) -> None:
    some = [HOSTS[0], *(replace(one, **changed) for one in HOSTS[1:])]
    assert findings(some=some) == [f"[pod-prefix] node-b, node-c: {line}"]


def test_further_service_networks_become_one_object_each() -> None:
    more = Settings(extra_service_cidrs=("10.33.0.0/24", "10.34.0.0/16"))
    plan = prepare(more).plan
    assert plan["service_cidrs"] == ["10.32.0.0/24"]
    assert plan["flags"]["kube-apiserver"]["service-cluster-ip-range"] == "10.32.0.0/24"
    assert plan["extra_service_cidrs"] == ["10.33.0.0/24", "10.34.0.0/16"]
    assert plan["service_cidr_objects"] == [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": f"flatnet-{name}"},
            "spec": {"cidrs": [cidr]},
        }
        for name, cidr in (("10-33-0-0-24", "10.33.0.0/24"), ("10-34-0-0-16", "10.34.0.0/16"))
    ]


def test_a_service_network_of_ipv6_gives_a_name_that_kubernetes_takes() -> None:
    some = [replace(one, addresses=(*one.addresses, f"2001:db8::{i}")) for i, one in enumerate(HOSTS, 1)]
    plan = prepare(replace(DUAL, extra_service_cidrs=("2001:db8:33::/112",)), some).plan
    assert plan["service_cidr_objects"][0]["metadata"]["name"] == "flatnet-2001-db8-33---112"


def test_without_further_service_networks_the_plan_says_nothing_of_them() -> None:
    assert {"extra_service_cidrs", "service_cidr_objects"}.isdisjoint(prepare().plan)


FULL = Settings(pod_cidrs=("10.200.0.0/22",))


def test_a_full_pool_does_not_give_away_what_a_deployed_node_has() -> None:
    deployed = prepare(FULL, hosts(4))
    some = [*hosts(3), host("new", "192.0.2.99")]
    ledger = deployed.allocations.to_mapping()
    assert findings(FULL, some, allocations=ledger, deployed=deployed.plan) == [
        "[pod-network-full] cluster_pod_cidrs 10.200.0.0/22: it holds 4 /24 networks, 3 taken by nodes, "
        "kept for node-0003 as deployed, 1 more needed; none is left for new. "
        "Fix: widen cluster_pod_cidrs to a /21 (holds 8 nodes), or "
        "provision without the new nodes first, which frees what nodes had that left."
    ]
    # Once it is provisioned without the node, its network is a tombstone as any other.
    without = prepare(FULL, hosts(3), allocations=ledger, deployed=deployed.plan)
    again = prepare(FULL, some, allocations=without.allocations.to_mapping(), deployed=without.plan)
    assert pod_cidrs(again)["new"] == ["10.200.3.0/24"]
    assert [line.partition(":")[0] for line in again.warnings] == ["[tombstone-reused] node-0003"]


def test_a_deployed_node_gets_back_what_it_has_when_the_allocations_are_lost() -> None:
    pinned = [replace(one, pod_cidr_pins=(f"10.200.{9 - i}.0/24",)) for i, one in enumerate(HOSTS)]
    deployed = prepare(some=pinned).plan
    some = [*HOSTS, host("aaa", "192.0.2.9")]
    found = pod_cidrs(prepare(some=some, deployed=deployed))
    assert found == pod_cidrs(prepare(some=pinned)) | {"aaa": ["10.200.0.0/24"]}
