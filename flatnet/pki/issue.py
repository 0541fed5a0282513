"""Issue one certificate: what is wanted, written into X.509."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flatnet.pki.keys import PrivateKey
from flatnet.pki.spec import CertificateSpec, Usage, sorted_addresses

# A host whose clock is behind would refuse a certificate that starts now.
BACKDATE = timedelta(minutes=5)

EXTENDED_USAGES = {
    Usage.SERVER: ExtendedKeyUsageOID.SERVER_AUTH,
    Usage.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH,
}


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can sign: its certificate, its key, and its PEM file (which may hold other CAs as well)."""

    certificate: x509.Certificate
    key: PrivateKey
    pem: bytes


def subject(spec: CertificateSpec) -> x509.Name:
    """Return the subject: organizations sorted, then the common name, as Go's pkix.Name writes them."""
    organizations = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in sorted(spec.organizations)
    ]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, spec.common_name)])


def key_usage(spec: CertificateSpec, public_key: object) -> x509.KeyUsage:
    """Return the key usage (RFC 5280, section 4.2.1.3) that the certificate needs.

    A CA signs certificates and revocation lists. A leaf signs handshakes; an RSA leaf also unwraps the
    session key of TLS 1.2 suites without a Diffie-Hellman exchange, for which an EC key has no use (RFC 8422,
    section 5.5).
    """
    return x509.KeyUsage(
        digital_signature=not spec.is_ca,
        content_commitment=False,
        key_encipherment=not spec.is_ca and isinstance(public_key, rsa.RSAPublicKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=spec.is_ca,
        crl_sign=spec.is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def basic_constraints(spec: CertificateSpec) -> x509.BasicConstraints:
    """Return the basic constraints (RFC 5280, section 4.2.1.9): no CA may sign another CA."""
    return x509.BasicConstraints(ca=spec.is_ca, path_length=0 if spec.is_ca else None)


def issue(
    spec: CertificateSpec, key: PrivateKey, issuer: Authority | None, now: datetime
) -> x509.Certificate:
    """Return a new certificate for the key, signed by the issuer; a CA (issuer None) signs itself.

    now is in UTC; validity starts 5 minutes earlier and ends lifetime_days after it, or with the issuer's if
    that is sooner (a CA that somebody else made may be short-lived). The serial number is 159 random bits
    (RFC 5280, section 4.1.2.2: positive, at most 20 octets).
    """
    public_key = key.public_key()
    own_identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    not_after = now + timedelta(days=spec.lifetime_days)
    if issuer is not None:
        not_after = min(not_after, issuer.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(spec))
        .issuer_name(issuer.certificate.subject if issuer else subject(spec))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(not_after)
        # RFC 5280: basic constraints (4.2.1.9) and key usage (4.2.1.3) critical, key identifiers (4.2.1.1,
        # 4.2.1.2) never; alternative names (4.2.1.6) not critical because the subject is never empty.
        .add_extension(basic_constraints(spec), critical=True)
        .add_extension(key_usage(spec, public_key), critical=True)
        .add_extension(own_identifier, critical=False)
        .add_extension(
            authority_key_identifier(issuer) if issuer else _self_identifier(own_identifier), critical=False
        )
    )
    extended = [EXTENDED_USAGES[usage] for usage in sorted(spec.usages) if usage in EXTENDED_USAGES]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in sorted(spec.dns_names)]
    names += [x509.IPAddress(address) for address in sorted_addresses(spec.addresses)]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer.key if issuer else key, SHA256())


def authority_key_identifier(issuer: Authority) -> x509.AuthorityKeyIdentifier:
    """Return the issuer's own subject key identifier (RFC 5280, 4.2.1.1), computed where it has none."""
    try:
        extension = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)


def _self_identifier(own: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return the certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)
