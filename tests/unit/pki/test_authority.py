import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from pki_cases import NOW, certificate, cluster, contents, reasons, run

from flatnet.errors import FlatnetError
from flatnet.pki import KeyType, cluster_certificates, reconcile
from flatnet.pki.issue import certificate_pem
from flatnet.pki.keys import generate_key, key_pem
from flatnet.pki.store import open_store


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    run(directory)
    return directory


def refusal(directory: Path, now: datetime = NOW) -> str:
    """Return the message of a run that must fail in check mode and in earnest, and must write nothing."""
    before = {name: content for name, content in contents(directory).items() if name != ".lock"}
    messages = set()
    for check in (True, False):
        with pytest.raises(FlatnetError) as caught:
            run(directory, now=now, check=check)
        messages.add(str(caught.value))
    assert {name: content for name, content in contents(directory).items() if name != ".lock"} == before
    (message,) = messages
    return message


def foreign_ca(directory: Path, end: datetime, *, ca: bool = True) -> x509.Certificate:
    """Put a CA that an organisation's root has signed into the directory."""
    root_key, key = generate_key(KeyType.ECDSA_P256), generate_key(KeyType.ECDSA_P256)
    issued = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clusters of Example")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root of Example")]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(root_key, SHA256())
    )
    directory.mkdir(mode=0o700)
    (directory / "ca.crt").write_bytes(certificate_pem(issued))
    (directory / "ca.key").touch(mode=0o600)
    (directory / "ca.key").write_bytes(key_pem(key))
    return issued


def test_a_lost_ca_key_is_never_replaced(pki: Path) -> None:
    (pki / "ca.key").unlink()
    assert refusal(pki) == (
        f"{pki}/ca.key is missing but 9 certificates of this CA exist, and a CA is never replaced"
        " automatically: restore the file from a backup, or, to build a new trust on every host, remove ca.*"
        f" and the certificates that it issued from {pki}"
    )


def test_a_lost_ca_is_not_replaced_while_its_certificates_exist(pki: Path) -> None:
    (pki / "front-proxy-ca.key").unlink()
    (pki / "front-proxy-ca.crt").unlink()
    assert "front-proxy-ca.key is missing but 1 certificates of this CA exist" in refusal(pki)
    (pki / "front-proxy-client.crt").unlink()
    assert reasons(run(pki)) == {
        "front-proxy-ca": "there is no CA yet",
        "front-proxy-client": "certificate file is missing",
    }


def test_a_broken_ca_key_is_never_replaced(pki: Path) -> None:
    (pki / "ca.key").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    assert refusal(pki).startswith(
        f"{pki}/ca.key cannot be read as an unencrypted private key but the CA exists, and a CA is never"
        " replaced"
    )


def test_a_ca_certificate_of_another_key_is_refused(pki: Path) -> None:
    (pki / "ca.crt").write_bytes((pki / "etcd-ca.crt").read_bytes())
    assert refusal(pki) == f"{pki}/ca.crt does not belong to ca.key: restore both files from one backup"


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_lost_ca_certificate_is_issued_again_and_leaves_stay(pki: Path, damage: str) -> None:
    before = contents(pki)
    if damage == "missing":
        (pki / "ca.crt").unlink()
    else:
        (pki / "ca.crt").write_bytes(b"broken")
    state = "is missing" if damage == "missing" else "cannot be read"
    assert reasons(run(pki)) == {"ca": f"certificate file {state}, issued again with the same key"}
    assert {name for name, content in contents(pki).items() if content != before[name]} == {"ca.crt"}
    assert not run(pki).changed


def test_a_ca_near_its_end_is_issued_again_with_its_key_and_leaves_stay(pki: Path) -> None:
    now = NOW + timedelta(days=3650 - 365, seconds=1)
    run(pki, now=now - timedelta(seconds=1))
    before, old = contents(pki), certificate(pki, "ca")
    done = run(pki, now=now)
    reason = "expires on 2036-02-27 12:00:00 UTC, in less than 365 days, issued again with the same key"
    assert reasons(done) == dict.fromkeys(("ca", "etcd-ca", "front-proxy-ca"), reason)
    assert {name for name, content in contents(pki).items() if content != before[name]} == {
        "ca.crt",
        "etcd-ca.crt",
        "front-proxy-ca.crt",
    }
    new = certificate(pki, "ca")
    assert (new.subject, new.public_key()) == (old.subject, old.public_key())
    assert new.not_valid_after_utc == now + timedelta(days=3650)


def test_other_trusted_cas_in_the_file_survive_the_renewal(pki: Path) -> None:
    other = (pki / "etcd-ca.crt").read_bytes()
    (pki / "ca.crt").write_bytes(other + (pki / "ca.crt").read_bytes())
    assert not run(pki).changed
    run(pki, now=NOW + timedelta(days=3650 - 300))
    bundle = x509.load_pem_x509_certificates((pki / "ca.crt").read_bytes())
    assert [item.subject.rfc4514_string() for item in bundle] == ["CN=kubernetes-ca", "CN=etcd-ca"]


def test_a_new_ca_issues_everything_below_it_again_and_keeps_the_keys(pki: Path) -> None:
    for path in [*pki.glob("etcd-*.crt"), pki / "etcd-ca.key", pki / "apiserver-etcd-client.crt"]:
        path.unlink()
    before = contents(pki)
    done = run(pki)
    missing = "certificate file is missing"
    assert reasons(done) == {
        "etcd-ca": "there is no CA yet",
        "etcd-server-node1": missing,
        "etcd-peer-node1": missing,
        "apiserver-etcd-client": missing,
    }
    assert before.items() <= contents(pki).items()


def test_a_certificate_of_another_ca_with_the_same_name_is_issued_again(pki: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other)
    for suffix in ("crt", "key"):
        (pki / f"front-proxy-ca.{suffix}").write_bytes((other / f"front-proxy-ca.{suffix}").read_bytes())
    assert reasons(run(pki)) == {"front-proxy-client": "not issued by front-proxy-ca.crt"}


def test_a_ca_made_elsewhere_is_used_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    issued = foreign_ca(directory, NOW + timedelta(days=1000))
    done = run(directory)
    assert "ca" not in reasons(done)
    assert done.warnings == []
    certificate(directory, "admin").verify_directly_issued_by(issued)
    assert not run(directory).changed


def test_a_ca_made_elsewhere_that_ends_soon_is_a_warning_and_no_reason_to_issue_for_ever(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "pki"
    end = NOW + timedelta(days=20)
    foreign_ca(directory, end)
    done = run(directory)
    assert done.warnings == [
        f"{directory}/ca.crt was made elsewhere and ends on 2026-03-21 12:00:00 UTC: no certificate outlives"
        " it"
    ]
    assert certificate(directory, "admin").not_valid_after_utc == end
    assert not run(directory, now=NOW + timedelta(days=19)).changed
    assert refusal(directory, now=end) == (
        f"{directory}/ca.crt expired on 2026-03-21 12:00:00 UTC and was issued elsewhere: have it"
        " issued again there for the same key"
    )


def test_a_certificate_that_may_not_sign_is_no_ca(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    foreign_ca(directory, NOW + timedelta(days=1000), ca=False)
    assert refusal(directory) == (
        f"{directory}/ca.crt is not the certificate of a CA (RFC 5280, section 4.2.1.9): put a CA there"
    )


def test_a_run_waits_for_the_one_before_it(pki: Path) -> None:
    order: list[str] = []

    def second() -> None:
        run(pki, cluster(3))
        order.append("second ended")

    with open_store(pki, check=False, lock_seconds=0):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        assert not (pki / "kubelet-node3.crt").exists()
        order.append("first ended")
    thread.join()
    assert order == ["first ended", "second ended"]
    assert (pki / "kubelet-node3.crt").exists()


@pytest.mark.parametrize("check", [True, False])
def test_a_lock_held_for_too_long_is_an_error_that_names_it(pki: Path, check: bool) -> None:
    specs = cluster_certificates(cluster())
    with open_store(pki, check=False, lock_seconds=0), pytest.raises(FlatnetError) as caught:
        reconcile(pki, specs, NOW, check=check, lock_seconds=0.05)
    assert str(caught.value) == (
        f"{pki}/.lock: another run has held this lock for 0.05 s: let it end (fuser shows its process)"
    )


def test_two_checks_run_at_the_same_time(pki: Path) -> None:
    with open_store(pki, check=True, lock_seconds=0):
        assert not reconcile(pki, cluster_certificates(cluster()), NOW, check=True, lock_seconds=0).changed


def test_two_first_runs_at_once_agree_on_one_trust(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    threads = [threading.Thread(target=run, args=(directory,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not run(directory).changed
    certificate(directory, "admin").verify_directly_issued_by(certificate(directory, "ca"))


def test_the_cost_of_a_run_grows_linearly_with_the_nodes(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    run(directory, cluster(60))

    def cost(nodes: int) -> float:
        described = cluster(nodes)
        begin = time.process_time()
        assert not run(directory, described).changed
        return time.process_time() - begin

    cost(5)
    small, large = min(cost(5) for _ in range(3)), min(cost(60) for _ in range(3))
    # 130 certificates against 20: a quadratic run would cost forty times as much.
    assert large < 20 * small
