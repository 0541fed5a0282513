from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pki_cases import NOW, certificate, run

from flatnet.pki import (
    CertificateSpec,
    KeyType,
    Usage,
)
from flatnet.pki.compare import certificate_differences, certificate_sans
from flatnet.pki.issue import Authority, certificate_pem, issue
from flatnet.pki.keys import generate_key


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    run(directory)
    return directory


def test_a_certificate_holds_what_rfc_5280_asks_for(pki: Path) -> None:
    ca, leaf = certificate(pki, "ca"), certificate(pki, "kubelet-server-node1")
    assert leaf.version is x509.Version.v3
    assert leaf.subject.rfc4514_string() == "CN=system:node:node1,O=system:nodes"
    assert leaf.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert leaf.not_valid_after_utc == NOW + timedelta(days=365)
    assert leaf.serial_number.bit_length() > 64
    extensions = {type(item.value): (item.critical, item.value) for item in leaf.extensions}
    assert extensions[x509.BasicConstraints] == (True, x509.BasicConstraints(ca=False, path_length=None))
    assert extensions[x509.ExtendedKeyUsage] == (
        False,
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    )
    assert extensions[x509.SubjectAlternativeName][0] is False
    key_usage = extensions[x509.KeyUsage]
    assert key_usage[0] is True
    assert isinstance(key_usage[1], x509.KeyUsage)
    assert key_usage[1].digital_signature
    assert not key_usage[1].key_encipherment
    ca_identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert extensions[x509.AuthorityKeyIdentifier] == (
        False,
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_identifier),
    )
    assert extensions[x509.SubjectKeyIdentifier][1] == x509.SubjectKeyIdentifier.from_public_key(
        leaf.public_key()
    )
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    serials = {certificate(pki, path.stem).serial_number for path in pki.glob("*.crt")}
    assert len(serials) == len(list(pki.glob("*.crt")))


names = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,8})?", fullmatch=True)
san_sets = st.tuples(st.frozensets(names, max_size=6), st.frozensets(st.ip_addresses(), max_size=6))
KEY = generate_key(KeyType.ECDSA_P256)
CA_SPEC = CertificateSpec("ca", "ca", "ca", frozenset({Usage.CA}), lifetime_days=3650)
CA_CERTIFICATE = issue(CA_SPEC, KEY, None, NOW)
CA = Authority(CA_CERTIFICATE, KEY, certificate_pem(CA_CERTIFICATE))


def spec_with(sans: tuple[frozenset[str], frozenset[object]]) -> CertificateSpec:
    addresses = frozenset(ip_address(str(address)) for address in sans[1])
    return CertificateSpec(
        "web", "web", "ca", frozenset({Usage.CLIENT}), dns_names=sans[0], addresses=addresses
    )


@settings(max_examples=30)
@given(san_sets, san_sets)
def test_sans_differ_exactly_by_the_symmetric_difference(
    first: tuple[frozenset[str], frozenset[object]], second: tuple[frozenset[str], frozenset[object]]
) -> None:
    issued = issue(spec_with(first), KEY, CA, NOW)
    assert set(certificate_sans(issued)) == set(spec_with(first).sans)
    assert certificate_differences(spec_with(first), issued, KEY, CA, NOW) == []
    old, new = set(spec_with(first).sans), set(spec_with(second).sans)
    expected = [f"SAN {san} added" for san in sorted(new - old)] + [
        f"SAN {san} removed" for san in sorted(old - new)
    ]
    assert certificate_differences(spec_with(second), issued, KEY, CA, NOW) == expected


def test_the_order_of_sans_in_a_certificate_means_nothing() -> None:
    general_names: list[x509.GeneralName] = [
        x509.IPAddress(ip_address("192.0.2.9")),
        x509.DNSName("b.example"),
        x509.IPAddress(ip_address("192.0.2.10")),
        x509.DNSName("a.example"),
    ]
    spec = spec_with((frozenset({"a.example", "b.example"}), frozenset({"192.0.2.10", "192.0.2.9"})))
    issued = issue(spec, KEY, CA, NOW)
    builder = x509.CertificateBuilder(
        CA_CERTIFICATE.subject,
        issued.subject,
        KEY.public_key(),
        1,
        issued.not_valid_before_utc,
        issued.not_valid_after_utc,
        [item for item in issued.extensions if not isinstance(item.value, x509.SubjectAlternativeName)],
    ).add_extension(x509.SubjectAlternativeName(general_names), critical=False)
    turned = builder.sign(KEY, SHA256())
    assert certificate_differences(spec, turned, KEY, CA, NOW) == []
