"""What one certificate is wanted to hold, checked when it is written down."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from flatnet.errors import FlatnetError

Address = IPv4Address | IPv6Address

# A name becomes a file name, so that nothing in it may leave the directory.
_FILE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
# RFC 1123, section 2.1: letters, digits and hyphens, 63 octets a label.
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# RFC 5280, appendix A.1: ub-common-name and ub-organization-name.
_LONGEST_ATTRIBUTE = 64
# RFC 5280, section 4.1.2.5: the last moment a validity can name is in the year 9999; this stays far below.
_LONGEST_LIFETIME_DAYS = 36500


class Usage(StrEnum):
    """What a certificate may be used for; the values are the ones a user writes."""

    SERVER = "server"
    CLIENT = "client"
    CA = "ca"


class KeyType(StrEnum):
    """The kinds of key that flatnet makes."""

    ECDSA_P256 = "ecdsa-p256"
    RSA_2048 = "rsa-2048"


@dataclass(frozen=True, slots=True)
class KeyPairSpec:
    """A key pair without a certificate: `<name>.key` and `<name>.pub`."""

    name: str
    key_type: KeyType = KeyType.RSA_2048


@dataclass(frozen=True, slots=True)
class CertificateSpec:
    """One wanted certificate, `<name>.crt`, and its private key, `<name>.key`.

    `ca` is the name of the issuing certificate; a CA names itself. Lifetimes are days. The sets have no
    order: two specs that list the same names differently are equal. Raises FlatnetError for content that RFC
    5280 or the TLS clients of Kubernetes refuse.
    """

    name: str
    common_name: str
    ca: str
    usages: frozenset[Usage]
    organizations: frozenset[str] = frozenset()
    dns_names: frozenset[str] = frozenset()
    addresses: frozenset[Address] = frozenset()
    lifetime_days: int = 365
    renew_before_days: int = 30
    key_type: KeyType = KeyType.ECDSA_P256

    def __post_init__(self) -> None:
        """Refuse what cannot be issued, while the name of the certificate is still known."""
        if not _FILE_NAME.fullmatch(self.name):
            raise FlatnetError(
                f"certificate name {self.name!r} cannot be a file name: use lower-case letters, digits, '.',"
                " '_' and '-'"
            )
        if not self.usages or (Usage.CA in self.usages) != (self.ca == self.name) or self._mixes_ca():
            raise FlatnetError(
                f"certificate {self.name}: usages must be server and/or client, or ca alone for a CA that"
                " signs itself"
            )
        self._check_subject()
        for dns_name in self.dns_names:
            if not is_dns_name(dns_name):
                raise FlatnetError(
                    f"certificate {self.name}: SAN {dns_name!r} is not a DNS name: use letters, digits and"
                    " hyphens in labels of at most 63 characters (RFC 1123), in lower case"
                )
        if Usage.SERVER in self.usages and not self.dns_names and not self.addresses:
            raise FlatnetError(
                f"certificate {self.name}: a server certificate without SANs is refused by every client"
                " (RFC 6125, section 6.4.4): give it a DNS name or an address"
            )
        if not 0 < self.renew_before_days < self.lifetime_days <= _LONGEST_LIFETIME_DAYS:
            raise FlatnetError(
                f"certificate {self.name}: a lifetime of {self.lifetime_days} days with renewal"
                f" {self.renew_before_days} days before its end cannot work: renewal must be at least one"
                " day before the end and after the start, and a lifetime is at most"
                f" {_LONGEST_LIFETIME_DAYS} days"
            )

    def _mixes_ca(self) -> bool:
        return Usage.CA in self.usages and len(self.usages) > 1

    def _check_subject(self) -> None:
        for attribute in (self.common_name, *self.organizations):
            if not 1 <= len(attribute) <= _LONGEST_ATTRIBUTE:
                raise FlatnetError(
                    f"certificate {self.name}: {attribute!r} in its subject has {len(attribute)} characters,"
                    f" allowed are 1 to {_LONGEST_ATTRIBUTE} (RFC 5280, appendix A.1): choose a shorter name"
                )

    @property
    def is_ca(self) -> bool:
        """Tell whether this certificate signs others."""
        return Usage.CA in self.usages

    @property
    def sans(self) -> tuple[str, ...]:
        """Return the subject alternative names as text: DNS names sorted, then addresses sorted by value."""
        return (*sorted(self.dns_names), *(str(address) for address in sorted_addresses(self.addresses)))


def sorted_addresses(addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses by family, then by value."""
    return sorted(addresses, key=lambda address: (address.version, int(address)))


def is_dns_name(name: str) -> bool:
    """Tell whether the name is a lower-case host name (RFC 1123): at most 253 characters, no final dot."""
    return len(name) <= 253 and all(_DNS_LABEL.fullmatch(label) for label in name.split("."))


def parse_address(text: str, owner: str) -> Address:
    """Return the address written in text; owner says in the error whose address it is.

    Raises FlatnetError when it is not an address; a prefix length or a zone cannot be part of a SAN.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise FlatnetError(
            f"{owner}: {text!r} is not an IP address: write it without a prefix length"
        ) from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise FlatnetError(
            f"{owner}: {text!r} has a zone, which a certificate cannot hold: remove '%{address.scope_id}'"
        )
    return address
