"""Private keys: making them, writing them as PEM, reading them back without ever showing them."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from flatnet.pki.spec import KeyType

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def generate_key(key_type: KeyType) -> PrivateKey:
    """Return a new private key of the type."""
    if key_type is KeyType.RSA_2048:
        # 65537 is the exponent that RFC 8017 implementations agree on.
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey) -> bytes:
    """Return the private key as unencrypted PEM: PKCS #8 for RSA, SEC 1 for EC.

    Both are what Kubernetes' keyutil reads, for TLS and for --service-account-signing-key-file.
    """
    is_ec = isinstance(key, ec.EllipticCurvePrivateKey)
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL if is_ec else PrivateFormat.PKCS8, NoEncryption()
    )


def public_pem(key: PrivateKey) -> bytes:
    """Return the public half as PEM, SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_der(key: PrivateKey) -> bytes:
    """Return the public half as DER, for comparing."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load_key(pem: bytes) -> PrivateKey | None:
    """Return the private key in the PEM text, None when it holds none that can sign here.

    The reason is dropped on purpose: nothing about a key's content may reach an error message.
    """
    try:
        # Without the primality test of RSA (40 ms a key): callers compare the key with the certificate issued
        # for it.
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else None


def describe_key(key: object) -> str:
    """Return the kind of a private or public key in the words a user writes, such as ecdsa-p256."""
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return "ecdsa-p256" if isinstance(key.curve, ec.SECP256R1) else f"ecdsa-{key.curve.name}"
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    return "of another kind"
