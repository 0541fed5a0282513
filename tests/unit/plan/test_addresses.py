import ipaddress
from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import (
    Family,
    Network,
    address_text,
    network_columns,
    network_texts,
    node_network,
    parse_address,
    parse_addresses,
    parse_interface,
    parse_network,
    pod_capacity,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.200.0.0/16", "10.200.0.0/16"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("192.0.2.11/32", "192.0.2.11/32"),
        ("2001:DB8:0:0::/64", "2001:db8::/64"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_read_and_written_in_its_canonical_form(text: str, canonical: str) -> None:
    assert str(parse_network(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.200.0.1/16", "'10.200.0.1/16' has host bits set; write 10.200.0.0/16"),
        ("10.200.0.0", "'10.200.0.0' is not a network; write it like 192.0.2.0/24 or 2001:db8::/64"),
        (
            "10.0.0.0/255.0.0.0",
            "'10.0.0.0/255.0.0.0' is not a network; write it like 192.0.2.0/24 or 2001:db8::/64",
        ),
        ("10.0.0.0/08", "'10.0.0.0/08' is not a network; write it like 192.0.2.0/24 or 2001:db8::/64"),
        ("10.0.0.0/33", "'10.0.0.0/33' has a prefix length above 32; write one from 0 to 32"),
        ("2001:db8::/129", "'2001:db8::/129' has a prefix length above 128; write one from 0 to 128"),
        ("010.0.0.0/8", "'010.0.0.0' is not an IP address; write it like 192.0.2.11 or 2001:db8::11"),
        ("10/8", "'10' is not an IP address; write it like 192.0.2.11 or 2001:db8::11"),
        (
            "::ffff:192.0.2.0/120",
            "'::ffff:192.0.2.0' is an IPv4-mapped IPv6 address, which Kubernetes refuses; write 192.0.2.0",
        ),
    ],
)
def test_a_network_that_kubernetes_would_refuse_is_refused_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        parse_network(text)
    assert str(caught.value) == message


@given(st.text() | st.from_regex(r"[0-9a-f:.]{0,50}(/[0-9]{0,4})?", fullmatch=True))
def test_arbitrary_text_raises_nothing_but_the_error_for_users(text: str) -> None:
    for parse in (parse_address, parse_interface, parse_network):
        with suppress(FlatnetError):
            assert str(parse(text))


@given(st.ip_addresses())
def test_every_address_is_written_as_the_standard_library_reads_it(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return
    read = parse_address(str(address))
    assert (read.family, read.value) == (f"ipv{address.version}", int(address))
    assert ipaddress.ip_address(str(read)) == address


@pytest.mark.parametrize("prefix", [24, 26, 30, 32])
def test_computed_node_networks_are_those_that_enumeration_finds(prefix: int) -> None:
    cluster = ipaddress.ip_network("10.200.0.0/22")
    computed = [
        str(node_network(parse_network("10.200.0.0/22"), index, prefix))
        for index in range(1 << (prefix - 22))
    ]
    assert computed == [str(network) for network in cluster.subnets(new_prefix=prefix)]


@pytest.mark.parametrize(
    ("index", "prefix", "message"),
    [
        (256, 24, "10.200.0.0/16 holds 256 /24 networks, node index 256 is outside"),
        (-1, 24, "10.200.0.0/16 holds 256 /24 networks, node index -1 is outside"),
        (0, 15, "10.200.0.0/16 cannot be split into /15 networks; use a prefix length from 16 to 32"),
        (0, 33, "10.200.0.0/16 cannot be split into /33 networks; use a prefix length from 16 to 32"),
    ],
)
def test_a_node_index_or_prefix_outside_the_cluster_network_is_refused(
    index: int, prefix: int, message: str
) -> None:
    with pytest.raises(FlatnetError) as caught:
        node_network(parse_network("10.200.0.0/16"), index, prefix)
    assert str(caught.value).startswith(message)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_overlap_and_containment_agree_with_the_standard_library(a: int, p: int, b: int, q: int) -> None:
    one, other = (ipaddress.ip_network((value, prefix), strict=False) for value, prefix in ((a, p), (b, q)))
    mine, theirs = parse_network(str(one)), parse_network(str(other))
    assert mine.overlaps(theirs) == one.overlaps(other)
    assert isinstance(one, ipaddress.IPv4Network)
    assert isinstance(other, ipaddress.IPv4Network)
    assert mine.contains(theirs) == other.subnet_of(one)


def test_a_single_address_at_either_end_overlaps_and_one_beyond_does_not() -> None:
    network = parse_network("10.200.0.0/24")
    for text, inside in (
        ("10.200.0.0", True),
        ("10.200.0.255", True),
        ("10.199.255.255", False),
        ("10.200.1.0", False),
    ):
        single = parse_network(f"{text}/32")
        assert (network.overlaps(single), single.overlaps(network), network.contains(single)) == (inside,) * 3


def test_networks_of_different_families_never_overlap() -> None:
    assert not parse_network("0.0.0.0/0").overlaps(parse_network("::/0"))
    assert not parse_network("::/0").contains(parse_network("0.0.0.0/0"))


@pytest.mark.parametrize(("prefix", "pods"), [(24, 253), (25, 125), (30, 1), (31, 0), (32, 0)])
def test_a_node_network_addresses_all_but_three_of_its_addresses(prefix: int, pods: int) -> None:
    assert pod_capacity(Network("ipv4", 0, prefix)) == pods


GROUPS = st.sampled_from([0, 0, 0, 0, 1, 0xDB8, 0xFFFF])
ZEROS = st.lists(GROUPS, min_size=8, max_size=8).map(
    lambda groups: sum(group << (112 - 16 * i) for i, group in enumerate(groups))
)


@given(st.integers(0, 2**32 - 2), ZEROS | st.integers(0, 2**128 - 2))
def test_the_texts_of_a_network_are_those_of_its_addresses(four: int, six: int) -> None:
    for network in (Network("ipv4", four, 24), Network("ipv6", min(six, 2**128 - 2), 64)):
        value, prefix = network.first, network.prefix
        first, second = (address_text(network.family, value + i) for i in (0, 1))
        assert network_texts(network) == (f"{first}/{prefix}", first, second)
        assert (first, second) == tuple(ipaddress.ip_address(text).compressed for text in (first, second))


# Mostly of the sizes that nodes have.
PREFIXES = st.sampled_from([48, 56, 62, 63, 64, 64, 64, 64, 65, 80, 112]) | st.integers(0, 128)
NODE_NETWORKS = st.tuples(ZEROS | st.integers(0, 2**128 - 2), PREFIXES).map(
    lambda pair: Network("ipv6", pair[0] >> (128 - pair[1]) << (128 - pair[1]), pair[1])
) | st.tuples(st.integers(0, 2**32 - 2), st.integers(0, 32)).map(
    lambda pair: Network("ipv4", pair[0] >> (32 - pair[1]) << (32 - pair[1]), pair[1])
)


@given(st.lists(NODE_NETWORKS, max_size=8))
def test_the_texts_of_many_networks_are_those_of_the_standard_library(networks: list[Network]) -> None:
    expected: list[tuple[str, str, str]] = []
    for network in networks:
        own = ipaddress.ip_network(str(network))
        second = ipaddress.ip_address(own.network_address + 1) if network.size > 1 else None
        second_text = network_texts(network)[2] if second is None else second.compressed
        expected.append((own.compressed, own.network_address.compressed, second_text))
    assert list(zip(*network_columns(networks), strict=True)) == expected


def test_zeros_in_the_middle_of_a_node_network_stay_when_those_at_the_end_are_as_many_or_more() -> None:
    groups = [f"{a:x}:{b:x}:{c:x}:{d:x}:0:0:0:0/64" for a, b, c, d in product((0, 1), repeat=4)]
    networks = [parse_network(text) for text in groups]
    for text, first, second in zip(*network_columns(networks), strict=True):
        own = ipaddress.ip_network(text)
        assert (text, first, second) == (own.compressed, str(own[0]), str(own[1]))


ADDRESSES = (
    st.integers(0, 2**32 - 1).map(lambda value: str(ipaddress.IPv4Address(value)))
    | (ZEROS | st.integers(0, 2**128 - 1)).map(lambda value: str(ipaddress.IPv6Address(value)))
    | st.integers(0, 2**128 - 1).map(lambda value: ipaddress.IPv6Address(value).exploded.upper())
    | st.sampled_from(["192.0.2.01", "192.0.2", "::ffff:192.0.2.1", "2001:db8::1%eth0", "", " 192.0.2.1"])
)


@given(st.lists(ADDRESSES, max_size=4), st.sampled_from(["ipv4", "ipv6"]))
def test_many_addresses_are_read_as_each_is_or_left_to_that(texts: list[str], family: Family) -> None:
    singly = []
    for text in texts:
        with suppress(FlatnetError):
            singly.append(parse_address(text))
    read = parse_addresses(family, texts)
    if read is None:
        # A good reason: one cannot be read, is of the other family, or is one of the lowest 2³² of IPv6.
        assert len(singly) < len(texts) or any(a.family != family or not a.value >> 32 for a in singly)
    else:
        values, canonical = read
        assert [(family, value) for value in values] == singly
        assert list(canonical) == [str(address) for address in singly]
