"""The networks that a plan is about, as marks on the line of addresses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from flatnet.plan.addresses import WIDTH, Family, Network, address_text, parse_address, parse_network
from flatnet.plan.pool import count_networks, merged_ranges
from flatnet.plan_report.document import Document, family_of
from flatnet.plan_report.words import counted

# More groups of node addresses than these would be a list, not a map.
_MOST_GROUPS = 4
_GROUP_PREFIX: Mapping[Family, int] = {"ipv4": 24, "ipv6": 64}


class Mark(NamedTuple):
    """What occupies the addresses first to last: its kind, its name, a sentence, the host it belongs to."""

    first: int
    last: int
    kind: str
    label: str
    detail: str
    host: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What is on the map but not in the plan: networks taken elsewhere, and those of nodes that left."""

    excluded: Sequence[str] = ()
    hosts: Sequence[str] = ()
    tunnels: Sequence[str] = ()
    removed: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Range(NamedTuple):
    """One network of the overview: its kind, its name and a sentence."""

    network: Network
    kind: str
    label: str
    detail: str


def node_networks(document: Document, surroundings: Surroundings, pool: Network) -> list[Mark]:
    """Return the nodes' pod networks inside the pool, and those kept for nodes that left, by address."""
    marks = []
    for host, node in document["nodes"].items():
        for cidr in node["pod_cidrs"]:
            network = parse_network(cidr)
            if pool.contains(network):
                at = next((a for a in node["addresses"] if family_of(a) == network.family), "")
                detail = f"{cidr}: pods of {host}, at {at}"
                marks.append(Mark(network.first, network.last, "pods", node["name"], detail, host))
    for name, cidrs in surroundings.removed.items():
        for cidr in cidrs:
            network = parse_network(cidr)
            if pool.contains(network):
                marks.append(
                    Mark(network.first, network.last, "kept", name, f"{cidr}: kept for {name}, which left")
                )
    return sorted(marks)


class Fill(NamedTuple):
    """How full a pod network is, in networks of the prefix length; what is no whole one counts as one."""

    prefix: int
    every: int
    used: int
    kept: int
    """For nodes that left, and nobody else's."""
    free: int


def pool_fill(document: Document, pool: Network, marks: Iterable[Mark]) -> Fill:
    """Return how full the pod network is, in networks of the size that new nodes get.

    marks: what is in it. Nodes may have networks of other sizes: what is left of one is not free.
    """
    prefix = dict(zip(document["families"], document["node_prefixes"], strict=True))[pool.family]
    every = 1 << (prefix - pool.prefix)
    pods: list[tuple[int, int]] = []
    all_marks: list[tuple[int, int]] = []
    for mark in marks:
        all_marks.append((mark.first, mark.last))
        if mark.kind == "pods":
            pods.append((mark.first, mark.last))
    without_pods = count_networks([pool], prefix, merged_ranges(pods))
    free = count_networks([pool], prefix, merged_ranges(all_marks))
    return Fill(prefix, every, every - without_pods, without_pods - free, free)


def service_marks(document: Document, network: Network) -> list[Mark]:
    """Return what is special in a service network: the API, DNS, and the band for addresses chosen by hand.

    The band is kubernetes' own: KEP-3070, pkg/registry/core/service/ipallocator, calculateRangeOffset.
    """
    special = {
        **{parse_address(a).value: ("dns", "DNS", f"{a}: DNS") for a in document["dns_addresses"]},
        **{
            parse_address(a).value: ("first", "API", f"{a}: the Service kubernetes, the API")
            for a in document["first_service_addresses"]
        },
    }
    marks = [
        Mark(value, value, *words)
        for value, words in special.items()
        if network.first <= value <= network.last
    ]
    # IPv6 has no broadcast address, but kubernetes leaves the first address out all the same.
    marks.append(
        Mark(
            network.first, network.first, "unused", "", f"{network.nth_address(0)}: the network's own address"
        )
    )
    if network.family == "ipv4":
        text = address_text("ipv4", network.last)
        marks.append(Mark(network.last, network.last, "unused", "", f"{text}: the broadcast address"))
    offset = static_band(network.size)
    low, high = network.first + 1, network.first + offset
    taken = sorted(mark.first for mark in marks if low <= mark.first <= high)
    for first, last in _between(low, high, taken):
        detail = f"{_span(network.family, first, last)}: given out last, kept for addresses chosen by hand"
        marks.append(Mark(first, last, "static", "", detail))
    return sorted(marks)


def static_band(size: int) -> int:
    """Return how many addresses at the start of a service network of that size are handed out last."""
    return 0 if size <= 16 else min(max(16, size // 16), 256)


def _between(low: int, high: int, taken: Iterable[int]) -> list[tuple[int, int]]:
    found, start = [], low
    for value in (*taken, high + 1):
        if start < value:
            found.append((start, value - 1))
        start = value + 1
    return found


def _span(family: Family, first: int, last: int) -> str:
    one = address_text(family, first)
    return one if first == last else f"{one} to {address_text(family, last)}"


def address_marks(document: Document, network: Network) -> list[Mark]:
    """Return the hosts' own addresses inside the network."""
    marks = []
    for host, node in document["nodes"].items():
        for text in node["addresses"]:
            address = parse_address(text)
            if network.holds(address):
                marks.append(
                    Mark(address.value, address.value, "nodes", node["name"], f"{text}: {host}", host)
                )
    return sorted(marks)


def overview(document: Document, surroundings: Surroundings, family: Family) -> list[Range]:
    """Return every range of the family in the order of the addresses; node addresses are grouped."""
    found = []
    for text in _of(family, document["pod_cidrs"]):
        network = parse_network(text)
        count = sum(1 for mark in node_networks(document, surroundings, network) if mark.kind == "pods")
        words = (
            f"{counted(count, 'node network')} in it"
            if document["backend"]["ipam"] == "plan"
            else "given out by the backend"
        )
        found.append(Range(network, "pods", "Pods", words))
    for key, kind, label, words in (
        (document["service_cidrs"], "services", "Services", "no interface has these addresses"),
        (document.get("extra_service_cidrs", ()), "services", "Services", "further ones, as ServiceCIDR"),
        (surroundings.excluded, "excluded", "Excluded", "kept free for others"),
        (surroundings.tunnels, "excluded", "Tunnel", "inside tunnels that end on hosts"),
    ):
        found += [Range(parse_network(text), kind, label, words) for text in _of(family, key)]
    networks = address_networks(document, surroundings, family)
    for network in networks:
        count = len(address_marks(document, network))
        found.append(Range(network, "nodes", "Nodes", counted(count, "node address", "node addresses")))
    known = [parse_network(text) for text in _of(family, surroundings.hosts)]
    found += [Range(network, "nodes", "Hosts", "no node yet") for network in known if network not in networks]
    return sorted(found, key=lambda item: (item.network.first, -item.network.size))


def address_networks(document: Document, surroundings: Surroundings, family: Family) -> list[Network]:
    """Return networks that hold every node address: those of the hosts as set, else few that are narrow."""
    values = sorted(
        address.value
        for node in document["nodes"].values()
        for address in map(parse_address, node["addresses"])
        if address.family == family
    )
    known = [parse_network(text) for text in _of(family, surroundings.hosts)]
    used = [network for network in known if any(network.first <= value <= network.last for value in values)]
    loose = [value for value in values if not any(n.first <= value <= n.last for n in known)]
    shift = WIDTH[family] - _GROUP_PREFIX[family]
    groups: dict[int, list[int]] = {}
    for value in loose:
        groups.setdefault(value >> shift, []).append(value)
    covers = [covering(family, group[0], group[-1]) for _, group in sorted(groups.items())]
    taken = [
        *map(parse_network, (*document["pod_cidrs"], *document["service_cidrs"])),
        *map(parse_network, document.get("extra_service_cidrs", ())),
        *map(parse_network, (*surroundings.excluded, *surroundings.tunnels)),
    ]
    return sorted([*used, *_merged(covers, taken)])


def _merged(covers: list[Network], taken: Sequence[Network]) -> list[Network]:
    """Join neighbours that nothing separates, and then the nearest until they are few.

    They are never joined over a network that is something else.
    """
    while wides := _joins(covers, taken):
        covers = _outermost([*covers, *wides])
    return covers


def _joins(covers: Sequence[Network], taken: Sequence[Network]) -> list[Network]:
    """Return joins of neighbours for one pass, the cheapest first, no network in two of them."""
    possible = []
    for index, (left, right) in enumerate(pairwise(covers)):
        wide = covering(left.family, left.first, right.last)
        if not any(wide.overlaps(other) for other in taken):
            possible.append((wide.size - left.size - right.size, index, wide))
    joined: set[int] = set()
    wides: list[Network] = []
    for waste, index, wide in sorted(possible):
        if waste > 0 and len(covers) - len(wides) <= _MOST_GROUPS:
            break
        if joined.isdisjoint({index, index + 1}):
            joined |= {index, index + 1}
            wides.append(wide)
    return wides


def _outermost(networks: Iterable[Network]) -> list[Network]:
    """Return the networks that are in no other, sorted."""
    found: list[Network] = []
    for network in sorted(networks, key=lambda network: (network.first, -network.size)):
        if not found or not found[-1].contains(network):
            found.append(network)
    return found


def covering(family: Family, first: int, last: int, least: int = 1) -> Network:
    """Return the smallest network that holds both addresses and at least so many."""
    bits = max((first ^ last).bit_length(), (least - 1).bit_length())
    return Network(family, first >> bits << bits, WIDTH[family] - bits)


def size_words(network: Network) -> str:
    """Return how many addresses the network has, as words."""
    return counted(network.size, "address", "addresses")


def _of(family: Family, texts: Iterable[str]) -> list[str]:
    return [text for text in texts if family_of(text) == family]
