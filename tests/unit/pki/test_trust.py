from datetime import timedelta
from pathlib import Path

import pytest
from pki_cases import NOW, run

from flatnet.errors import FlatnetError
from flatnet.pki import KeyPairSpec, KeyType, reconcile
from flatnet.pki.trust import Trusted, foreign_trust

HOST = "host node-1 (192.0.2.11, port 22)"
PATH = "/etc/kubernetes/pki/ca.crt"


def judge(on_host: bytes | str, source: Path) -> list[str]:
    text = on_host.decode() if isinstance(on_host, bytes) else on_host
    return foreign_trust(HOST, {PATH: text} if text else {}, [Trusted(PATH, source)])


@pytest.fixture(name="authority")
def make_authority(tmp_path: Path) -> Path:
    run(tmp_path / "pki")
    return tmp_path / "pki" / "ca.crt"


@pytest.fixture(name="other")
def make_other_authority(tmp_path: Path) -> bytes:
    run(tmp_path / "other")
    return (tmp_path / "other" / "ca.crt").read_bytes()


def test_a_new_host_and_one_that_trusts_our_authority_are_fine(authority: Path) -> None:
    assert judge("", authority) == []
    assert judge("", authority.parent / "no-such-directory" / "ca.crt") == []
    assert judge(authority.read_bytes(), authority) == []


def test_a_lost_directory_is_named_with_the_file_of_the_host(authority: Path) -> None:
    trusted = authority.read_bytes()
    authority.unlink()
    assert judge(trusted, authority) == [
        f"{HOST} is part of a cluster already: the keys that it trusts ({PATH}) are lost or never were in "
        f"{authority}, and new ones would break what runs there; restore that directory from its backup, or, "
        "for a new trust on purpose, remove these files from the host first"
    ]


def test_another_authority_in_the_directory_is_refused(authority: Path, other: bytes) -> None:
    [sentence] = judge(other, authority)
    assert f"({PATH}) are not the ones of {authority}, and new ones" in sentence


def test_all_files_of_a_host_are_in_one_sentence(authority: Path, other: bytes) -> None:
    proxy = Trusted("/etc/kubernetes/pki/front-proxy-ca.crt", authority.with_name("front-proxy-ca.crt"))
    pairs = [Trusted(PATH, authority), proxy, Trusted("/etc/absent.crt", authority)]
    [sentence] = foreign_trust(HOST, {pair.path: other.decode() for pair in pairs[:2]}, pairs)
    assert f"({PATH}, {proxy.path})" in sentence
    assert f"the ones of {authority}, {proxy.source}," in sentence


def test_an_authority_issued_again_with_its_key_is_the_same_trust(authority: Path) -> None:
    before = authority.read_bytes()
    run(authority.parent, now=NOW + timedelta(days=3640))
    assert authority.read_bytes() != before
    assert judge(before, authority) == []


def test_an_authority_being_replaced_is_trusted_as_long_as_it_stays_in_the_file(
    authority: Path, other: bytes
) -> None:
    old = authority.read_bytes()
    authority.write_bytes(other + old)
    assert judge(old, authority) == []
    assert judge(other + old, authority) == []
    # What is only trusted beside the cluster's own authority does not make it ours.
    authority.write_bytes(old)
    assert len(judge(other + old, authority)) == 1


def test_the_key_of_service_account_tokens_is_held_against_its_own_kind(tmp_path: Path) -> None:
    for name in ("one", "two"):
        reconcile(tmp_path / name, [], NOW, key_pairs=[KeyPairSpec("sa", KeyType.ECDSA_P256)])
    one, two = tmp_path / "one" / "sa.pub", tmp_path / "two" / "sa.pub"
    assert judge(one.read_bytes(), one) == []
    assert len(judge(one.read_bytes(), two)) == 1


@pytest.mark.parametrize("text", ["half a file", "-----BEGIN CERTIFICATE-----\nMIIB\n"])
def test_a_file_that_says_nothing_is_no_trust(text: str, authority: Path) -> None:
    assert judge(text, authority) == []


def test_a_file_of_the_controller_that_cannot_be_read_is_named(authority: Path) -> None:
    authority.unlink()
    authority.mkdir()
    trusted = (authority.parent / "etcd-ca.crt").read_text()
    with pytest.raises(FlatnetError, match=f"cannot read {authority}: Is a directory"):
        judge(trusted, authority)
