"""A CA and the one rule about it: its key, once in use, is never replaced by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flatnet.errors import FlatnetError
from flatnet.pki.compare import load_certificates, utc_text, validity_differences
from flatnet.pki.issue import Authority, certificate_pem, issue, subject
from flatnet.pki.keys import PrivateKey, generate_key, load_key, public_der
from flatnet.pki.spec import CertificateSpec
from flatnet.pki.store import StoredFile


@dataclass(frozen=True, slots=True)
class AuthorityState:
    """A CA that can sign, why its certificate was issued now (empty when kept), and what to warn about."""

    authority: Authority
    reason: str
    warnings: tuple[str, ...] = ()


def ensure_authority(
    spec: CertificateSpec,
    key_file: StoredFile | None,
    certificate_file: StoredFile | None,
    issued: Sequence[str],
    directory: Path,
    now: datetime,
) -> AuthorityState:
    """Return the CA in the two files, or a new one where there is none and it has issued nothing (`issued`).

    - The certificate is issued again with the same key and name when it is missing, cannot be read, or is one
      of ours near its end: what it signed stays valid, since a path is built by name and key (RFC 5280,
      section 6.1).
    - A CA made elsewhere (another subject, or signed by another) is used as it is; nearing its end is a
      warning.
    - Further certificates in the file, trusted during a rotation, stay in it.

    Raises FlatnetError, with the way out, when the key is missing or cannot be read while the CA is in use,
    when certificate and key do not belong together, and when the certificate may not sign or has ended.
    """
    key = load_key(key_file.content) if key_file else None
    if key is None:
        _refuse_lost_key(spec, key_file, certificate_file, issued, directory)
        return _issued(spec, generate_key(spec.key_type), (), "there is no CA yet", now)
    certificates = load_certificates(certificate_file.content) if certificate_file else []
    if not certificates:
        reason = "certificate file cannot be read" if certificate_file else "certificate file is missing"
        return _issued(spec, key, (), f"{reason}, issued again with the same key", now)
    matching = [certificate for certificate in certificates if _belongs(certificate, key)]
    if not matching:
        raise FlatnetError(
            f"{directory / spec.name}.crt does not belong to {spec.name}.key: restore both files from one"
            " backup"
        )
    current = matching[0]
    _refuse_leaf(spec, current, directory)
    kept = AuthorityState(Authority(current, key, certificate_file.content if certificate_file else b""), "")
    differences = validity_differences(current, spec.renew_before_days, now)
    if not differences:
        return kept
    if current.subject == subject(spec) and current.issuer == current.subject:
        others = [certificate for certificate in certificates if certificate is not current]
        return _issued(spec, key, others, f"{differences[0]}, issued again with the same key", now)
    path = f"{directory / spec.name}.crt"
    if validity_differences(current, 0, now):
        raise FlatnetError(
            f"{path} {differences[0]} and was issued elsewhere: have it issued again there for the same key"
        )
    return AuthorityState(
        kept.authority,
        "",
        (
            f"{path} was made elsewhere and ends on {utc_text(current.not_valid_after_utc)}: no certificate"
            " outlives it",
        ),
    )


def _refuse_lost_key(
    spec: CertificateSpec,
    key_file: StoredFile | None,
    certificate_file: StoredFile | None,
    issued: Sequence[str],
    directory: Path,
) -> None:
    if key_file is None and certificate_file is None and not issued:
        return
    state = "cannot be read as an unencrypted private key" if key_file else "is missing"
    use = f"{len(issued)} certificates of this CA exist" if issued else "the CA exists"
    certificates = f"{spec.name}.* and the certificates that it issued" if issued else f"{spec.name}.*"
    raise FlatnetError(
        f"{directory / spec.name}.key {state} but {use}, and a CA is never replaced automatically: restore"
        f" the file from a backup, or, to build a new trust on every host, remove {certificates}"
        f" from {directory}"
    )


def _refuse_leaf(spec: CertificateSpec, certificate: x509.Certificate, directory: Path) -> None:
    try:
        may_sign = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        may_sign = False
    if not may_sign:
        raise FlatnetError(
            f"{directory / spec.name}.crt is not the certificate of a CA (RFC 5280, section 4.2.1.9): put a"
            " CA there"
        )


def _belongs(certificate: x509.Certificate, key: PrivateKey) -> bool:
    encoded = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded == public_der(key)


def _issued(
    spec: CertificateSpec, key: PrivateKey, others: Sequence[x509.Certificate], reason: str, now: datetime
) -> AuthorityState:
    certificate = issue(spec, key, None, now)
    pem = b"".join(certificate_pem(item) for item in (certificate, *others))
    return AuthorityState(Authority(certificate, key, pem), reason)
