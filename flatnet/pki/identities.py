"""Which certificates a cluster needs: a table, and its expansion over the nodes.

The names and organizations are those that Kubernetes gives a meaning to (kubeadm's "PKI certificates and
requirements", and the default RBAC bindings): user system:node:<node> in group system:nodes for the Node
authorizer, system:kube-controller-manager, system:kube-scheduler and system:kube-proxy for the bindings of
the same names, system:masters for unlimited access, which only the administrator gets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from flatnet.errors import FlatnetError
from flatnet.pki.spec import Address, CertificateSpec, KeyType, Usage, parse_address


class Per(StrEnum):
    """How many certificates an identity stands for: one, or one for each node of a kind."""

    CLUSTER = "cluster"
    KUBELET = "kubelet"
    ETCD = "etcd"
    CONTROL_PLANE = "control_plane"


class Sans(StrEnum):
    """Where the subject alternative names of an identity come from."""

    NONE = "none"
    NODE = "node"
    NODE_AND_LOOPBACK = "node_and_loopback"
    APISERVER = "apiserver"


@dataclass(frozen=True, slots=True)
class Identity:
    """One row of the table; `{node}` in name and common_name is the node's name."""

    name: str
    common_name: str
    ca: str
    usages: frozenset[Usage]
    organizations: frozenset[str] = frozenset()
    per: Per = Per.CLUSTER
    sans: Sans = Sans.NONE


@dataclass(frozen=True, slots=True)
class Node:
    """A host of the cluster: its node name and its addresses, one per family."""

    name: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ApiserverSans:
    """The names and addresses by which clients reach the API server."""

    dns_names: frozenset[str]
    addresses: frozenset[Address]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Days that certificates live, days before the end that they are renewed, and the kind of new keys."""

    ca_days: int = 3650
    leaf_days: int = 365
    renew_before_days: int = 30
    key_type: KeyType = KeyType.ECDSA_P256


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that the table is expanded over; the node lists are names out of `nodes`."""

    nodes: Sequence[Node]
    kubelet_nodes: Sequence[str]
    etcd_nodes: Sequence[str]
    control_plane_nodes: Sequence[str]
    apiserver_sans: ApiserverSans
    extra_identities: Sequence[Identity] = ()
    lifetimes: Lifetimes = field(default_factory=Lifetimes)


_SERVER = frozenset({Usage.SERVER})
_CLIENT = frozenset({Usage.CLIENT})
_BOTH = frozenset({Usage.SERVER, Usage.CLIENT})

# name -> common name. Three trusts, as kubeadm has them: whoever may talk to etcd or pose as the aggregation
# layer is not thereby a user of the API.
AUTHORITIES: Mapping[str, str] = {
    "ca": "kubernetes-ca",
    "etcd-ca": "etcd-ca",
    "front-proxy-ca": "kubernetes-front-proxy-ca",
}

IDENTITIES: tuple[Identity, ...] = (
    # etcd is also a client of itself (its gRPC gateway dials its own listener), so that its server
    # certificate is both.
    Identity("etcd-server-{node}", "{node}", "etcd-ca", _BOTH, per=Per.ETCD, sans=Sans.NODE_AND_LOOPBACK),
    Identity("etcd-peer-{node}", "{node}", "etcd-ca", _BOTH, per=Per.ETCD, sans=Sans.NODE_AND_LOOPBACK),
    Identity("apiserver", "kube-apiserver", "ca", _SERVER, sans=Sans.APISERVER),
    Identity("apiserver-etcd-client", "kube-apiserver-etcd-client", "etcd-ca", _CLIENT),
    # Its rights on the kubelets come from a binding to system:kubelet-api-admin, not from system:masters.
    Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "ca", _CLIENT),
    Identity("front-proxy-client", "front-proxy-client", "front-proxy-ca", _CLIENT),
    Identity("kubelet-{node}", "system:node:{node}", "ca", _CLIENT, frozenset({"system:nodes"}), Per.KUBELET),
    Identity(
        "kubelet-server-{node}",
        "system:node:{node}",
        "ca",
        _SERVER,
        frozenset({"system:nodes"}),
        Per.KUBELET,
        Sans.NODE,
    ),
    Identity("controller-manager", "system:kube-controller-manager", "ca", _CLIENT),
    Identity("scheduler", "system:kube-scheduler", "ca", _CLIENT),
    Identity("admin", "kubernetes-admin", "ca", _CLIENT, frozenset({"system:masters"})),
)


def cluster_certificates(cluster: Cluster) -> list[CertificateSpec]:
    """Return the certificates of the cluster, the CAs first; the order of nodes in the inputs means nothing.

    Raises FlatnetError for a node list that names an unknown node, for two certificates of one name, and for
    content that a certificate cannot hold.
    """
    nodes = _nodes_by_name(cluster.nodes)
    lists = {
        Per.KUBELET: _selected(cluster.kubelet_nodes, nodes, "kubelet_nodes"),
        Per.ETCD: _selected(cluster.etcd_nodes, nodes, "etcd_nodes"),
        Per.CONTROL_PLANE: _selected(cluster.control_plane_nodes, nodes, "control_plane_nodes"),
    }
    specs = [_authority(name, common_name, cluster.lifetimes) for name, common_name in AUTHORITIES.items()]
    for identity in (*IDENTITIES, *sorted(cluster.extra_identities, key=lambda extra: extra.name)):
        if identity.ca not in AUTHORITIES:
            raise FlatnetError(
                f"identity {identity.name}: there is no CA {identity.ca!r}: choose one of"
                f" {', '.join(AUTHORITIES)}"
            )
        targets: Iterable[Node | None] = lists[identity.per] if identity.per is not Per.CLUSTER else (None,)
        specs += [_leaf(identity, node, cluster) for node in targets]
    _refuse_duplicates(specs)
    return specs


def _nodes_by_name(nodes: Sequence[Node]) -> dict[str, Node]:
    by_name: dict[str, Node] = {}
    for node in nodes:
        if node.name in by_name:
            raise FlatnetError(f"nodes: {node.name!r} is listed twice: node names are unique in a cluster")
        if not node.addresses:
            raise FlatnetError(f"nodes: {node.name!r} has no address: list at least one")
        by_name[node.name] = node
    return by_name


def _selected(names: Sequence[str], nodes: Mapping[str, Node], list_name: str) -> list[Node]:
    missing = sorted(set(names) - nodes.keys())
    if missing:
        raise FlatnetError(
            f"{list_name}: {missing[0]!r} is not among the nodes: add it to nodes with its addresses"
        )
    return [nodes[name] for name in sorted(set(names))]


def _authority(name: str, common_name: str, lifetimes: Lifetimes) -> CertificateSpec:
    return CertificateSpec(
        name=name,
        common_name=common_name,
        ca=name,
        usages=frozenset({Usage.CA}),
        lifetime_days=lifetimes.ca_days,
        # A CA is renewed (same key, same name) while it still outlives every certificate it may sign.
        renew_before_days=max(lifetimes.renew_before_days, lifetimes.leaf_days),
        key_type=lifetimes.key_type,
    )


def _leaf(identity: Identity, node: Node | None, cluster: Cluster) -> CertificateSpec:
    dns_names, addresses = _subject_alternative_names(identity.sans, node, cluster.apiserver_sans)
    name = identity.name if node is None else identity.name.replace("{node}", node.name)
    common_name = identity.common_name if node is None else identity.common_name.replace("{node}", node.name)
    return CertificateSpec(
        name=name,
        common_name=common_name,
        ca=identity.ca,
        usages=identity.usages,
        organizations=identity.organizations,
        dns_names=dns_names,
        addresses=addresses,
        lifetime_days=cluster.lifetimes.leaf_days,
        renew_before_days=cluster.lifetimes.renew_before_days,
        key_type=cluster.lifetimes.key_type,
    )


def _subject_alternative_names(
    sans: Sans, node: Node | None, apiserver: ApiserverSans
) -> tuple[frozenset[str], frozenset[Address]]:
    if sans is Sans.APISERVER:
        return apiserver.dns_names, apiserver.addresses
    if sans is Sans.NONE or node is None:
        return frozenset(), frozenset()
    dns_names, addresses = {node.name}, set(node.addresses)
    if sans is Sans.NODE_AND_LOOPBACK:
        dns_names.add("localhost")
        loopbacks = {4: "127.0.0.1", 6: "::1"}
        families = {4} | {address.version for address in node.addresses}
        addresses |= {parse_address(loopbacks[family], "loopback") for family in families}
    return frozenset(dns_names), frozenset(addresses)


def _refuse_duplicates(specs: Sequence[CertificateSpec]) -> None:
    seen: dict[str, CertificateSpec] = {}
    for spec in specs:
        if spec.name in seen:
            raise FlatnetError(
                f"two certificates are called {spec.name!r}, for {seen[spec.name].common_name!r} and for"
                f" {spec.common_name!r}: rename the node or the extra identity"
            )
        seen[spec.name] = spec
