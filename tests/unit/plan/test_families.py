"""Both families in one order, everywhere; IPv6 first, and IPv6 alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, DUAL, HOSTS, KUBENET, host, prepare

from flatnet.plan import Host, Settings, node_routes

V6_FIRST = Settings(
    pod_cidrs=DUAL.pod_cidrs[::-1], service_cidrs=DUAL.service_cidrs[::-1], node_prefixes=(64, 24)
)
V6_ALONE = Settings(pod_cidrs=("2001:db8:200::/56",), service_cidrs=("2001:db8:32::/112",))
BOTH = [replace(one, addresses=(f"2001:db8::{i}", *one.addresses)) for i, one in enumerate(HOSTS, 1)]


def family(text: str) -> str:
    return "ipv6" if ":" in text else "ipv4"


def in_order(texts: Sequence[str], families: Sequence[str]) -> bool:
    """Tell whether the texts are of these families, all of the first before all of the second."""
    return list(dict.fromkeys(map(family, texts))) == list(families) and (
        sorted(texts, key=lambda text: list(families).index(family(text))) == list(texts)
    )


def test_ipv6_first_is_the_order_of_every_flag_and_file() -> None:
    plan = prepare(V6_FIRST, BOTH).plan
    assert plan["families"] == ["ipv6", "ipv4"]
    assert plan["flags"] == {
        "kube-apiserver": {
            "service-cluster-ip-range": "2001:db8:32::/112,10.32.0.0/24",
            "service-node-port-range": "30000-32767",
        },
        "kube-controller-manager": {
            "cluster-cidr": "2001:db8:200::/56,10.200.0.0/16",
            "service-cluster-ip-range": "2001:db8:32::/112,10.32.0.0/24",
            "node-cidr-mask-size-ipv6": "64",
            "node-cidr-mask-size-ipv4": "24",
            "allocate-node-cidrs": "false",
        },
        "kube-proxy": {"cluster-cidr": "2001:db8:200::/56,10.200.0.0/16", "proxy-mode": "iptables"},
        "kubelet": {
            "cluster-dns": "2001:db8:32::a,10.32.0.10",
            "cluster-domain": "cluster.local",
            "max-pods": "110",
        },
    }
    assert plan["kube_proxy_configuration"]["clusterCIDR"] == "2001:db8:200::/56,10.200.0.0/16"
    assert plan["kubelet_configuration"]["clusterDNS"] == ["2001:db8:32::a", "10.32.0.10"]
    assert plan["first_service_addresses"] == ["2001:db8:32::1", "10.32.0.1"]
    assert plan["masquerade"] == {
        "pod_cidrs": ["2001:db8:200::/56", "10.200.0.0/16"],
        "not_to": [
            "2001:db8:200::/56",
            "10.200.0.0/16",
            "2001:db8::1/128",
            "2001:db8::2/128",
            "2001:db8::3/128",
            "192.0.2.11/32",
            "192.0.2.12/32",
            "192.0.2.13/32",
        ],
    }


def test_ipv6_first_is_the_order_of_nodes_and_routes() -> None:
    plan = prepare(V6_FIRST, BOTH).plan
    node = plan["nodes"]["node-b"]
    assert node["addresses"] == ["2001:db8::2", "192.0.2.12"]
    assert node["pod_cidrs"] == ["2001:db8:200:1::/64", "10.200.1.0/24"]
    assert node["pod_gateways"] == ["2001:db8:200:1::1", "10.200.1.1"]
    assert node["tunnel_addresses"] == ["2001:db8:200:1::", "10.200.1.0"]
    assert node_routes(plan, "node-b") == [
        {"destination": "2001:db8:200::/64", "gateway": "2001:db8::1"},
        {"destination": "2001:db8:200:2::/64", "gateway": "2001:db8::3"},
        {"destination": "10.200.0.0/24", "gateway": "192.0.2.11"},
        {"destination": "10.200.2.0/24", "gateway": "192.0.2.13"},
    ]


def test_the_api_server_is_reached_under_the_first_service_address_of_both_families() -> None:
    sans = prepare(V6_FIRST, BOTH).plan["apiserver_sans"]
    assert sans["ip"] == ["10.32.0.1", "127.0.0.1", "192.0.2.11", "2001:db8:32::1", "2001:db8::1", "::1"]


@pytest.mark.parametrize(
    ("settings", "families"),
    [
        (DUAL, ["ipv4", "ipv6"]),
        (V6_FIRST, ["ipv6", "ipv4"]),
        (Settings(), ["ipv4"]),
        (V6_ALONE, ["ipv6"]),
        (
            replace(
                V6_FIRST,
                pod_cidrs=("2001:db8:200::/63", "10.200.0.0/23", "2001:db8:300::/56", "10.9.0.0/16"),
            ),
            ["ipv6", "ipv4"],
        ),
    ],
    ids=["dual", "ipv6 first", "ipv4", "ipv6", "several of both"],
)
def test_no_list_of_a_plan_is_in_another_order(settings: Settings, families: list[str]) -> None:
    nodes = [replace(one, groups=one.groups - {"kube_control_plane"}) for one in BOTH]
    some = [*nodes, host("cp", "192.0.2.99", "2001:db8::99", groups=["kube_control_plane"])]
    plan = prepare(settings, some, KUBENET | {"several_pod_cidrs": True}).plan
    per_family = ["service_cidrs", "first_service_addresses", "dns_addresses"]
    assert [[family(text) for text in plan[key]] for key in per_family] == [families] * 3
    for node in plan["nodes"].values():
        assert [family(text) for text in node["addresses"]] == families
        for key in ("pod_cidrs", "pod_gateways", "tunnel_addresses"):
            assert [family(text) for text in node[key]] == (families if "kube_node" in node["groups"] else [])
    routes = node_routes(plan, "cp")
    assert in_order([route["destination"] for route in routes], families)
    assert all(family(route["destination"]) == family(route["gateway"]) for route in routes)
    assert in_order(plan["masquerade"]["not_to"][len(settings.pod_cidrs) :], families)
    for flags in plan["flags"].values():
        for flag in ("service-cluster-ip-range", "cluster-dns"):
            if flag in flags:
                assert in_order(flags[flag].split(","), families)


def readdressed(hosts: Sequence[Host], turned: Sequence[bool]) -> list[Host]:
    return [
        replace(one, addresses=one.addresses[::-1] if turn else one.addresses)
        for one, turn in zip(hosts, turned, strict=True)
    ]


@given(st.lists(st.booleans(), min_size=3, max_size=3), st.permutations([0, 1, 2]))
def test_the_order_in_which_hosts_list_their_addresses_means_nothing(
    turned: list[bool], order: list[int]
) -> None:
    some = readdressed(BOTH, turned)
    assert prepare(V6_FIRST, [some[i] for i in order])[:3] == prepare(V6_FIRST, BOTH)[:3]


@given(st.sampled_from([(24, 64), (23, 60), (25, 72)]), st.sampled_from([(22, 63), (21, 56)]))
def test_own_sizes_are_in_the_order_of_the_families(cluster: tuple[int, int], own: tuple[int, int]) -> None:
    settings = replace(V6_FIRST, pod_cidrs=("2001:db8:200::/48", "10.0.0.0/12"), node_prefixes=cluster[::-1])
    big = replace(BOTH[2], pod_prefixes=own[::-1])
    nodes = prepare(settings, [*BOTH[:2], big]).plan["nodes"]
    prefixes = {
        name: [int(cidr.partition("/")[2]) for cidr in node["pod_cidrs"]] for name, node in nodes.items()
    }
    assert prefixes == {"node-a": [*cluster[::-1]], "node-b": [*cluster[::-1]], "node-c": [*own[::-1]]}


def test_a_second_family_is_added_to_a_running_plan_without_moving_the_first() -> None:
    first = prepare()
    both = prepare(DUAL, BOTH, allocations=first.allocations.to_mapping())
    for name, node in first.plan["nodes"].items():
        assert both.plan["nodes"][name]["pod_cidrs"][:1] == node["pod_cidrs"]
        assert both.plan["nodes"][name]["addresses"][:1] == node["addresses"]
    assert both.plan["service_cidrs"][:1] == first.plan["service_cidrs"]


def test_ipv6_texts_become_canonical_everywhere() -> None:
    settings = Settings(pod_cidrs=("2001:DB8:200:0:0::/56",), service_cidrs=("2001:0db8:32::/112",))
    plan = prepare(settings, [host("a", "2001:DB8:0:0::A", groups=ALL_GROUPS)]).plan
    assert plan["pod_cidrs"] == ["2001:db8:200::/56"]
    assert plan["service_cidrs"] == ["2001:db8:32::/112"]
    assert plan["nodes"]["a"]["addresses"] == ["2001:db8::a"]
    assert plan["masquerade"]["not_to"] == ["2001:db8:200::/56", "2001:db8::a/128"]
