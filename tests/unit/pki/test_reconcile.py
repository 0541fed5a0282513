from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pki_cases import APISERVER_SANS, NOW, certificate, cluster, contents, reasons, run

from flatnet.errors import FlatnetError
from flatnet.pki import (
    ApiserverSans,
    KeyType,
    Lifetimes,
    cluster_certificates,
    reconcile,
)


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    run(directory)
    return directory


def changed_files(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_a_second_run_changes_nothing(pki: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in pki.iterdir()}
    done = run(pki, now=NOW + timedelta(days=100))
    assert not done.changed
    assert done.unused == []
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in pki.iterdir()} == before


def test_a_new_address_of_the_api_server_issues_only_its_certificate_again(pki: Path) -> None:
    before = contents(pki)
    sans = ApiserverSans(APISERVER_SANS.dns_names, APISERVER_SANS.addresses | {ip_address("203.0.113.7")})
    done = run(pki, cluster(sans=sans))
    assert reasons(done) == {"apiserver": "SAN 203.0.113.7 added"}
    assert changed_files(before, contents(pki)) == {"apiserver.crt"}


def test_sans_taken_away_are_named_as_well(pki: Path) -> None:
    sans = ApiserverSans(frozenset({"kubernetes", "node1"}), frozenset({ip_address("10.32.0.1")}))
    assert reasons(run(pki, cluster(sans=sans))) == {
        "apiserver": "SAN 192.0.2.11 removed; SAN 2001:db8::1 removed; SAN kubernetes.default removed"
    }


def test_a_new_node_gets_certificates_and_nothing_else_changes(pki: Path) -> None:
    before = contents(pki)
    done = run(pki, cluster(3))
    missing = "key file is missing; certificate file is missing"
    assert reasons(done) == {"kubelet-node3": missing, "kubelet-server-node3": missing}
    assert changed_files(before, contents(pki)) == {
        "kubelet-node3.crt",
        "kubelet-node3.key",
        "kubelet-server-node3.crt",
        "kubelet-server-node3.key",
    }


def test_certificates_of_a_node_that_left_are_reported_and_kept(pki: Path) -> None:
    before = contents(pki)
    done = run(pki, cluster(1))
    assert done.unused == ["kubelet-node2", "kubelet-server-node2"]
    assert not done.changed
    assert contents(pki) == before


@pytest.mark.parametrize(("seconds", "issued"), [(0, False), (1, True)])
def test_renewal_begins_when_less_than_the_wanted_life_remains(pki: Path, seconds: int, issued: bool) -> None:
    now = NOW + timedelta(days=365 - 30, seconds=seconds)
    keys = {name: content for name, content in contents(pki).items() if name.endswith(".key")}
    done = run(pki, now=now)
    leaves = {spec.name for spec in cluster_certificates(cluster()) if not spec.is_ca}
    reason = "expires on 2027-03-01 12:00:00 UTC, in less than 30 days"
    assert reasons(done) == (dict.fromkeys(leaves, reason) if issued else {})
    assert keys.items() <= contents(pki).items()


def test_a_certificate_from_the_future_is_issued_again(pki: Path) -> None:
    done = run(pki, now=NOW - timedelta(minutes=5, seconds=1))
    assert set(reasons(done).values()) == {
        "not valid before 2026-03-01 11:55:00 UTC",
        "not valid before 2026-03-01 11:55:00 UTC, issued again with the same key",
    }


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_broken_certificate_is_issued_again_for_the_same_key(pki: Path, content: bytes) -> None:
    (pki / "controller-manager.crt").write_bytes(content)
    before = contents(pki)
    assert reasons(run(pki)) == {"controller-manager": "certificate file cannot be read"}
    assert changed_files(before, contents(pki)) == {"controller-manager.crt"}


def test_a_broken_key_is_replaced_together_with_its_certificate(pki: Path) -> None:
    (pki / "controller-manager.key").write_bytes(b"garbage")
    before = contents(pki)
    assert reasons(run(pki)) == {"controller-manager": "key file cannot be read"}
    assert changed_files(before, contents(pki)) == {"controller-manager.crt", "controller-manager.key"}
    assert not run(pki).changed


def test_a_certificate_for_another_key_is_issued_again(pki: Path) -> None:
    (pki / "controller-manager.key").write_bytes((pki / "scheduler.key").read_bytes())
    before = contents(pki)
    assert reasons(run(pki)) == {"controller-manager": "certificate belongs to another key"}
    assert changed_files(before, contents(pki)) == {"controller-manager.crt"}


def test_a_certificate_swapped_for_another_one_says_everything_that_differs(pki: Path) -> None:
    for suffix in (".crt", ".key"):
        (pki / f"admin{suffix}").write_bytes((pki / f"etcd-peer-node1{suffix}").read_bytes())
    assert reasons(run(pki)) == {
        "admin": "common name is node1, wanted is kubernetes-admin; organization system:masters added;"
        " SAN 127.0.0.1 removed; SAN 192.0.2.11 removed; SAN localhost removed; SAN node1 removed;"
        " usage server removed; not issued by ca.crt"
    }


def test_another_kind_of_key_replaces_the_keys_but_never_that_of_a_ca(pki: Path) -> None:
    before = contents(pki)
    specs = cluster_certificates(cluster(1, lifetimes=Lifetimes(key_type=KeyType.RSA_2048)))
    kept = {"ca", "etcd-ca", "front-proxy-ca"}
    done = reconcile(
        pki, [spec for spec in specs if spec.name in {*kept, "admin", "kubelet-server-node1"}], NOW
    )
    reason = "key is ecdsa-p256, wanted is rsa-2048"
    # The key usage is right for the key that was there, so that it is no reason of its own.
    assert reasons(done) == {"admin": reason, "kubelet-server-node1": reason}
    assert {name: contents(pki)[f"{name}.key"] for name in kept} == {
        name: before[f"{name}.key"] for name in kept
    }
    assert isinstance(certificate(pki, "admin").public_key(), rsa.RSAPublicKey)


def test_renewal_on_demand_replaces_keys_of_the_named_certificates(pki: Path) -> None:
    before = contents(pki)
    done = reconcile(pki, cluster_certificates(cluster()), NOW, renew=["kubelet-server-*"])
    asked = "renewal asked for"
    assert reasons(done) == {"kubelet-server-node1": asked, "kubelet-server-node2": asked}
    assert changed_files(before, contents(pki)) == {
        f"kubelet-server-node{number}.{suffix}" for number in (1, 2) for suffix in ("crt", "key")
    }


@pytest.mark.parametrize("pattern", ["ca", "kubelet-node9"])
def test_renewal_on_demand_of_a_ca_or_of_nothing_is_refused(pki: Path, pattern: str) -> None:
    before = contents(pki)
    with pytest.raises(
        FlatnetError, match=f"renew: '{pattern}' matches no certificate: choose among admin, apiserver,"
    ):
        reconcile(pki, cluster_certificates(cluster()), NOW, renew=[pattern])
    assert contents(pki) == before


def test_the_difference_lists_sans_before_and_after(pki: Path) -> None:
    sans = ApiserverSans(frozenset({"kubernetes"}), frozenset({ip_address("203.0.113.7")}))
    change = run(pki, cluster(sans=sans), check=True).issued[0]
    assert change.before == (
        "common name: kube-apiserver\nissuer: CN=kubernetes-ca\nkey: ecdsa-p256\nusage: server\n"
        "SAN: kubernetes\nSAN: kubernetes.default\nSAN: node1\n"
        "SAN: 10.32.0.1\nSAN: 192.0.2.11\nSAN: 2001:db8::1\nvalid until: 2027-03-01 12:00:00 UTC\n"
    )
    assert change.after == (
        "common name: kube-apiserver\nissuer: CN=kubernetes-ca\nkey: ecdsa-p256\nusage: server\n"
        "SAN: kubernetes\nSAN: 203.0.113.7\nvalid until: 2027-03-01 12:00:00 UTC\n"
    )
