"""Change lines of the allocations file and leave every other byte: who wrote comments finds them again.

A new entry comes where its name belongs, above the comment lines that are directly above its successor and
the blank lines above those; the last one comes below comments that are indented like it. Lines of comment
stay where they are. A comment on the line of an entry goes with it, also to `removed` and back.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from flatnet.plan.allocations import Allocations, Entries, Entry
from flatnet.plan.ledger_lines import (
    KEYS,
    Edit,
    Layout,
    cluster_with,
    entry_comment,
    entry_indent,
    entry_text,
    entry_with,
    head_with,
    is_bare,
    scalar,
)


def splice(layout: Layout, before: Allocations, after: Allocations) -> list[Edit]:
    """Return the edits, by place, that make the lines of `before` those of `after`."""
    edits = [*_cluster_edits(layout, before, after)]
    for key, entries in after.sections().items():
        edits += _section_edits(key, layout, before.sections()[key], entries)
    # What comes before a line and what replaces it have the same place.
    return sorted(edits, key=lambda edit: (edit.place, edit.dropped))


def spliced(layout: Layout, edits: Sequence[Edit]) -> str:
    """Return the text with the edits made."""
    parts: list[str] = []
    place = 0
    for edit in edits:
        parts += layout.lines[place : edit.place]
        parts += edit.lines
        place = edit.place + edit.dropped
    return "\n".join(parts + layout.lines[place:])


def _cluster_edits(layout: Layout, before: Allocations, after: Allocations) -> Iterator[Edit]:
    if before.cluster == after.cluster:
        return
    known = layout.sections.get("cluster")
    if known is None:
        yield Edit(_start(layout, "cluster"), 0, [f"cluster: {scalar(after.cluster)}"])
    elif after.cluster:
        yield Edit(known.head, 1, [cluster_with(layout.lines[known.head], after.cluster)])
    else:
        yield Edit(known.head, 1, [])


def _section_edits(key: str, layout: Layout, before: Entries, after: Entries) -> Iterator[Edit]:
    different = {
        name: entry
        for name, entry in after.items()
        if (old := before.get(name)) is not entry and old != entry
    }
    gone = before.keys() - after.keys()
    if not different and not gone:
        return
    lines, section = layout.lines, layout.sections.get(key)
    added = sorted(different.keys() - before.keys())
    indent = entry_indent(lines[section.places[0]]) if section and section.places else "  "
    texts = [indent + _added_text(key, name, different[name], layout) for name in added]
    if section is None:
        yield Edit(_start(layout, key), 0, [f"{key}:", *texts])
        return
    for name in gone:
        yield Edit(section.place_of[name], 1, [])
    for name in different.keys() & before.keys():
        place = section.place_of[name]
        yield Edit(place, 1, [entry_with(lines[place], different[name])])
    head = lines[section.head]
    if not after and key == "pins" and is_bare(head):
        yield Edit(section.head, 1, [])
    elif not after or not before:
        yield Edit(section.head, 1, [head_with(head, not after)])
    # The first name that is greater is where a name belongs, however somebody ordered the others.
    greatest, end = list(accumulate(section.names, max)), section.end(lines)
    for name, text in zip(added, texts, strict=True):
        at = bisect_right(greatest, name)
        is_last = at == len(greatest)
        yield Edit(end if is_last else _before(lines, section.places[at], section.head), 0, [text])


def _added_text(key: str, name: str, entry: Entry, layout: Layout) -> str:
    """Return the line of an added node, with the comment that it had where it was before."""
    former = layout.sections.get({"nodes": "removed", "removed": "nodes"}.get(key, ""))
    place = former.place_of.get(name) if former else None
    return entry_text(name, entry) + ("" if place is None else entry_comment(layout.lines[place]))


def _above(lines: Sequence[str], place: int, head: int) -> int:
    """Return the first of the comment lines directly above a line, the line itself when there are none."""
    while place - 1 > head and lines[place - 1].lstrip(" ").startswith("#"):
        place -= 1
    return place


def _before(lines: Sequence[str], place: int, head: int) -> int:
    """Return where an entry comes that is to be before the one of that place."""
    place = _above(lines, place, head)
    while place - 1 > head and not lines[place - 1].strip(" "):
        place -= 1
    return place


def _start(layout: Layout, key: str) -> int:
    """Return where a key that is not there yet belongs: after the section before it, or before all."""
    earlier = [known for known in KEYS[: KEYS.index(key)] if known in layout.sections]
    if earlier:
        return layout.sections[earlier[-1]].end(layout.lines)
    head = min(section.head for section in layout.sections.values())
    above = _above(layout.lines, head, -1)
    # Comment lines from the first line on are about the file.
    return head if above == 0 or layout.lines[above - 1] == "---" else above
