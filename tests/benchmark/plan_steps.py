"""Single steps of the planner beside the same with netaddr: why its arithmetic is on integers where it is."""

from collections.abc import Callable, Sequence
from functools import partial

from netaddr import IPNetwork, IPSet
from rich.table import Table

from flatnet.plan.addresses import Network, network_columns, parse_network
from flatnet.plan.pool import count_networks, merged_ranges

COUNT = 10_000

Seconds = Callable[[Callable[[], object]], float]
"""Returns the least time of several runs of a function."""


def read(texts: Sequence[str]) -> list[Network]:
    return list(map(parse_network, texts))


def read_with_netaddr(texts: Sequence[str]) -> list[IPNetwork]:
    return list(map(IPNetwork, texts))


def written(networks: Sequence[Network]) -> list[tuple[str, ...]]:
    return list(zip(*network_columns(networks), strict=True))


def written_with_netaddr(networks: Sequence[IPNetwork]) -> list[tuple[str, ...]]:
    return [(str(network), str(network[0]), str(network[1])) for network in networks]


def free(pool: Network, taken: Sequence[Network]) -> int:
    return count_networks([pool], 24, merged_ranges((network.first, network.last) for network in taken))


def free_with_netaddr(pool: IPNetwork, taken: Sequence[IPNetwork]) -> int:
    left = IPSet(pool) - IPSet(taken)
    return sum(1 << (24 - network.prefixlen) for network in left.iter_cidrs())


def steps_table(seconds: Seconds) -> Table:
    """Return what the steps take for some networks in no order, and what they take with netaddr."""
    table = Table("one step", "here", "with netaddr", "times", title="per network of a node")

    def add(step: str, own: Callable[[], object], theirs: Callable[[], object], is_same: bool) -> None:
        if not is_same:
            raise SystemExit(f"netaddr has another answer: {step}")
        times = [seconds(function) / COUNT * 1e6 for function in (own, theirs)]
        table.add_row(step, *(f"{time:.1f} µs" for time in times), f"{times[1] / times[0]:.0f}")

    # An odd factor makes every number occur once.
    numbers = [number * 40503 % (1 << 16) for number in range(COUNT)]
    ipv4 = [f"10.{number >> 8}.{number & 255}.0/24" for number in numbers]
    ipv6 = [f"fd00:0:0:{number + 1:x}::/64" for number in numbers]
    for family, texts in (("IPv4", ipv4), ("IPv6", ipv6)):
        own, theirs = read(texts), read_with_netaddr(texts)
        add(
            f"read it, {family}",
            partial(read, texts),
            partial(read_with_netaddr, texts),
            list(map(str, own)) == list(map(str, theirs)),
        )
        add(
            f"write it and its first two addresses, {family}",
            partial(written, own),
            partial(written_with_netaddr, theirs),
            written(own) == written_with_netaddr(theirs),
        )
    room = partial(free, parse_network("10.0.0.0/8"), read(ipv4))
    room_with_netaddr = partial(free_with_netaddr, IPNetwork("10.0.0.0/8"), read_with_netaddr(ipv4))
    add("find the room beside it", room, room_with_netaddr, room() == room_with_netaddr())
    return table
