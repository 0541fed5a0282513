"""A change of the allocations file as a unified diff, whose length is that of the change.

Comparing two texts of a hundred thousand lines takes seconds; which lines were edited is known.
"""

import difflib
from collections.abc import Iterator, Sequence

from flatnet.plan.ledger_lines import Edit

_CONTEXT = 3


def edits_diff(lines: Sequence[str], edits: Sequence[Edit], path: str) -> str:
    """Return the unified diff of the edits, which are by place; empty without any."""
    whole = lines[:-1] if lines and not lines[-1] else lines
    parts = [f"--- before: {path}", f"+++ after: {path}"] if edits else []
    grown = 0
    for group in _groups(edits):
        start = max(group[0].place - _CONTEXT, 0)
        end = min(group[-1].place + group[-1].dropped + _CONTEXT, len(whole))
        body: list[str] = []
        place = start
        for edit in group:
            body += [f" {line}" for line in whole[place : edit.place]]
            body += [f"-{line}" for line in whole[edit.place : edit.place + edit.dropped]]
            body += [f"+{line}" for line in edit.lines]
            place = edit.place + edit.dropped
        body += [f" {line}" for line in whole[place:end]]
        more = sum(len(edit.lines) - edit.dropped for edit in group)
        before, after = _range(start, end - start), _range(start + grown, end - start + more)
        parts += [f"@@ -{before} +{after} @@", *body]
        grown += more
    return "".join(f"{part}\n" for part in parts)


def text_diff(before: str, after: str, path: str) -> str:
    """Return the unified diff of two texts that may have any lines."""
    one, other = before.splitlines(), after.splitlines()
    found = difflib.unified_diff(one, other, f"before: {path}", f"after: {path}", n=_CONTEXT, lineterm="")
    return "".join(f"{line}\n" for line in found)


def _groups(edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    """Yield runs of edits that share context."""
    group: list[Edit] = []
    for edit in edits:
        if group and edit.place - (group[-1].place + group[-1].dropped) > 2 * _CONTEXT:
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _range(start: int, length: int) -> str:
    """Return a range as `diff -u` writes it: lines count from 1, and an empty range names the line before."""
    return f"{start + 1}" if length == 1 else f"{start + 1 if length else start},{length}"
