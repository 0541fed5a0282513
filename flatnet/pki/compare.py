"""Compare a certificate on disk with the wanted one, and say in words what differs."""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from flatnet.pki.issue import EXTENDED_USAGES, Authority, basic_constraints, key_usage
from flatnet.pki.keys import PrivateKey, public_der
from flatnet.pki.spec import CertificateSpec, sorted_addresses


def load_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates in the PEM text, an empty list when any of it cannot be read."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        for certificate in certificates:
            # Parsed on demand by the library: do it here, where broken content is still "cannot be read".
            _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion):
        return []
    return certificates


def certificate_differences(
    spec: CertificateSpec,
    certificate: x509.Certificate,
    key: PrivateKey | None,
    issuer: Authority,
    now: datetime,
) -> list[str]:
    """Return why the certificate has to be issued again, one phrase per difference; empty when it fits.

    The order of SANs, usages and organizations means nothing. key is None where a new one is made anyway.
    now is in UTC.
    """
    # A certificate that ends with its CA cannot be bettered by issuing it again.
    ends_with_ca = certificate.not_valid_after_utc >= issuer.certificate.not_valid_after_utc
    return [
        *_subject_differences(spec, certificate),
        *_set_differences("SAN", set(certificate_sans(certificate)), set(spec.sans)),
        *_usage_differences(spec, certificate),
        *(_key_differences(certificate, key) if key else ()),
        *_issuer_differences(spec, certificate, issuer),
        *validity_differences(certificate, 0 if ends_with_ca else spec.renew_before_days, now),
    ]


def certificate_sans(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the subject alternative names as text: names (and other kinds) sorted, then addresses."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    values = [name.value if isinstance(name, x509.DNSName | x509.IPAddress) else str(name) for name in names]
    addresses = [value for value in values if isinstance(value, IPv4Address | IPv6Address)]
    texts = [str(value) for value in values if not isinstance(value, IPv4Address | IPv6Address)]
    return (*sorted(texts), *(str(address) for address in sorted_addresses(addresses)))


def certificate_usages(certificate: x509.Certificate) -> list[str]:
    """Return the extended key usages in the words of the spec, sorted; unknown ones by dotted number."""
    words = {oid.dotted_string: usage.value for usage, oid in EXTENDED_USAGES.items()}
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return sorted(words.get(oid.dotted_string, oid.dotted_string) for oid in extension)


def validity_differences(certificate: x509.Certificate, renew_before_days: int, now: datetime) -> list[str]:
    """Return why its validity is not enough: not begun, over, or ending in less than renew_before_days."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        return [f"not valid before {utc_text(begin)}"]
    if now >= end:
        return [f"expired on {utc_text(end)}"]
    if end - now < timedelta(days=renew_before_days):
        return [f"expires on {utc_text(end)}, in less than {renew_before_days} days"]
    return []


def utc_text(when: datetime) -> str:
    """Return a point in time as text in UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _set_differences(what: str, current: AbstractSet[str], wanted: AbstractSet[str]) -> list[str]:
    added = [f"{what} {value} added" for value in sorted(wanted - current)]
    return added + [f"{what} {value} removed" for value in sorted(current - wanted)]


def _subject_differences(spec: CertificateSpec, certificate: x509.Certificate) -> list[str]:
    differences: list[str] = []
    common_names = [
        str(item.value) for item in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]
    if common_names != [spec.common_name]:
        differences.append(
            f"common name is {', '.join(common_names) or 'missing'}, wanted is {spec.common_name}"
        )
    attributes = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    organizations = {str(item.value) for item in attributes}
    differences += _set_differences("organization", organizations, spec.organizations)
    others = len(list(certificate.subject)) - len(common_names) - len(organizations)
    if others:
        differences.append("subject holds more than organizations and a common name")
    return differences


def _usage_differences(spec: CertificateSpec, certificate: x509.Certificate) -> list[str]:
    current = set(certificate_usages(certificate))
    differences = _set_differences(
        "usage", current, {usage.value for usage in spec.usages if usage in EXTENDED_USAGES}
    )
    wanted = (basic_constraints(spec), key_usage(spec, certificate.public_key()))
    for name, value in zip(("basic constraints", "key usage"), wanted, strict=True):
        try:
            extension = certificate.extensions.get_extension_for_oid(value.oid)
        except x509.ExtensionNotFound:
            differences.append(f"{name} missing")
            continue
        if extension.value != value or not extension.critical:
            differences.append(f"{name} changed")
    return differences


def _key_differences(certificate: x509.Certificate, key: PrivateKey) -> list[str]:
    current = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [] if current == public_der(key) else ["certificate belongs to another key"]


def _issuer_differences(spec: CertificateSpec, certificate: x509.Certificate, issuer: Authority) -> list[str]:
    try:
        # Compares the issuer's name byte for byte as well, as RFC 5280, section 6.1.3 (a)(4) demands of a
        # path.
        certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return [f"not issued by {spec.ca}.crt"]
    return []
