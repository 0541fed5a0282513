"""Whether a host trusts the authorities that the controller has, or those of a cluster unknown to it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from flatnet.errors import FlatnetError
from flatnet.pki.compare import load_certificates


class Trusted(NamedTuple):
    """A file that tells a host's daemons whom to trust, and the controller's file that it is made from."""

    path: str
    source: Path


def foreign_trust(host: str, found: Mapping[str, str], trusted: Iterable[Trusted]) -> list[str]:
    """Return the sentence that refuses a host whose daemons trust other keys, or nothing.

    `found` is path -> PEM text of the files that are on the host. A CA that was issued again has its key
    still, and one that is being replaced stays in the file behind its successor (RFC 5280, section 6.1: a
    path is built by name and key), so keys are compared and not files. A file without a readable key tells
    nothing; it is rewritten like any other. Raises FlatnetError when a file of the controller cannot be
    read.
    """
    differing = [
        pair
        for pair in trusted
        if (theirs := _public_keys(found.get(pair.path, "").encode()))
        and theirs[0] not in _public_keys(_read(pair.source))
    ]
    if not differing:
        return []
    paths = ", ".join(pair.path for pair in differing)
    sources = ", ".join(sorted({str(pair.source) for pair in differing}))
    there = "not the ones of" if any(pair.source.exists() for pair in differing) else "lost or never were in"
    return [
        f"{host} is part of a cluster already: the keys that it trusts ({paths}) are {there} {sources}, and "
        "new ones would break what runs there; restore that directory from its backup, or, for a new trust "
        "on purpose, remove these files from the host first"
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise FlatnetError(
            f"cannot read {path}: {error.strerror}: make it belong to the user who runs this"
        ) from None


def _public_keys(pem: bytes) -> list[bytes]:
    """Return the public keys, as DER, of the certificates or the one public key in the PEM text."""
    encoding = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    certificates = load_certificates(pem)
    if certificates:
        return [certificate.public_key().public_bytes(*encoding) for certificate in certificates]
    try:
        return [load_pem_public_key(pem).public_bytes(*encoding)]
    except (ValueError, UnsupportedAlgorithm):
        return []
