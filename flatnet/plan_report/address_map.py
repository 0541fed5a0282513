"""The address space as a map: every range in the order of its addresses, and the used ones cell by cell."""

from dataclasses import dataclass
from typing import NamedTuple

from flatnet.plan.addresses import WIDTH, Family, Network, parse_network
from flatnet.plan_report.document import Document, family_of
from flatnet.plan_report.map_grid import draw, lay_out
from flatnet.plan_report.ranges import (
    Mark,
    Range,
    Surroundings,
    address_marks,
    address_networks,
    node_networks,
    overview,
    pool_fill,
    service_marks,
    size_words,
    static_band,
)
from flatnet.plan_report.svg import element, picture, shortened, text, title
from flatnet.plan_report.words import amount, counted

_WIDTH = 340.0
_BAR = 92.0


class Figure(NamedTuple):
    """One picture with its heading, a sentence under it, and the legend of the kinds that it shows."""

    heading: str
    words: str
    markup: str
    legend: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FamilyMap:
    """The maps of one address family."""

    family: str
    overview: str
    figures: tuple[Figure, ...]


_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_LEGENDS = {
    "pods": "a node's pods",
    "kept": "kept for a node that left",
    "first": "the Service kubernetes",
    "dns": "DNS",
    "static": "free for addresses chosen by hand",
    "unused": "never given out",
    "nodes": "a node's own address",
}


def family_maps(document: Document, surroundings: Surroundings) -> list[FamilyMap]:
    """Return the maps of each family in use, in the plan's order."""
    maps = []
    families: list[Family] = document["families"]
    for family in families:
        figures = [
            *(
                _pods(document, surroundings, parse_network(c))
                for c in document["pod_cidrs"]
                if family_of(c) == family
            ),
            *(
                _services(document, parse_network(c))
                for c in (*document["service_cidrs"], *document.get("extra_service_cidrs", ()))
                if family_of(c) == family
            ),
            *(_addresses(document, n) for n in address_networks(document, surroundings, family)),
        ]
        name = _NAMES[family]
        maps.append(
            FamilyMap(name, _overview(overview(document, surroundings, family), name), tuple(figures))
        )
    return maps


def capacity_lines(document: Document, surroundings: Surroundings) -> list[str]:
    """Return a sentence per pod network: how much of it is used, kept and free."""
    figures = [_pods(document, surroundings, parse_network(text)) for text in document["pod_cidrs"]]
    return [f"{figure.heading}: {figure.words}" for figure in figures]


def _legend(marks: list[Mark]) -> tuple[tuple[str, str], ...]:
    kinds = {mark.kind for mark in marks}
    return (*((kind, words) for kind, words in _LEGENDS.items() if kind in kinds), ("free", "free"))


def _pods(document: Document, surroundings: Surroundings, pool: Network) -> Figure:
    marks = node_networks(document, surroundings, pool)
    fill = pool_fill(document, pool, marks)
    unit = min([1 << (WIDTH[pool.family] - fill.prefix), *(mark.last - mark.first + 1 for mark in marks)])
    grid = lay_out(pool, marks, unit)
    if grid.cell > unit:
        # What is kept for nodes that left must not cost those that are there their own cells.
        grid = lay_out(pool, [mark for mark in marks if mark.kind == "pods"], unit)
    if document["backend"]["ipam"] != "plan":
        words = f"{size_words(pool)}, which {document['backend']['name']} gives to nodes as they need them."
    else:
        words = (
            f"{amount(fill.used)} of {counted(fill.every, f'/{fill.prefix} network')} used"
            + (f", {amount(fill.kept)} kept for nodes that left" if fill.kept else "")
            + f", {amount(fill.free)} free."
        )
        if grid.cell > unit:
            cells = grid.cell >> (WIDTH[pool.family] - fill.prefix)
            words += f" A cell is {counted(cells, 'network')}." if cells > 1 else ""
    noun = f"one /{WIDTH[pool.family] - grid.cell.bit_length() + 1}"
    label = f"Pod network {pool}"
    return Figure(label, words, draw(grid, marks, label, "pods", noun), _legend(marks))


def _services(document: Document, network: Network) -> Figure:
    marks = service_marks(document, network)
    band = static_band(network.size)
    near = [mark for mark in marks if mark.first < network.first + max(256, 2 * band)]
    grid = lay_out(network, near, 1, min(max(256, 2 * band), network.size))
    label = f"Service network {network}"
    words = (
        f"{size_words(network)}. Services get theirs at random from above the first {band}; "
        "those are for addresses chosen by hand."
        if band
        else f"{size_words(network)}."
    )
    return Figure(label, words, draw(grid, marks, label, "services", "one address"), _legend(marks))


def _addresses(document: Document, network: Network) -> Figure:
    marks = address_marks(document, network)
    grid = lay_out(network, marks, 1, 16)
    noun = "one address" if grid.cell == 1 else f"{amount(grid.cell)} addresses"
    label = f"Node addresses in {network}"
    count = counted(len(marks), "node address", "node addresses")
    words = f"{count}. What else is there is not known to the plan."
    legend = (*_legend(marks)[:-1], ("free", "not a node"))
    return Figure(label, words, draw(grid, marks, label, "nodes", noun), legend)


def _overview(entries: list[Range], family: str) -> str:
    """Return all ranges as a memory map: low addresses above, heights by number of bits, gaps as they fit."""
    parts = []
    y = 4.0
    before: Range | None = None
    for entry in entries:
        network = entry.network
        space = network.first - before.network.last - 1 if before else 0
        if space > 0:
            parts.append(element("path", d=f"M{_BAR / 2:.1f} {y + 3:.1f}V{y + 21:.1f}", class_="gap"))
            parts.append(text(_BAR + 14, y + 16, f"{counted(space, 'address', 'addresses')} between", "note"))
            y += 24
        height = 50 + 44 * (WIDTH[network.family] - network.prefix) / WIDTH[network.family]
        last = network.nth_address(network.size - 1)
        parts.append(
            element(
                "g",
                title(f"{entry.label} {network}, up to {last}: {size_words(network)}, {entry.detail}"),
                element("rect", x=2, y=y, width=_BAR - 4, height=height, rx=4, class_=f"k-{entry.kind}"),
                text(_BAR / 2, y + height / 2 + 4, entry.label, "name", text_anchor="middle"),
                text(
                    _BAR + 14,
                    y + height / 2 - 9,
                    shortened(str(network), _WIDTH - _BAR - 16, 13, mono=True),
                    "net",
                ),
                text(_BAR + 14, y + height / 2 + 7, size_words(network), "note"),
                text(_BAR + 14, y + height / 2 + 22, entry.detail, "note"),
                class_=f"k-{entry.kind} entry",
            )
        )
        y += height + 4
        before = entry
    return picture(
        _WIDTH, y + 2, f"{family}: every range of the plan, low addresses first", parts, "overview"
    )
