"""What makes a host unfit to be planned."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from plan_cases import ALL_GROUPS, DUAL, DUAL_HOSTS, HOSTS, findings, host, prepare

from flatnet.errors import FlatnetError
from flatnet.pki import CertificateSpec
from flatnet.pki.identities import ApiserverSans, Cluster, Node, cluster_certificates
from flatnet.plan import Settings


def certificates(name: str, groups: Iterable[str]) -> list[CertificateSpec]:
    """Return the certificates of a cluster of one node that is in these groups."""
    members = {group: [name] if group in groups else [] for group in ALL_GROUPS}
    return cluster_certificates(
        Cluster(
            nodes=[Node(name, (ip_address("192.0.2.12"),))],
            kubelet_nodes=members["kube_node"],
            etcd_nodes=members["etcd"],
            control_plane_nodes=members["kube_control_plane"],
            apiserver_sans=ApiserverSans(frozenset({"localhost"}), frozenset()),
        )
    )


HOST_CASES = [
    (
        "node-b",
        ["nowhere.example"],
        "[node-address] node-b: address 'nowhere.example': is not an IP address. "
        "Fix: set node_address to an IP address.",
    ),
    (
        "node-b",
        [],
        "[node-address] node-b: it has no ipv4 address. "
        "Fix: set node_address, or node_addresses to a list with one ipv4 address.",
    ),
    (
        "node-b",
        ["2001:db8::1"],
        "[node-address] node-b: it has no ipv4 address. "
        "Fix: set node_address, or node_addresses to a list with one ipv4 address.",
    ),
    (
        "node-b",
        ["192.0.2.7", "192.0.2.8"],
        "[node-address] node-b: address '192.0.2.8': it is a second ipv4 address. Fix: give one per family.",
    ),
    (
        "node-b",
        ["10.200.3.4"],
        "[network-overlap] node-b: address '10.200.3.4': it is inside cluster_pod_cidrs 10.200.0.0/16. "
        "Fix: move cluster_pod_cidrs to a free network.",
    ),
    (
        "node-b",
        ["192.0.2.11"],
        "[host-duplicate] node-b: address 192.0.2.11: node-a has it too. "
        "Fix: give one of the two another address.",
    ),
    (
        "node_b",
        ["192.0.2.12"],
        "[node-name] node_b: node_name 'node_b': it is not a lower-case DNS name. "
        "Fix: set node_name to one like node-a.",
    ),
    (
        "n" * 64,
        ["192.0.2.12"],
        f"[node-name] {'n' * 64}: node_name '{'n' * 64}': it is not a lower-case DNS name. "
        "Fix: set node_name to one like node-a.",
    ),
    (
        "gke-node-01.europe-west1-b.c.my-company-production.internal",
        ["192.0.2.12"],
        "[node-name] gke-node-01.europe-west1-b.c.my-company-production.internal: "
        "node_name 'gke-node-01.europe-west1-b.c.my-company-production.internal': "
        "it has more than 52 characters, and its certificates' common name system:node:<node_name> "
        "may have 64 (RFC 5280). Fix: set node_name to a shorter one.",
    ),
]


@pytest.mark.parametrize(
    ("name", "addresses", "line"),
    HOST_CASES,
    ids=[case[2].partition(":")[0] + str(i) for i, case in enumerate(HOST_CASES)],
)
def test_a_host_that_cannot_be_a_node_is_refused(name: str, addresses: list[str], line: str) -> None:
    assert findings(some=[HOSTS[0], host(name, *addresses)]) == [line]


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "loopback (RFC 1122)"),
        ("0." * 3 + "0", "unspecified (RFC 1122)"),
        ("0.0.0.9", "unspecified (RFC 1122)"),
        ("169.254.1.1", "link-local (RFC 3927)"),
        ("224.0.0.5", "multicast (RFC 5771)"),
        ("240.0.0.1", "reserved (RFC 1112)"),
        ("255.255.255.255", "reserved (RFC 1112)"),
    ],
)
def test_an_address_that_no_host_is_reached_by_is_refused(address: str, what: str) -> None:
    assert findings(some=[HOSTS[0], host("node-b", address)]) == [
        f"[node-address] node-b: address '{address}': it is {what}, which no other host reaches it by. "
        "Fix: set node_address to the address under which the other hosts reach this one."
    ]


@pytest.mark.parametrize("address", ["::", "::1", "fe80::1", "ff02::1"])
def test_an_ipv6_address_that_no_host_is_reached_by_is_refused(address: str) -> None:
    some = [DUAL_HOSTS[0], host("node-b", "192.0.2.12", address)]
    assert [line.partition(": it is")[0] for line in findings(DUAL, some)] == [
        f"[node-address] node-b: address '{address}'"
    ]


@pytest.mark.parametrize(
    ("groups", "longest"),
    [(["kube_node"], 52), (["etcd", "kube_control_plane"], 64), (ALL_GROUPS, 52)],
    ids=["node", "control plane", "everything"],
)
def test_the_longest_name_that_is_planned_is_the_longest_that_certificates_hold(
    groups: Iterable[str], longest: int
) -> None:
    fits = "n" * (longest - 10) + ".b.example"
    # The rest is on another host: there is one host of the control plane.
    first = replace(HOSTS[0], groups=ALL_GROUPS - frozenset(groups) | {"kube_node"})
    planned = prepare(some=[first, host("other", "192.0.2.12", groups=groups, node_name=fits)]).plan
    assert planned["nodes"]["other"]["name"] == fits
    assert [one for one in certificates(fits, groups) if fits in one.common_name]
    too_long = "n" + fits
    refused = findings(some=[first, host("other", "192.0.2.12", groups=groups, node_name=too_long)])
    assert [line.partition(f" more than {longest} ")[0] for line in refused] == [
        f"[node-name] other: node_name '{too_long}': it has"
    ]
    with pytest.raises(FlatnetError, match="has 65 characters, allowed are 1 to 64"):
        certificates(too_long, groups)


def test_hosts_outside_the_group_of_the_cluster_are_refused_by_their_groups() -> None:
    outside = [
        *(host(f"db-{i}", f"192.0.2.{20 + i}", groups=["etcd"]) for i in (1, 2, 3, 4, 5, 6, 7)),
        host("both", "192.0.2.30", groups=["kube_node", "etcd"]),
    ]
    refused = findings(some=[*HOSTS, *(replace(one, is_in_cluster=False) for one in outside)])
    words = "but not in k8s_cluster, whose hosts alone are looked at and prepared. "
    words += "Fix: make its group a child of k8s_cluster, or put the host into k8s_cluster."
    assert refused == [
        f"[host-group] both: it is in etcd and kube_node {words}",
        f"[host-group] db-[1:7]: it is in etcd {words}",
    ]


def test_two_hosts_with_one_node_name_are_refused() -> None:
    assert findings(some=[HOSTS[0], host("other", "192.0.2.12", node_name="node-a")]) == [
        "[host-duplicate] other: node name node-a: node-a has it too. "
        "Fix: give one of the two another node name."
    ]


def test_a_cluster_without_control_plane_and_etcd_is_refused() -> None:
    assert findings(some=HOSTS[1:]) == [
        "[host-missing] group etcd: there is no etcd host. Fix: put a host into etcd.",
        "[host-missing] group kube_control_plane: there is no control plane host. "
        "Fix: put a host into kube_control_plane.",
    ]


@pytest.mark.parametrize(
    ("pin", "line"),
    [
        (
            "x",
            "[pin-format] node-b: pod_cidr 'x': is not a network. "
            "Fix: write it like 192.0.2.0/24 or 2001:db8::/64.",
        ),
        (
            "2001:db8::/64",
            "[pin-format] node-b: pod_cidr '2001:db8::/64': there are no ipv6 pods. Fix: remove the pin.",
        ),
        (
            "10.201.0.0/24",
            "[allocation-outside] node-b: pod_cidr pin 10.201.0.0/24: it is outside 10.200.0.0/16. "
            "Fix: pin one inside.",
        ),
        (
            "10.200.0.0/28",
            "[max-pods] node-b: pod_cidr pin 10.200.0.0/28: it addresses 13 pods, cluster_max_pods is 110. "
            "Fix: lower that or pin a larger network.",
        ),
    ],
)
def test_a_pin_that_cannot_work_is_refused(pin: str, line: str) -> None:
    assert findings(some=[HOSTS[0], host("node-b", "192.0.2.12", pins=(pin,))]) == [line]


def test_a_host_outside_the_host_networks_is_a_warning() -> None:
    assert prepare(Settings(host_cidrs=("198.51.100.0/24",)), HOSTS[:1]).warnings == [
        "[host-outside] node-a: address '192.0.2.11': it is outside cluster_host_cidrs 198.51.100.0/24. "
        "Fix: complete cluster_host_cidrs."
    ]
