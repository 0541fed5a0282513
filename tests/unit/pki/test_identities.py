from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from pki_cases import cluster

from flatnet.errors import FlatnetError
from flatnet.pki import CertificateSpec, Cluster, Identity, Lifetimes, Node, Per, Usage, cluster_certificates

LEAVES = [
    # name, CA, common name, organizations, usages, SANs
    ("etcd-server-node1", "etcd-ca", "node1", [], "client server", "localhost node1 127.0.0.1 192.0.2.11"),
    ("etcd-peer-node1", "etcd-ca", "node1", [], "client server", "localhost node1 127.0.0.1 192.0.2.11"),
    (
        "apiserver",
        "ca",
        "kube-apiserver",
        [],
        "server",
        "kubernetes kubernetes.default node1 10.32.0.1 192.0.2.11 2001:db8::1",
    ),
    ("apiserver-etcd-client", "etcd-ca", "kube-apiserver-etcd-client", [], "client", ""),
    ("apiserver-kubelet-client", "ca", "kube-apiserver-kubelet-client", [], "client", ""),
    ("front-proxy-client", "front-proxy-ca", "front-proxy-client", [], "client", ""),
    ("kubelet-node1", "ca", "system:node:node1", ["system:nodes"], "client", ""),
    ("kubelet-node2", "ca", "system:node:node2", ["system:nodes"], "client", ""),
    ("kubelet-server-node1", "ca", "system:node:node1", ["system:nodes"], "server", "node1 192.0.2.11"),
    ("kubelet-server-node2", "ca", "system:node:node2", ["system:nodes"], "server", "node2 192.0.2.12"),
    ("controller-manager", "ca", "system:kube-controller-manager", [], "client", ""),
    ("scheduler", "ca", "system:kube-scheduler", [], "client", ""),
    ("admin", "ca", "kubernetes-admin", ["system:masters"], "client", ""),
]


def row(spec: CertificateSpec) -> tuple[str, str, str, list[str], str, str]:
    return (
        spec.name,
        spec.ca,
        spec.common_name,
        sorted(spec.organizations),
        " ".join(sorted(spec.usages)),
        " ".join(spec.sans),
    )


def test_a_cluster_needs_exactly_these_certificates() -> None:
    specs = cluster_certificates(cluster())
    assert [row(spec) for spec in specs if not spec.is_ca] == LEAVES
    assert [(spec.name, spec.ca, spec.common_name) for spec in specs if spec.is_ca] == [
        ("ca", "ca", "kubernetes-ca"),
        ("etcd-ca", "etcd-ca", "etcd-ca"),
        ("front-proxy-ca", "front-proxy-ca", "kubernetes-front-proxy-ca"),
    ]


def test_only_the_administrator_is_a_master() -> None:
    masters = [
        spec.name for spec in cluster_certificates(cluster()) if "system:masters" in spec.organizations
    ]
    assert masters == ["admin"]


def test_the_order_of_nodes_means_nothing() -> None:
    straight = cluster(5)
    turned = replace(straight, nodes=straight.nodes[::-1], kubelet_nodes=straight.kubelet_nodes[::-1])
    assert cluster_certificates(turned) == cluster_certificates(straight)


def test_an_ipv6_etcd_node_is_reached_over_the_ipv6_loopback_too() -> None:
    nodes = [Node("node1", (ip_address("192.0.2.11"), ip_address("2001:db8::11")))]
    specs = cluster_certificates(replace(cluster(1), nodes=nodes))
    server = next(spec for spec in specs if spec.name == "etcd-server-node1")
    assert server.sans == ("localhost", "node1", "127.0.0.1", "192.0.2.11", "::1", "2001:db8::11")


def test_a_backend_adds_identities_for_the_cluster_and_for_each_node() -> None:
    client = frozenset({Usage.CLIENT})
    extra = [
        Identity("weave-{node}", "weave:{node}", "ca", client, per=Per.KUBELET),
        Identity("flannel", "flannel", "ca", client),
    ]
    specs = cluster_certificates(replace(cluster(), extra_identities=extra))
    assert [(spec.name, spec.common_name) for spec in specs[-3:]] == [
        ("flannel", "flannel"),
        ("weave-node1", "weave:node1"),
        ("weave-node2", "weave:node2"),
    ]


def test_a_ca_is_renewed_while_it_outlives_what_it_signs() -> None:
    specs = cluster_certificates(
        cluster(lifetimes=Lifetimes(ca_days=3650, leaf_days=400, renew_before_days=30))
    )
    assert {spec.renew_before_days for spec in specs if spec.is_ca} == {400}
    assert {spec.renew_before_days for spec in specs if not spec.is_ca} == {30}


def test_node_names_that_make_one_file_name_are_refused() -> None:
    nodes = [Node("a", (ip_address("192.0.2.11"),)), Node("server-a", (ip_address("192.0.2.12"),))]
    names = ["a", "server-a"]
    ambiguous = replace(cluster(1), nodes=nodes, kubelet_nodes=names, etcd_nodes=[], control_plane_nodes=[])
    with pytest.raises(FlatnetError) as refusal:
        cluster_certificates(ambiguous)
    assert str(refusal.value) == (
        "two certificates are called 'kubelet-server-a', for 'system:node:server-a' and for 'system:node:a':"
        " rename the node or the extra identity"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda it: replace(it, etcd_nodes=["node9"]),
            "etcd_nodes: 'node9' is not among the nodes: add it to nodes with its addresses",
        ),
        (
            lambda it: replace(it, nodes=[Node("node1", (ip_address("192.0.2.11"),))] * 2),
            "nodes: 'node1' is listed twice: node names are unique in a cluster",
        ),
        (
            lambda it: replace(it, nodes=[Node("node1", ())]),
            "nodes: 'node1' has no address: list at least one",
        ),
        (
            lambda it: replace(
                it, extra_identities=[Identity("x", "x", "other-ca", frozenset({Usage.CLIENT}))]
            ),
            "identity x: there is no CA 'other-ca': choose one of ca, etcd-ca, front-proxy-ca",
        ),
        (
            lambda it: replace(
                it, extra_identities=[Identity("admin", "x", "ca", frozenset({Usage.CLIENT}))]
            ),
            "two certificates are called 'admin', for 'kubernetes-admin' and for 'x': rename the node or the"
            " extra identity",
        ),
        (
            lambda it: replace(it, lifetimes=Lifetimes(leaf_days=30, renew_before_days=30)),
            "certificate etcd-server-node1: a lifetime of 30 days with renewal 30 days before its end cannot"
            " work: renewal must be at least one day before the end and after the start, and a lifetime is"
            " at most 36500 days",
        ),
    ],
)
def test_inputs_that_cannot_work_are_refused_with_the_fix(
    change: Callable[[Cluster], Cluster], message: str
) -> None:
    with pytest.raises(FlatnetError) as refusal:
        cluster_certificates(change(cluster(1)))
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda it: replace(it, name="../admin"),
            "certificate name '../admin' cannot be a file name: use lower-case letters, digits, '.', '_' and"
            " '-'",
        ),
        (
            lambda it: replace(it, common_name="system:node:" + 53 * "n"),
            f"certificate web: 'system:node:{53 * 'n'}' in its subject has 65 characters, allowed are 1 to 64"
            " (RFC 5280, appendix A.1): choose a shorter name",
        ),
        (
            lambda it: replace(it, dns_names=frozenset({"no_underscores.example"})),
            "certificate web: SAN 'no_underscores.example' is not a DNS name: use letters, digits and"
            " hyphens in labels of at most 63 characters (RFC 1123), in lower case",
        ),
        (
            lambda it: replace(it, dns_names=frozenset()),
            "certificate web: a server certificate without SANs is refused by every client (RFC 6125, section"
            " 6.4.4): give it a DNS name or an address",
        ),
        (
            lambda it: replace(it, usages=frozenset({Usage.CA, Usage.SERVER})),
            "certificate web: usages must be server and/or client, or ca alone for a CA that signs itself",
        ),
        (
            lambda it: replace(it, usages=frozenset()),
            "certificate web: usages must be server and/or client, or ca alone for a CA that signs itself",
        ),
    ],
)
def test_a_spec_that_no_client_would_accept_is_refused(
    change: Callable[[CertificateSpec], CertificateSpec], message: str
) -> None:
    spec = CertificateSpec(
        "web", "web", "ca", frozenset({Usage.SERVER}), dns_names=frozenset({"web.example"})
    )
    with pytest.raises(FlatnetError) as refusal:
        change(spec)
    assert str(refusal.value) == message
