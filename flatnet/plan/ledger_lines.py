"""The allocations file line by line: one node a line, comments and blank lines wherever somebody put them.

A file of that shape is read a hundred times faster than by a parser of YAML, and its lines are known, so that
a change is a change of lines. What is of another shape is left to the parser.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from flatnet.plan.allocations import Entry

KEYS = ("cluster", "nodes", "pins", "removed")
"""The keys of the file, in the order in which they are written."""
FOOTER = "..."

# What other readers of YAML would not take for text, and would so be written with quotes.
_WORDS = frozenset({"n", "no", "null", "off", "on", "true", "false", "y", "yes"})
_INDENT = "  "
# A line as it is written.
_NAME = r"(?:([a-z][-a-z0-9.]*)|'([a-z0-9][-a-z0-9.]*)')"
_NETWORKS = r"(?:([0-9./]+)(?:, '([0-9a-f:/]+)')?|'([0-9a-f:/]+)')?"
_WRITTEN = re.compile(rf"  {_NAME}: \[{_NETWORKS}\]")
# A line as somebody may have written it. A comment holds what YAML calls printable and takes for no line end.
_COMMENT = r"#[\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
_REST = rf"(?P<rest> *(?: {_COMMENT})?)"
_QUOTED_NAME = r"(?P<quote>['\"]?)(?P<name>[a-z0-9][-a-z0-9.]{0,252})(?P=quote)"
_ITEM = r"(?:[0-9./]+|'[0-9a-f.:/]+'|\"[0-9a-f.:/]+\")"
_ENTRY = re.compile(
    rf"(?P<indent> +){_QUOTED_NAME}: +\[(?P<items> *(?:{_ITEM}(?: *, *{_ITEM})* *)?)\]{_REST}"
)
_HEAD = re.compile(rf"(?P<key>nodes|pins|removed):(?P<empty> +\{{\}})?{_REST}")
_CLUSTER = re.compile(
    rf"cluster: +(?P<value>(?P<quote>['\"]?)[A-Za-z0-9][-A-Za-z0-9_.]{{0,62}}(?P=quote)){_REST}"
)
_NOTHING = re.compile(rf" *(?:{_COMMENT})?")


class Edit(NamedTuple):
    """So many lines from `place` on (the first line is 0) give way to others; none: others come before it."""

    place: int
    dropped: int
    lines: Sequence[str]


@dataclass
class Section:
    """Where a key is, and the names below it with their lines, in the order of the file."""

    head: int
    names: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    @cached_property
    def place_of(self) -> dict[str, int]:
        """The line of each name. Not asked for before the whole file is read."""
        return dict(zip(self.names, self.places, strict=True))

    def end(self, lines: Sequence[str]) -> int:
        """Return the line after the last entry of the section, or after indented comments below it."""
        end = place = (self.places[-1] if self.places else self.head) + 1
        while place < len(lines) and _NOTHING.fullmatch(lines[place]):
            place += 1
            if lines[place - 1].lstrip(" ").startswith("#") and lines[place - 1].startswith(" "):
                end = place
        return end


class Layout(NamedTuple):
    """The lines of a file, without their ends, and where its keys are."""

    lines: list[str]
    sections: dict[str, Section]


def read_lines(text: str) -> tuple[dict[str, Any], Layout] | None:
    """Return the file's data, as a parser of YAML would, and its lines; None for a text of another shape."""
    reader = _Reader(text)
    return (reader.data, Layout(reader.lines, reader.sections)) if reader.read() and reader.data else None


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.data: dict[str, Any] = {}
        self.sections: dict[str, Section] = {}
        self._entries: dict[str, list[str]] | None = None
        """What entries go to; None where there can be none."""
        self._section = Section(0)
        self._indent = ""
        """The spaces before the names of the section; empty before its first."""
        self._marks: list[str] = []

    def read(self) -> bool:
        """Read all lines; False when one is of another shape."""
        written, entries = _WRITTEN.fullmatch, None
        for place, line in enumerate(self.lines):
            found = written(line)
            if found is None:
                if not self._read_loosely(place, line):
                    return False
                # Nearly all lines are as they are written, and worth their own way below.
                section, entries = self._section, self._entries
                is_indented = self._indent in ("", _INDENT)
                continue
            plain, quoted, *networks = found.groups()
            name = plain or quoted
            if entries is None or name in entries or not is_indented:
                return False
            self._indent = _INDENT
            entries[name] = [text for text in networks if text]
            section.names.append(name)
            section.places.append(place)
        return True

    def _add(self, place: int, indent: str, name: str, cidrs: list[str]) -> bool:
        entries = self._entries
        if entries is None or name in entries or indent != (self._indent or indent):
            return False
        self._indent = indent
        entries[name] = cidrs
        self._section.names.append(name)
        self._section.places.append(place)
        return True

    def _read_loosely(self, place: int, line: str) -> bool:
        if _NOTHING.fullmatch(line):
            return True
        if found := _ENTRY.fullmatch(line):
            cidrs = [text for item in found["items"].split(",") if (text := item.strip(" '\""))]
            return self._add(place, found["indent"], found["name"], cidrs)
        self._entries = None
        if line in ("---", FOOTER):
            # The first mark is before everything, the second after it; there can be either alone.
            is_right = FOOTER not in self._marks and (line == FOOTER or not (self._marks or self.data))
            self._marks.append(line)
            return is_right
        return FOOTER not in self._marks and self._read_key(place, line)

    def _read_key(self, place: int, line: str) -> bool:
        if found := _CLUSTER.fullmatch(line):
            key = "cluster"
            self.data[key] = found["value"].strip("'\"")
        elif found := _HEAD.fullmatch(line):
            key = found["key"]
            entries: dict[str, list[str]] = {}
            self.data[key] = entries
            self._entries = None if found["empty"] else entries
        else:
            return False
        is_new = key not in self.sections
        self._section = self.sections[key] = Section(place)
        self._indent = ""
        return is_new


def entry_text(name: str, entry: Entry) -> str:
    """Return the line of a node as it is written, without the spaces before it."""
    return f"{scalar(name)}: [{networks_text(entry)}]"


def networks_text(entry: Entry) -> str:
    """Return what is between the brackets."""
    networks = []
    if (network := entry.get("ipv4")) is not None:
        networks.append(str(network))
    if (network := entry.get("ipv6")) is not None:
        networks.append(f"'{network}'")
    return ", ".join(networks)


def scalar(name: str) -> str:
    """Return the text for YAML; names hold nothing that would have to be escaped between quotes."""
    return name if name[0].isalpha() and name.lower() not in _WORDS else f"'{name}'"


def entry_with(line: str, entry: Entry) -> str:
    """Return the line of a node with other networks, and all else as it is."""
    start, end = _match(_ENTRY, line).span("items")
    return line[:start] + networks_text(entry) + line[end:]


def entry_comment(line: str) -> str:
    """Return the comment at the end of a node's line, with the space before it; empty for none."""
    return _match(_ENTRY, line)["rest"].rstrip()


def entry_indent(line: str) -> str:
    """Return the spaces before a node's name."""
    return _match(_ENTRY, line)["indent"]


def head_with(line: str, is_empty: bool) -> str:
    """Return the line of a section's key for a section without or with entries."""
    found = _match(_HEAD, line)
    return f"{found['key']}:{' {}' if is_empty else ''}{found['rest']}"


def is_bare(head: str) -> bool:
    """Tell whether the line of a section's key has no comment."""
    return not _match(_HEAD, head)["rest"].strip()


def cluster_with(line: str, name: str) -> str:
    """Return the line of the cluster with another name."""
    start, end = _match(_CLUSTER, line).span("value")
    return line[:start] + scalar(name) + line[end:]


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} was read as another line")
    return found
