"""The planner's own arithmetic and tables, held against netaddr's."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork, IPSet
from plan_cases import ALL_GROUPS, host, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Settings
from flatnet.plan.addresses import address_text, node_network, parse_network
from flatnet.plan.pool import count_networks, free_starts, is_touched, merged_ranges, networks_at

Version = Literal[4, 6]

VERSIONS: st.SearchStrategy[Version] = st.sampled_from([4, 6])
VALUES = {4: st.integers(0, 2**32 - 1), 6: st.integers(2**48, 2**128 - 1)}


def networks(version: Version, least: int = 0) -> st.SearchStrategy[IPNetwork]:
    """Return networks without host bits, of at least that prefix length."""
    width = 32 if version == 4 else 128
    pairs = st.tuples(VALUES[version], st.integers(least, width))
    return pairs.map(lambda pair: IPNetwork(pair, version=version).cidr)


ANY = networks(4) | networks(6, 48)


@given(ANY)
def test_what_netaddr_writes_is_read_as_the_same_network(network: IPNetwork) -> None:
    read = parse_network(str(network))
    assert (read.first, read.last, read.prefix) == (network.first, network.last, network.prefixlen)
    assert (read.family, str(read)) == (f"ipv{network.version}", str(network))


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/255.255.0.0",
        "10.0.0.0/0.0.255.255",
        "10.0.0.0",
        "10.0.0.0/016",
        "10.0.0.0/+16",
        "10.0.0.0/ 16",
        "10.0.0.0/1_6",
        "10.0.0.1/16",
        "::ffff:10.0.0.0/112",
    ],
)
def test_what_netaddr_takes_and_kubernetes_does_not_is_refused(text: str) -> None:
    IPNetwork(text)
    with pytest.raises(FlatnetError):
        parse_network(text)


# So large that most of them overlap.
LARGE = st.tuples(st.integers(0, 63), st.integers(0, 8), VERSIONS).map(
    lambda drawn: IPNetwork((drawn[0] << (26 if drawn[2] == 4 else 122), drawn[1]), version=drawn[2]).cidr
)


@given(LARGE, LARGE)
def test_networks_overlap_and_contain_each_other_as_sets_do(one: IPNetwork, other: IPNetwork) -> None:
    mine, theirs = parse_network(str(one)), parse_network(str(other))
    assert mine.overlaps(theirs) == (not IPSet(one).isdisjoint(IPSet(other)))
    assert mine.contains(theirs) == (other in one)


@given(networks(6, 48), st.integers(0, 2**16), st.integers(0, 16))
def test_the_network_of_a_node_is_that_many_after_the_first(
    cluster: IPNetwork, index: int, bits: int
) -> None:
    prefix = min(cluster.prefixlen + bits, 128)
    index %= 1 << (prefix - cluster.prefixlen)
    first = next(cluster.subnet(prefix))
    assert str(node_network(parse_network(str(cluster)), index, prefix)) == str(first.next(index))


POOLS = {4: IPNetwork("10.0.0.0/8"), 6: IPNetwork("fd00::/32")}


@st.composite
def pools(draw: st.DrawFn) -> tuple[IPNetwork, list[IPNetwork], int]:
    """Return a pool too large to be searched, what is taken of it and around it, and a prefix length."""
    version = draw(VERSIONS)
    pool = POOLS[version]
    width = 32 if version == 4 else 128
    bits = st.tuples(st.integers(0, 1 << (width - pool.prefixlen + 2)), st.integers(pool.prefixlen, width))
    taken = [
        IPNetwork((max(0, pool.first - 1) + value, prefix), version=version).cidr
        for value, prefix in draw(st.lists(bits, max_size=8))
    ]
    return pool, taken, draw(st.integers(pool.prefixlen, width))


@given(pools(), st.integers(1, 5))
def test_what_is_free_in_a_large_pool_is_what_sets_leave(
    case: tuple[IPNetwork, list[IPNetwork], int], count: int
) -> None:
    pool, taken, prefix = case
    left = IPSet(pool) - IPSet(taken)
    room = [network for network in left.iter_cidrs() if network.prefixlen <= prefix]
    merged = merged_ranges((network.first, network.last) for network in taken)
    own = [parse_network(str(pool))]
    assert count_networks(own, prefix, merged) == sum(1 << (prefix - network.prefixlen) for network in room)
    lowest = (network for wide in room for network in wide.subnet(prefix))
    expected = [str(network) for network, _ in zip(lowest, range(count), strict=False)]
    free = networks_at(own[0].family, prefix, free_starts(own, prefix, merged, count))
    assert list(map(str, free)) == expected
    for network in taken:
        assert is_touched(merged, network.first, network.last)


CLASSES = st.sampled_from(
    ["0.0.0.0/31", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/126", "fe80::/10", "ff00::/8"]
).map(IPNetwork)


@st.composite
def addresses(draw: st.DrawFn) -> IPAddress:
    """Return an address, often one at or just outside an end of a range that has a meaning of its own."""
    special = draw(CLASSES)
    value = draw(
        st.sampled_from([special.first - 1, special.first, special.last, special.last + 1])
        | st.integers(special.first, special.last)
        | VALUES[special.version]
    )
    width = 32 if special.version == 4 else 128
    return IPAddress(value % (1 << width), special.version)


def refusal(address: IPAddress) -> str:
    """Return why a host with the address cannot be planned, empty when it can."""
    settings = Settings()
    if address.version == 6:
        settings = Settings(pod_cidrs=("2001:db8:200::/56",), service_cidrs=("2001:db8:32::/112",))
    text = address_text("ipv4" if address.version == 4 else "ipv6", int(address))
    try:
        prepare(settings, [host("a", text, groups=ALL_GROUPS)])
    except FlatnetError as error:
        return str(error)
    return ""


@given(addresses())
def test_the_addresses_that_no_node_can_have_are_those_that_netaddr_has_a_name_for(
    address: IPAddress,
) -> None:
    is_named = address.is_loopback() or address.is_link_local() or address.is_multicast() or int(address) == 0
    is_named = is_named or (address.version == 4 and (address.is_reserved() or int(address) >> 24 == 0))
    assert ("which no other host reaches it by" in refusal(address)) == is_named
