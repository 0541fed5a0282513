"""Networks and addresses as integers.

Text is read strictly, as Kubernetes will read it (KEP-4858): no leading zeros, no netmask notation, no
IPv4-mapped IPv6 addresses, no host bits. Everything after reading is integer arithmetic, so a /8 costs what a
/28 costs.

Why not netaddr: it reads `10.0.0.0/255.0.0.0`, `10.0.0.0/08` and `10.0.0.1/8` as networks, takes 4 to 8 times
as long to read one and 10 to 17 times to write one with its first addresses, as tests/benchmark/plan.py
prints, and a plan has a hundred thousand. It is used where networks are few, and
tests/unit/plan/test_netaddr.py holds what is here against it.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address
from itertools import repeat
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Literal, NamedTuple

from flatnet.errors import FlatnetError

Family = Literal["ipv4", "ipv6"]

WIDTH: dict[Family, int] = {"ipv4": 32, "ipv6": 128}
_IPV4: tuple[Family, int, int] = ("ipv4", 32, AF_INET)
_IPV6: tuple[Family, int, int] = ("ipv6", 128, AF_INET6)

_PREFIXES = {str(number): number for number in range(129)}
_HOST_BITS = [(1 << bits) - 1 for bits in range(129)]
_OCTETS = [str(number) for number in range(256)]
_ENDS = [f"/{prefix}" for prefix in range(129)]
# What is above the last 32 bits of an address of IPv6 that stands for one of IPv4: ::ffff:0:0/96.
_MAPPED = 0xFFFF


def address_text(family: Family, value: int) -> str:
    """Return the canonical text of an address given as an integer (RFC 5952 for IPv6)."""
    if family == "ipv4":
        high, low = value >> 16, value & 65535
        return f"{_OCTETS[high >> 8]}.{_OCTETS[high & 255]}.{_OCTETS[low >> 8]}.{_OCTETS[low & 255]}"
    text = inet_ntop(AF_INET6, value.to_bytes(16, "big"))
    # C libraries write the lowest addresses with a dotted end, and not all of them the same ones.
    return IPv6Address(value).compressed if "." in text else text


def network_texts(network: "Network") -> tuple[str, str, str]:
    """Return the canonical texts of a network, of its first address, and of the address after that."""
    family, first, prefix = network
    address = address_text(family, first)
    return f"{address}/{prefix}", address, address_text(family, first + 1)


def network_columns(networks: Iterable["Network"]) -> tuple[list[str], list[str], list[str]]:
    """Return the texts that network_texts returns, of many networks: all of the first kind, and so on."""
    texts: list[str] = []
    firsts: list[str] = []
    seconds: list[str] = []
    # The first three groups of an IPv6 address, which 65,536 neighbours share.
    groups, groups_text = 0, ""
    for network in networks:
        family, first, prefix = network
        if family == "ipv4" and (low := first & 255) < 255:
            head = f"{_OCTETS[first >> 24]}.{_OCTETS[first >> 16 & 255]}.{_OCTETS[first >> 8 & 255]}."
            address, second = head + _OCTETS[low], head + _OCTETS[low + 1]
        elif (high := first >> 64) >> 48 and high & 65535 and high << 64 == first:
            # The first and the fourth group are no zeros, so that the run of them at the end, of the second
            # address too, is longer than any other: RFC 5952, section 4.2.3, makes it two colons.
            if high >> 16 != groups:
                groups = high >> 16
                groups_text = f"{groups >> 32:x}:{groups >> 16 & 65535:x}:{groups & 65535:x}"
            address = f"{groups_text}:{high & 65535:x}::"
            second = address + "1"
        else:
            _, address, second = network_texts(network)
        texts.append(address + _ENDS[prefix])
        firsts.append(address)
        seconds.append(second)
    return texts, firsts, seconds


class Address(NamedTuple):
    """One address: its family and its integer value."""

    family: Family
    value: int

    def __str__(self) -> str:
        """Return the canonical text."""
        return address_text(self.family, self.value)


class Network(NamedTuple):
    """One network: its family, its first address as an integer, and its prefix length."""

    family: Family
    first: int
    prefix: int

    def __str__(self) -> str:
        """Return the canonical text, `address/prefix`."""
        return f"{address_text(self.family, self.first)}/{self.prefix}"

    @property
    def size(self) -> int:
        """How many addresses the network holds, the first and the last included."""
        return 1 << (WIDTH[self.family] - self.prefix)

    @property
    def last(self) -> int:
        """The last address, as an integer."""
        return self.first + (1 << (WIDTH[self.family] - self.prefix)) - 1

    def overlaps(self, other: "Network") -> bool:
        """Tell whether the two networks share an address."""
        return self.family == other.family and self.first <= other.last and other.first <= self.last

    def contains(self, other: "Network") -> bool:
        """Tell whether every address of the other network is in this one."""
        return self.family == other.family and self.first <= other.first and other.last <= self.last

    def holds(self, address: Address) -> bool:
        """Tell whether the address is in this network."""
        return self.family == address.family and self.first <= address.value <= self.last

    def nth_address(self, index: int) -> str:
        """Return the address at the 0-based index; the caller knows that it is inside."""
        return address_text(self.family, self.first + index)


def parse_address(text: str) -> Address:
    """Return the address that the text names. Raises FlatnetError, and nothing else, for any other text."""
    try:
        if ":" not in text:
            return Address("ipv4", int.from_bytes(inet_pton(AF_INET, text), "big"))
        value = int.from_bytes(inet_pton(AF_INET6, text), "big")
    except (OSError, ValueError):
        raise FlatnetError(
            f"{text!r} is not an IP address; write it like 192.0.2.11 or 2001:db8::11"
        ) from None
    if value >> 32 == _MAPPED:
        plain = address_text("ipv4", value & 0xFFFF_FFFF)
        raise FlatnetError(
            f"{text!r} is an IPv4-mapped IPv6 address, which Kubernetes refuses; write {plain}"
        )
    return Address("ipv6", value)


def parse_addresses(family: Family, texts: Sequence[str]) -> tuple[list[int], Sequence[str]] | None:
    """Return the values and the canonical texts of many addresses of one family, without a loop in Python.

    None means that at least one of the texts has to be looked at by parse_address: it may be no address at
    all, one of the other family, or one of the lowest of IPv6, among them those that stand for IPv4.
    """
    version = AF_INET if family == "ipv4" else AF_INET6
    try:
        packed = list(map(inet_pton, repeat(version), texts))
    except (OSError, ValueError):
        return None
    values = list(map(int.from_bytes, packed))
    if family == "ipv4":
        # An IPv4 text that can be read is canonical; IPv6 has many ways to write an address.
        return values, texts
    canonical = list(map(inet_ntop, repeat(version), packed))
    if "." in "".join(canonical):
        return None
    # The same objects, rather than equal ones, when nobody wrote anything else.
    return values, texts if texts == canonical else canonical


def parse_interface(text: str) -> tuple[Address, Network]:
    """Return the address and the network of text such as `192.0.2.11/24`.

    Raises FlatnetError, and nothing else, for any other text.
    """
    address_part, slash, prefix_part = text.partition("/")
    prefix = _PREFIXES.get(prefix_part)
    if prefix is None:
        if slash and prefix_part.isascii() and prefix_part.isdigit() and prefix_part[0] != "0":
            width = WIDTH[parse_address(address_part).family]
            raise FlatnetError(f"{text!r} has a prefix length above {width}; write one from 0 to {width}")
        raise FlatnetError(f"{text!r} is not a network; write it like 192.0.2.0/24 or 2001:db8::/64")
    address = parse_address(address_part)
    family, value = address
    width = WIDTH[family]
    if prefix > width:
        raise FlatnetError(f"{text!r} has a prefix length above {width}; write one from 0 to {width}")
    shift = width - prefix
    return address, Network(family, value >> shift << shift, prefix)


def parse_network(text: str) -> Network:
    """Return the network that the text names.

    Raises FlatnetError, and nothing else, for any other text, and when host bits are set.
    """
    head, _, tail = text.partition("/")
    prefix = _PREFIXES.get(tail, 129)
    family, width, version = _IPV6 if ":" in head else _IPV4
    if prefix <= width:
        # The quick way, for the most common case when it is right.
        try:
            value = int.from_bytes(inet_pton(version, head))
        except (OSError, ValueError):
            pass
        else:
            if not value & _HOST_BITS[width - prefix] and value >> 32 != _MAPPED:
                return Network(family, value, prefix)
    address, network = parse_interface(text)
    if address.value != network.first:
        raise FlatnetError(f"{text!r} has host bits set; write {network}")
    return network


def node_network(cluster: Network, node_index: int, prefix: int) -> Network:
    """Return the network of the given prefix length at the 0-based index inside the cluster network.

    Computed, not enumerated. Raises FlatnetError when the cluster network holds no such network.
    """
    width = WIDTH[cluster.family]
    if not cluster.prefix <= prefix <= width:
        raise FlatnetError(
            f"{cluster} cannot be split into /{prefix} networks; "
            f"use a prefix length from {cluster.prefix} to {width}"
        )
    capacity = 1 << (prefix - cluster.prefix)
    if not 0 <= node_index < capacity:
        raise FlatnetError(
            f"{cluster} holds {capacity} /{prefix} networks, node index {node_index} is outside; "
            f"use an index from 0 to {capacity - 1}, or a larger cluster network"
        )
    return Network(cluster.family, cluster.first + (node_index << (width - prefix)), prefix)


def pod_capacity(network: Network) -> int:
    """Return how many pods a node network can address.

    host-local gives out neither the first address (the network's), nor the gateway, nor the last one
    (broadcast): containernetworking/plugins, plugins/ipam/host-local/backend/allocator.
    """
    return max(0, network.size - 3)


def prefix_for_pods(family: Family, pods: int) -> int:
    """Return the longest prefix length whose network can address that many pods."""
    return WIDTH[family] - (pods + 2).bit_length()
