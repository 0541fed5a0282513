"""Certificates in words, for a difference that people read; keys appear by their kind only."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from flatnet.pki.compare import certificate_sans, certificate_usages, utc_text
from flatnet.pki.issue import EXTENDED_USAGES, Authority
from flatnet.pki.keys import describe_key
from flatnet.pki.spec import CertificateSpec


def certificate_text(certificates: Sequence[x509.Certificate]) -> str:
    """Return what the first of the certificates holds, one property a line; empty without one."""
    if not certificates:
        return ""
    certificate = certificates[0]
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    common_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return _text(
        common_name=", ".join(str(item.value) for item in common_names),
        organizations=sorted(str(item.value) for item in organizations),
        issuer=certificate.issuer.rfc4514_string(),
        key=describe_key(certificate.public_key()),
        usages=certificate_usages(certificate),
        sans=certificate_sans(certificate),
        ends=certificate.not_valid_after_utc,
    )


def spec_text(spec: CertificateSpec, issuer: Authority, now: datetime) -> str:
    """Return the same for a certificate issued now by the issuer."""
    ends = min(now + timedelta(days=spec.lifetime_days), issuer.certificate.not_valid_after_utc)
    return _text(
        common_name=spec.common_name,
        organizations=sorted(spec.organizations),
        issuer=issuer.certificate.subject.rfc4514_string(),
        key=str(spec.key_type),
        usages=sorted(usage.value for usage in spec.usages if usage in EXTENDED_USAGES),
        sans=spec.sans,
        ends=ends,
    )


def _text(
    *,
    common_name: str,
    organizations: Sequence[str],
    issuer: str,
    key: str,
    usages: Sequence[str],
    sans: Sequence[str],
    ends: datetime,
) -> str:
    lines = [
        f"common name: {common_name}",
        *(f"organization: {organization}" for organization in organizations),
        f"issuer: {issuer}",
        f"key: {key}",
        *(f"usage: {usage}" for usage in usages),
        *(f"SAN: {san}" for san in sans),
        f"valid until: {utc_text(ends)}",
    ]
    return "\n".join(lines) + "\n"
