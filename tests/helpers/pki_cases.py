"""The small cluster that the PKI tests share."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from flatnet.pki import (
    ApiserverSans,
    Cluster,
    Lifetimes,
    Node,
    Reconciled,
    cluster_certificates,
    reconcile,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
APISERVER_SANS = ApiserverSans(
    frozenset({"kubernetes", "kubernetes.default", "node1"}),
    frozenset({ip_address("10.32.0.1"), ip_address("192.0.2.11"), ip_address("2001:db8::1")}),
)


def cluster(
    node_count: int = 2, sans: ApiserverSans = APISERVER_SANS, lifetimes: Lifetimes | None = None
) -> Cluster:
    """Return a cluster whose first node runs etcd and the control plane."""
    nodes = [Node(f"node{index + 1}", (ip_address("192.0.2.11") + index,)) for index in range(node_count)]
    return Cluster(
        nodes=nodes,
        kubelet_nodes=[node.name for node in nodes],
        etcd_nodes=["node1"],
        control_plane_nodes=["node1"],
        apiserver_sans=sans,
        lifetimes=lifetimes or Lifetimes(),
    )


def run(
    directory: Path, described: Cluster | None = None, now: datetime = NOW, *, check: bool = False
) -> Reconciled:
    """Reconcile the directory with the cluster, without the (slow to make) service account key."""
    return reconcile(directory, cluster_certificates(described or cluster()), now, check=check)


def reasons(done: Reconciled) -> dict[str, str]:
    """Return the reasons by name of certificate."""
    return {change.name: change.reason for change in done.issued}


def contents(directory: Path) -> dict[str, bytes]:
    """Return the bytes of every file by its name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def certificate(directory: Path, name: str) -> x509.Certificate:
    """Return the certificate of the name."""
    return x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())
