"""One network as a map: a strip of the whole, and below it the part that is used, cell by cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flatnet.plan.addresses import WIDTH, Network, address_text
from flatnet.plan_report.ranges import Mark, covering
from flatnet.plan_report.svg import element, picture, shortened, text, title
from flatnet.plan_report.words import amount, counted, listed

_MOST_CELLS = 1024
_LEAST_CELLS = 8

_WIDTH = 760.0
_GUTTER = 128.0
_STRIP = 26.0
_LENS = 34.0
_ROWS = {4: 52.0, 8: 34.0, 32: 22.0, 64: 16.0}


class Run(NamedTuple):
    """Cells of one row that show the same: the first cell, how many, how full each is (0 to 1)."""

    cell: int
    cells: int
    share: float
    mark: Mark


@dataclass(frozen=True)
class Grid:
    """Which part of the network is drawn, and how: `cell` addresses to a cell, `columns` cells to a row."""

    whole: Network
    shown: Network
    cell: int
    columns: int

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.shown.size // self.cell

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return -(-self.cells // self.columns)


def lay_out(whole: Network, marks: Sequence[Mark], unit: int, least: int = _LEAST_CELLS) -> Grid:
    """Return the grid: the smallest part that holds every mark and so many cells of `unit` addresses.

    Where that is more than 1,024 cells, each stands for more addresses.
    """
    first = min((mark.first for mark in marks), default=whole.first)
    last = max((mark.last for mark in marks), default=whole.first)
    shown = covering(whole.family, first, last, unit * least)
    if shown.size > whole.size:
        shown = whole
    cell = min(unit, shown.size)
    while shown.size // cell > _MOST_CELLS:
        cell *= 2
    cells = shown.size // cell
    columns = 4 if cells <= 16 else 8 if cells <= 64 else 32 if cells <= 256 else 64
    return Grid(whole, shown, cell, min(columns, cells))


def runs(grid: Grid, marks: Sequence[Mark]) -> Iterator[Run]:
    """Yield what to draw, row by row; marks smaller than a cell share it. Marks must not overlap."""
    shared: dict[int, list[Mark]] = {}
    for mark in marks:
        start, end = max(mark.first, grid.shown.first), min(mark.last, grid.shown.last)
        if start > end:
            continue
        low, high = (start - grid.shown.first) // grid.cell, (end - grid.shown.first) // grid.cell
        if mark.last - mark.first + 1 < grid.cell:
            for cell in range(low, high + 1):
                shared.setdefault(cell, []).append(mark)
            continue
        while low <= high:
            row_end = min(high, low // grid.columns * grid.columns + grid.columns - 1)
            yield Run(low, row_end - low + 1, 1.0, mark)
            low = row_end + 1
    for cell, several in sorted(shared.items()):
        used = sum(mark.last - mark.first + 1 for mark in several)
        kinds = {mark.kind for mark in several}
        begin = grid.shown.first + cell * grid.cell
        network = Network(grid.shown.family, begin, WIDTH[grid.shown.family] - grid.cell.bit_length() + 1)
        owners = listed((mark.host or mark.label for mark in several), 3)
        detail = f"{network}: {len(several)} of {owners}" if len(several) > 1 else several[0].detail
        kind = kinds.pop() if len(kinds) == 1 else "pods"
        yield Run(cell, 1, used / grid.cell, Mark(begin, begin, kind, "", detail, several[0].host))


def draw(grid: Grid, marks: Sequence[Mark], label: str, kind: str, noun: str) -> str:
    """Return the map as svg. `kind` is the colour of the strip's ground, `noun` what one cell is."""
    zoomed = grid.shown != grid.whole
    top = _STRIP + _LENS if zoomed else 0.0
    width = (_WIDTH - _GUTTER) / grid.columns
    height = _ROWS.get(grid.columns, 52.0)
    parts = [*_strip(grid, marks, label, kind)] if zoomed else []
    bottom = top + grid.rows * height
    free = f"{grid.shown}: what is not marked is free; a cell is {noun}"
    parts.append(
        element(
            "g",
            title(free),
            element("rect", x=_GUTTER, y=top, width=_WIDTH - _GUTTER, height=bottom - top, class_="free"),
            element("path", d=_lines(grid, top, width, height), class_="lines"),
        )
    )
    for row in range(grid.rows):
        begin = address_text(grid.shown.family, grid.shown.first + row * grid.columns * grid.cell)
        y = top + row * height + height / 2 + 3.5
        parts.append(
            text(_GUTTER - 8, y, shortened(begin, _GUTTER - 10, 11, mono=True), "row", text_anchor="end")
        )
    cells = [_cell(grid, run, top, width, height) for run in runs(grid, marks)]
    parts.append(element("g", *cells, role="listbox", aria_label=f"{label}: what is used", class_="cells"))
    return picture(_WIDTH, bottom + 1, label, parts, "map")


def _lines(grid: Grid, top: float, width: float, height: float) -> str:
    """Return the lines between the cells as one path."""
    right, bottom = _WIDTH, top + grid.rows * height
    across = [f"M{_GUTTER:.1f} {top + row * height:.1f}H{right:.1f}" for row in range(grid.rows + 1)]
    down = [f"M{_GUTTER + column * width:.1f} {top:.1f}V{bottom:.1f}" for column in range(grid.columns + 1)]
    return "".join([*across, *down])


def _cell(grid: Grid, run: Run, top: float, width: float, height: float) -> str:
    row, column = divmod(run.cell, grid.columns)
    x, y, wide = _GUTTER + column * width, top + row * height, run.cells * width
    gap = 0.5 if width < 12 else 1.0
    parts = [
        title(run.mark.detail),
        element(
            "rect",
            x=x + gap,
            y=y + gap,
            width=wide - 2 * gap,
            height=height - 2 * gap,
            # A cell that is hardly used must still be seen.
            fill_opacity=None if run.share >= 1 else round(0.25 + 0.75 * run.share, 2),
        ),
    ]
    if run.share >= 1 and wide >= 36 and run.mark.label:
        middle = x + wide / 2
        named = shortened(run.mark.label, wide - 10, 12)
        second = run.mark.detail.partition(": ")[0] if wide >= 110 and height > 40 else ""
        parts.append(
            text(middle, y + height / 2 + (-3 if second else 4), named, "name", text_anchor="middle")
        )
        if second:
            small = shortened(second, wide - 10, 11, mono=True)
            parts.append(text(middle, y + height / 2 + 14, small, "cidr", text_anchor="middle"))
    attributes: dict[str, str] = {"class_": f"cell k-{run.mark.kind}", "role": "option"}
    if run.mark.host:
        attributes["data_host"] = run.mark.host
    return element("g", *parts, **attributes)


def _strip(grid: Grid, marks: Sequence[Mark], label: str, kind: str) -> list[str]:
    """Return the whole network to scale, with a lens from its used part to the grid."""
    whole, shown = grid.whole, grid.shown
    scale = (_WIDTH - _GUTTER) / whole.size
    parts = [
        text(
            _GUTTER - 8,
            _STRIP / 2 + 4,
            shortened(str(whole), _GUTTER - 10, 11, mono=True),
            "row",
            text_anchor="end",
        ),
        element(
            "g",
            title(f"{whole}: {counted(whole.size, 'address', 'addresses')}, {label}"),
            element(
                "rect", x=_GUTTER, y=0.5, width=_WIDTH - _GUTTER, height=_STRIP - 1, class_=f"ground g-{kind}"
            ),
        ),
    ]
    for start, end, mark_kind in _segments(whole, marks, scale):
        parts.append(
            element(
                "rect",
                x=_GUTTER + start,
                y=1.5,
                width=end - start,
                height=_STRIP - 3,
                class_=f"k-{mark_kind}",
            )
        )
    left = _GUTTER + (shown.first - whole.first) * scale
    right = max(left + 6, left + shown.size * scale)
    bottom = _STRIP + _LENS
    lens = f"M{left:.1f} {_STRIP:.1f}L{_GUTTER:.1f} {bottom:.1f}H{_WIDTH:.1f}L{right:.1f} {_STRIP:.1f}Z"
    parts.append(element("path", d=lens, class_="lens"))
    parts.append(element("rect", x=left, y=0.5, width=right - left, height=_STRIP - 1, class_="lens-frame"))
    part = f"{shown}, {amount(whole.size // shown.size)} times enlarged"
    parts.append(text(_WIDTH - 8, _STRIP + 21, part, "note", text_anchor="end"))
    return parts


def _segments(whole: Network, marks: Sequence[Mark], scale: float) -> list[tuple[float, float, str]]:
    """Return (start, end, kind) in pixels: neighbours of a kind joined, nothing thinner than 2 pixels."""
    found: list[tuple[float, float, str]] = []
    for mark in marks:
        start = (mark.first - whole.first) * scale
        end = max(start + 2, (mark.last + 1 - whole.first) * scale)
        if found and found[-1][2] == mark.kind and start - found[-1][1] < 0.5:
            found[-1] = (found[-1][0], max(end, found[-1][1]), mark.kind)
        else:
            found.append((start, end, mark.kind))
    return found
