import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pki_cases import NOW, cluster, contents, reasons, run

from flatnet.errors import FlatnetError
from flatnet.pki import (
    KeyPairSpec,
    KeyType,
    cluster_certificates,
    reconcile,
)


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    run(directory)
    return directory


def test_modes_are_right_whatever_the_umask(tmp_path: Path) -> None:
    directory = tmp_path / "made" / "pki"
    directory.parent.mkdir()
    for mask in (0o000, 0o277):
        previous = os.umask(mask)
        try:
            reconcile(directory, cluster_certificates(cluster(2 if mask else 1)), NOW)
        finally:
            os.umask(previous)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert {mode for name, mode in modes.items() if name.endswith(".key")} == {0o600}
    assert {mode for name, mode in modes.items() if name.endswith(".crt")} == {0o644}


def test_a_key_is_closed_to_others_before_it_has_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, int]] = []
    real_open = os.open

    def watching_open(path: str, flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(path, flags, mode)
        if str(path).endswith(".key.new"):
            status = os.fstat(descriptor)
            seen.append((Path(path).name, stat.S_IMODE(status.st_mode), status.st_size))
        return descriptor

    monkeypatch.setattr(os, "open", watching_open)
    previous = os.umask(0)
    try:
        reconcile(tmp_path / "pki", cluster_certificates(cluster(1)), NOW)
    finally:
        os.umask(previous)
    assert len(seen) == len(cluster_certificates(cluster(1)))
    assert {(mode, size) for _, mode, size in seen} == {(0o600, 0)}


def test_files_that_others_can_reach_are_closed_without_issuing_anything(pki: Path) -> None:
    pki.chmod(0o755)
    (pki / "ca.key").chmod(0o644)
    (pki / "admin.key").chmod(0o640)
    before = contents(pki)
    done = run(pki)
    assert [(change.name, change.reason) for change in done.repaired] == [
        (str(pki), "mode is 0755, wanted is 0700"),
        ("ca.key", "mode is 0644, wanted is 0600"),
        ("admin.key", "mode is 0640, wanted is 0600"),
    ]
    assert done.issued == []
    assert contents(pki) == before
    assert {stat.S_IMODE((pki / name).stat().st_mode) for name in ("ca.key", "admin.key")} == {0o600}
    assert stat.S_IMODE(pki.stat().st_mode) == 0o700
    assert not run(pki).changed


def test_a_check_writes_nothing_and_says_what_a_run_then_does(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    predicted = run(directory, check=True)
    assert list(tmp_path.iterdir()) == []
    assert predicted == run(directory)

    (directory / "ca.crt").unlink()
    (directory / "controller-manager.crt").write_bytes(b"")
    (directory / "admin.key").chmod(0o644)
    before = {
        path: (path.read_bytes(), path.stat().st_mode, path.stat().st_ino) for path in directory.iterdir()
    }
    predicted = run(directory, check=True)
    after = {
        path: (path.read_bytes(), path.stat().st_mode, path.stat().st_ino) for path in directory.iterdir()
    }
    assert after == before
    assert predicted == run(directory)
    assert reasons(predicted) == {
        "ca": "certificate file is missing, issued again with the same key",
        "controller-manager": "certificate file cannot be read",
    }


def test_nothing_of_a_key_reaches_results_or_messages(pki: Path) -> None:
    key = (pki / "ca.key").read_text().splitlines()
    (pki / "ca.key").write_text("\n".join([key[0], key[1][:-4], *key[2:]]))
    with pytest.raises(FlatnetError) as refusal:
        run(pki)
    assert not any(line in str(refusal.value) for line in key)
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


def test_a_fresh_directory_keeps_keys_out_of_version_control(pki: Path) -> None:
    assert "*.key" in (pki / ".gitignore").read_text().splitlines()


def test_an_unfinished_file_of_a_killed_run_is_removed(pki: Path) -> None:
    (pki / ".admin.key.new").write_bytes(b"half a key")
    assert not run(pki).changed
    assert not (pki / ".admin.key.new").exists()


def test_a_file_that_cannot_be_read_is_not_replaced(pki: Path) -> None:
    (pki / "admin.key").unlink()
    (pki / "admin.key").mkdir()
    with pytest.raises(
        FlatnetError, match=r"cannot read .*/admin\.key: Is a directory: make it belong to the user"
    ):
        run(pki)


def test_the_service_account_pair_is_made_once_and_never_replaced(tmp_path: Path) -> None:
    pair = (KeyPairSpec("sa", KeyType.ECDSA_P256),)
    assert reasons(reconcile(tmp_path, [], NOW, key_pairs=pair)) == {"sa": "there is no key pair yet"}
    before = contents(tmp_path)
    private = serialization.load_pem_private_key(before["sa.key"], None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    public = serialization.load_pem_public_key(before["sa.pub"])
    assert public == private.public_key()
    # Another kind is no reason to invalidate every token.
    assert not reconcile(tmp_path, [], NOW, key_pairs=[KeyPairSpec("sa", KeyType.RSA_2048)]).changed

    (tmp_path / "sa.pub").write_bytes(b"other")
    assert reasons(reconcile(tmp_path, [], NOW, key_pairs=pair)) == {
        "sa": "public key file belongs to another key"
    }
    (tmp_path / "sa.pub").unlink()
    assert reasons(reconcile(tmp_path, [], NOW, key_pairs=pair)) == {"sa": "public key file is missing"}
    assert contents(tmp_path) == before

    (tmp_path / "sa.key").unlink()
    with pytest.raises(FlatnetError) as refusal:
        reconcile(tmp_path, [], NOW, key_pairs=pair)
    assert str(refusal.value) == (
        f"{tmp_path}/sa.key is missing but the cluster uses it (every service account token is signed with"
        " it): restore it from a backup, or remove sa.key and sa.pub to start with a new one, which"
        " invalidates all tokens"
    )
