from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import (
    ALL_GROUPS,
    DUAL,
    DUAL_HOSTS,
    FLANNEL,
    HOSTS,
    KUBENET,
    contracts_of,
    findings,
    host,
    members,
    prepare,
)

from flatnet.errors import FlatnetError
from flatnet.plan import Settings, plan_from_data
from flatnet.settings import SETTINGS

REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"pod_cidrs": ("10.32.0.0/16",)},
        "[network-overlap] cluster_pod_cidrs 10.32.0.0/16: it overlaps cluster_service_cidrs 10.32.0.0/24. "
        "Fix: move cluster_pod_cidrs to a free network.",
    ),
    (
        {"host_cidrs": ("10.0.0.0/8", "192.0.2.0/24"), "service_cidrs": ("198.51.100.0/24",)},
        "[network-overlap] cluster_pod_cidrs 10.200.0.0/16: it overlaps cluster_host_cidrs 10.0.0.0/8. "
        "Fix: move cluster_pod_cidrs to a free network.",
    ),
    (
        {"excluded_cidrs": ("10.32.0.128/25",)},
        "[network-overlap] cluster_service_cidrs 10.32.0.0/24: it overlaps cluster_excluded_cidrs "
        "10.32.0.128/25. "
        "Fix: move cluster_service_cidrs to a free network.",
    ),
    (
        {"service_cidrs": ("192.0.2.8/29",), "dns_addresses": ("192.0.2.10",)},
        "[network-overlap] node-a: address '192.0.2.11'; node-b: address '192.0.2.12'; "
        "node-c: address '192.0.2.13': it is inside cluster_service_cidrs 192.0.2.8/29. "
        "Fix: move cluster_service_cidrs to a free network.",
    ),
    (
        {"pod_cidrs": ("10.200.1.0/16",)},
        "[network-format] cluster_pod_cidrs '10.200.1.0/16': has host bits set. Fix: write 10.200.0.0/16.",
    ),
    (
        {"pod_cidrs": ()},
        "[network-missing] cluster_pod_cidrs: it is empty. Fix: give one network, or one per address family.",
    ),
    (
        {"pod_cidrs": ("10.200.0.0/16", "10.201.0.0/16")},
        "[family-twice] cluster_pod_cidrs 10.200.0.0/16, 10.201.0.0/16: a family has two networks, "
        "and backend kubenet carries one per family. "
        "Fix: give one per family, or use a backend that carries several.",
    ),
    (
        {"service_cidrs": ("2001:db8:32::/112",)},
        "[family-order] cluster_pod_cidrs ipv4 but cluster_service_cidrs ipv6: pods and services have "
        "different "
        "families or a "
        "different order of them. Fix: give both lists the same families in the same order.",
    ),
    (
        {"node_prefixes": (15,)},
        "[node-prefix] cluster_node_prefixes 15: 10.200.0.0/16 cannot be split into /15 networks. "
        "Fix: use a prefix length from 18 to 25.",
    ),
    (
        {"node_prefixes": (24, 64)},
        "[node-prefix-count] cluster_node_prefixes 24, 64: there are 2 for the families ipv4. "
        "Fix: give one per family, in the order of cluster_pod_cidrs.",
    ),
    (
        {"node_prefixes": (26,)},
        "[max-pods] cluster_max_pods 110: a /26 network addresses 61 pods. "
        "Fix: lower cluster_max_pods to 61 or set cluster_node_prefixes to 25, or to 24 for the usual "
        "two addresses per pod.",
    ),
    (
        {"node_prefixes": (32,)},
        "[max-pods] cluster_max_pods 110: a /32 network addresses 0 pods. "
        "Fix: set cluster_node_prefixes to 25, or to 24 for the usual two addresses per pod.",
    ),
    (
        {"service_cidrs": ("10.32.0.0/30",), "dns_addresses": ("10.32.0.2",)},
        "[service-network-size] cluster_service_cidrs 10.32.0.0/30: kube-apiserver v1.36.3 gives out no "
        "address of a "
        "network smaller than /29. Fix: use a prefix length from 2 to 29.",
    ),
    (
        {"service_cidrs": ("10.32.0.0/29",)},
        "[dns-address] cluster_service_cidrs 10.32.0.0/29: it has no tenth address for DNS. "
        "Fix: set cluster_dns_service_addresses or use a larger network.",
    ),
    (
        {"dns_addresses": ("10.33.0.10",)},
        "[dns-address] cluster_dns_service_addresses 10.33.0.10: it is outside 10.32.0.0/24. Fix: use "
        "an address inside.",
    ),
    (
        {"dns_addresses": ("10.32.0.1",)},
        "[dns-address] cluster_dns_service_addresses 10.32.0.1: it is the Service kubernetes's address "
        "of 10.32.0.0/24. "
        "Fix: use 10.32.0.10.",
    ),
    (
        {"dns_addresses": ("10.32.0.0",)},
        "[dns-address] cluster_dns_service_addresses 10.32.0.0: it is the network's own address of "
        "10.32.0.0/24. "
        "Fix: use 10.32.0.10.",
    ),
    (
        {"dns_addresses": ("10.32.0.255",)},
        "[dns-address] cluster_dns_service_addresses 10.32.0.255: it is the broadcast address of "
        "10.32.0.0/24. "
        "Fix: use 10.32.0.10.",
    ),
    (
        {"dns_addresses": ("10.32.0.10", "10.32.0.11")},
        "[dns-address] cluster_dns_service_addresses 10.32.0.10, 10.32.0.11: a family has two. "
        "Fix: give one per service network.",
    ),
    (
        {"dns_addresses": ("dns",)},
        "[dns-address] cluster_dns_service_addresses 'dns': is not an IP address. "
        "Fix: write it like 192.0.2.11 or 2001:db8::11.",
    ),
    (
        {"kube_proxy_mode": "userspace"},
        "[kube-proxy-mode] cluster_kube_proxy_mode 'userspace': backend kubenet does not work with it. "
        "Fix: use one of iptables, nftables, ipvs.",
    ),
    (
        {"node_port_range": "32767-30000"},
        "[node-port-range] cluster_node_port_range '32767-30000': it is not a range of ports. "
        "Fix: write it like 30000-32767.",
    ),
    (
        {"node_port_range": "30000-65536"},
        "[node-port-range] cluster_node_port_range '30000-65536': it is not a range of ports. "
        "Fix: write it like 30000-32767.",
    ),
    (
        {"node_port_range": "10000-10250"},
        "[node-port-range] cluster_node_port_range '10000-10250': it holds port 10250 of kubelet. "
        "Fix: use a range without it like 30000-32767.",
    ),
    (
        {"dns_domain": "Cluster.local"},
        "[dns-domain] cluster_dns_domain_name 'Cluster.local': it is not a lower-case DNS name. "
        "Fix: use a name like cluster.local.",
    ),
    (
        {"cluster_name": "a b"},
        "[cluster-name] cluster_name 'a b': it is not 1 to 63 letters, digits, '-', '_' and '.'. "
        "Fix: use a name like kubernetes.",
    ),
    (
        {"extra_apiserver_sans": ("192.0.2.300",)},
        "[apiserver-san] cluster_apiserver_extra_sans '192.0.2.300': it is neither an address nor a "
        "lower-case "
        "DNS name. "
        "Fix: use a name like api.example.com or an address, without a port.",
    ),
    (
        {"underlay_mtu": 500},
        "[pod-mtu] cluster_underlay_mtu 500: underlay MTU 500 less 0 bytes of overhead leaves 500, ipv4 "
        "needs 576. "
        "Fix: raise the underlay MTU to 576 or more.",
    ),
]

CONTRACTS = contracts_of(KUBENET)


@pytest.mark.parametrize(("changed", "line"), REFUSED, ids=[line.partition(":")[0] for _, line in REFUSED])
def test_a_setting_that_cannot_work_is_refused_by_its_rule_alone(changed: dict[str, Any], line: str) -> None:
    assert line in findings(Settings(**changed))
    assert {other.partition("]")[0] for other in findings(Settings(**changed))} == {line.partition("]")[0]}


ACCEPTED: list[dict[str, Any]] = [
    {"node_prefixes": (25,), "max_pods": 62},
    {"excluded_cidrs": ("198.51.100.0/24", "10.201.0.0/16")},
    {"host_cidrs": ("192.0.2.0/24",)},
    {"service_cidrs": ("10.32.0.0/29",), "dns_addresses": ("10.32.0.2",)},
    {"dns_addresses": ("10.32.0.254",)},
    {"node_port_range": "30000-30000"},
    {"kube_proxy_mode": "nftables"},
    {"extra_apiserver_sans": ("*.example.com", "2001:db8::1", "192.0.2.5")},
    {"underlay_mtu": 9000},
    {"cluster_name": "Prod_1.eu"},
]


@pytest.mark.parametrize("changed", ACCEPTED, ids=map(str, ACCEPTED))
def test_settings_at_the_edge_of_a_rule_are_accepted_without_a_warning(changed: dict[str, Any]) -> None:
    assert prepare(Settings(**changed)).warnings == []


def test_everything_wrong_is_told_at_once() -> None:
    wrong = Settings(pod_cidrs=("10.32.0.0/16",), kube_proxy_mode="x", dns_domain="X", node_port_range="y")
    rules = [
        line.partition("]")[0][1:] for line in findings(wrong, [host("Node", "nowhere", groups=["etcd"])])
    ]
    assert rules == [
        "dns-domain",
        "host-missing",
        "kube-proxy-mode",
        "network-overlap",
        "node-address",
        "node-name",
        "node-port-range",
    ]


def test_the_message_counts_what_it_lists() -> None:
    with pytest.raises(FlatnetError, match="the network cannot be planned, 1 finding:\n- "):
        prepare(Settings(max_pods=300))
    with pytest.raises(FlatnetError, match="the network cannot be planned, 2 findings:\n- "):
        prepare(Settings(max_pods=300, dns_domain="X"))


def test_a_port_of_the_backend_inside_the_node_ports_is_refused() -> None:
    assert findings(Settings(node_port_range="8000-9000"), contract=FLANNEL) == [
        "[node-port-range] cluster_node_port_range '8000-9000': it holds port 8472 of backend flannel. "
        "Fix: use a range without it like 30000-32767."
    ]


def test_a_family_that_the_backend_cannot_carry_is_refused() -> None:
    assert findings(DUAL, DUAL_HOSTS, FLANNEL) == [
        "[family-unsupported] cluster_pod_cidrs 2001:db8:200::/56: backend flannel carries ipv4 only. "
        "Fix: remove the ipv6 network or use another backend."
    ]


@pytest.mark.parametrize(
    ("some", "warning"),
    [
        (
            members(HOSTS[:2]),
            "[etcd-even] group etcd, 2 hosts: 2 members survive the loss of 0, as many as 1 do. "
            "Fix: use 1 or 3.",
        ),
        (
            [host("cp", "192.0.2.1", groups=["etcd", "kube_control_plane"], pins=("10.200.0.0/24",))],
            "[pin-unused] cp: pod_cidr: the host is not in kube_node. Fix: remove the pin.",
        ),
        (
            [replace(HOSTS[0], addresses=("192.0.2.11", "2001:db8::1"))],
            "[node-address-unused] node-a: address '2001:db8::1': there are no ipv6 pods. Fix: nothing.",
        ),
    ],
)
def test_what_works_but_surprises_is_a_warning(some: list[Any], warning: str) -> None:
    assert warning in prepare(some=some).warnings


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            {"cluster_pod_cidr": "10.200.0.0/16"},
            "[setting-unknown] 'cluster_pod_cidr': there is no such setting",
        ),
        ({"cluster_max_pods": "many"}, "[setting-type] cluster_max_pods 'many': it is not a whole number"),
        ({"cluster_max_pods": True}, "[setting-type] cluster_max_pods True: it is not a whole number"),
        ({"cluster_pod_cidrs": [10]}, "[setting-type] cluster_pod_cidrs [10]: it is not a list of strings"),
        ({"cluster_dns_domain_name": 5}, "[setting-type] cluster_dns_domain_name 5: it is not a string"),
        (
            {"cluster_api_port": 70000},
            "[setting-range] cluster_api_port 70000: it is not from 1 to 65535. "
            "Fix: use a number in between; 6443 is the default.",
        ),
        (
            {"cluster_max_pods": 3_000_000_000},
            "[setting-range] cluster_max_pods 3000000000: it is not from 1 to 4194304 pods",
        ),
        ({"cluster_max_pods": 0}, "[setting-range] cluster_max_pods 0: it is not from 1 to 4194304 pods"),
        (
            {"cluster_underlay_mtu": 600000},
            "[setting-range] cluster_underlay_mtu 600000: it is not from 68 to 65535 bytes. "
            "Fix: use a number in between, or leave it out for the smallest that the hosts have, ",
        ),
        (
            {"cluster_kube_proxy_mode": "userspace"},
            "[setting-range] cluster_kube_proxy_mode 'userspace': it is none of the choices. "
            "Fix: use one of iptables, nftables, ipvs, none.",
        ),
        (
            {"cluster_allowed_changes": ["families", "everything"]},
            "[setting-range] cluster_allowed_changes 'everything': it is none of the choices. Fix: use "
            "some of",
        ),
        ([], "[setting-type] []: settings are not a mapping"),
    ],
)
def test_a_setting_of_the_wrong_type_is_refused(data: object, line: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        plan_from_data(data, [], CONTRACTS)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("node-a", "[host-type] 'node-a': hosts are not a list"),
        ([{"addresses": []}], "a host without an inventory_name"),
        ([{"inventory_name": "a", "node_name": 5}], "[host-type] a: node_name 5: it is not text"),
        ([{"inventory_name": "a", "facts": "x"}], "[host-type] a: facts 'x': they are not a mapping"),
        (
            [{"inventory_name": "a", "is_in_cluster": "maybe"}],
            "[setting-type] a: is_in_cluster 'maybe': it is not a boolean",
        ),
        (
            [{"inventory_name": "a", "addresses": {"x": 1}}],
            "[setting-type] a: addresses {'x': 1}: it is not a list of strings",
        ),
    ],
)
def test_a_host_of_the_wrong_type_is_refused(data: object, line: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        plan_from_data({}, data, CONTRACTS)
    assert line in str(caught.value)


def test_absent_and_null_settings_have_their_defaults_and_lone_texts_are_lists() -> None:
    hosts = [
        {
            "inventory_name": "a",
            "addresses": "192.0.2.1",
            "groups": ["etcd", "kube_control_plane", "kube_node"],
        }
    ]
    plan = plan_from_data(
        {"cluster_underlay_mtu": None, "cluster_pod_cidrs": "10.4.0.0/16", "cluster_max_pods": "50"},
        hosts,
        CONTRACTS,
    ).plan
    assert (plan["pod_cidrs"], plan["mtu"], plan["kubelet_configuration"]["maxPods"]) == (
        ["10.4.0.0/16"],
        1500,
        50,
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=5,
)
NAMES = [one.variable for one in SETTINGS]
HOST_KEYS = ["node_name", "addresses", "groups", "pod_cidr", "pod_prefix", "max_pods", "facts"]


@given(
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=4),
    st.dictionaries(
        st.sampled_from([*HOST_KEYS, "is_in_cluster"]),
        anything,
        max_size=4,
    ),
)
def test_arbitrary_settings_and_hosts_raise_nothing_but_the_error_for_users(
    settings: dict[str, Any], one: dict[str, Any]
) -> None:
    hosts = [{"inventory_name": "a", "addresses": ["192.0.2.1"], "groups": sorted(ALL_GROUPS)}]
    try:
        planned = plan_from_data(settings, [*hosts, {"inventory_name": "b"} | one], CONTRACTS)
    except FlatnetError:
        return
    assert set(planned.plan["nodes"]) == {"a", "b"}


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.text() | st.lists(st.text(alphabet="0123456789abcdef:./"), max_size=2),
        max_size=4,
    )
)
def test_arbitrary_texts_in_settings_raise_nothing_but_the_error_for_users(settings: dict[str, Any]) -> None:
    hosts = [{"inventory_name": "a", "addresses": ["192.0.2.1"], "groups": sorted(ALL_GROUPS)}]
    with suppress(FlatnetError):
        assert plan_from_data(settings, hosts, CONTRACTS).plan["families"]
