"""The text of the allocations file: sorted, one node a line, the same bytes for the same content."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from flatnet.errors import FlatnetError
from flatnet.plan.allocations import Allocations, Entries

HEADER = """---
# Which node has which pod network. Written when the network is planned; keep it under version control.
# An entry never moves. Entries of nodes that left stay under `removed`, so that a node that returns finds
# its old network; delete one there to free its network. The dots at the end tell that the file is whole.
"""
# What begins like that was written as a whole, and is not whole any more when it ends differently.
_FOOTER = "...\n"
_ADVICE = "restore it from version control, or put it right by hand"

# What other readers of YAML would not take for text, and would so be written with quotes.
_WORDS = frozenset({"n", "no", "null", "off", "on", "true", "false", "y", "yes"})
# A line as it is written; anything else is for the parser of YAML, which is a hundred times slower.
_NAME = r"(?:([a-z][-a-z0-9.]*)|'([a-z0-9][-a-z0-9.]*)')"
_NETWORKS = r"(?:([0-9./]+)(?:, '([0-9a-f:/]+)')?|'([0-9a-f:/]+)')?"
_LINE = re.compile(rf"  {_NAME}: \[{_NETWORKS}\]")


def ledger_text(allocations: Allocations) -> str:
    """Return the file's text."""
    parts = [HEADER]
    if allocations.cluster:
        parts.append(f"cluster: {_scalar(allocations.cluster)}\n")
    for key, entries in (
        ("nodes", allocations.nodes),
        ("pins", allocations.pins),
        ("removed", allocations.removed),
    ):
        if entries:
            parts.append(f"{key}:\n")
            parts += _lines(entries)
        elif key != "pins":
            parts.append(f"{key}: {{}}\n")
    parts.append(_FOOTER)
    return "".join(parts)


def _lines(entries: Entries) -> list[str]:
    lines = []
    for name, entry in sorted(entries.items()):
        networks = []
        if (network := entry.get("ipv4")) is not None:
            networks.append(str(network))
        if (network := entry.get("ipv6")) is not None:
            networks.append(f"'{network}'")
        lines.append(f"  {_scalar(name)}: [{', '.join(networks)}]\n")
    return lines


def _scalar(name: str) -> str:
    """Return the text for YAML; names hold nothing that would have to be escaped between quotes."""
    return name if name[0].isalpha() and name.lower() not in _WORDS else f"'{name}'"


def parse_ledger(text: str, name: str = "network_allocations.yml") -> Allocations:
    """Return the allocations in the file's text. Raises only FlatnetError, for any other text.

    A text without content is refused, too: it is what an interrupted copy leaves, and would move every node.
    """
    if not text.strip() or (text != "---\n" and HEADER.startswith(text)):
        raise FlatnetError(f"the allocations file {name} is empty; {_ADVICE}, or delete it to start without")
    if text.startswith(HEADER) and not text.rstrip().endswith(f"\n{_FOOTER.rstrip()}"):
        raise FlatnetError(
            f"the allocations file {name} is cut off: its last line is not {_FOOTER.rstrip()}; {_ADVICE}"
        )
    data = _read_written(text)
    if data is None:
        try:
            loader = _TextLoader(text)
            try:
                data = loader.get_single_data()
            finally:
                loader.dispose()
        except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise FlatnetError(f"the allocations file {name} cannot be read: {error}; {_ADVICE}") from None
    if data is None or data == "":
        raise FlatnetError(f"the allocations file {name} is empty; {_ADVICE}, or delete it to start without")
    try:
        return Allocations.from_mapping(data)
    except FlatnetError as error:
        raise FlatnetError(f"the allocations file {name} is wrong: {error}\n{_ADVICE}") from None


def _read_written(text: str) -> dict[str, Any] | None:
    """Return the data of a file as ledger_text writes it, None for any other text."""
    if not text.startswith(HEADER) or not text.endswith(f"\n{_FOOTER}"):
        return None
    data: dict[str, Any] = {}
    section: dict[str, list[str]] | None = None
    begun: list[dict[str, list[str]]] = []
    match = _LINE.fullmatch
    for line in text[len(HEADER) : -len(_FOOTER) - 1].split("\n"):
        found = match(line)
        if found is None:
            key, colon, value = line.partition(":")
            if not colon or key in data or key not in ("cluster", "nodes", "pins", "removed"):
                return None
            section = None
            if key == "cluster" and value[:1] == " " and _CLUSTER.fullmatch(value[1:]):
                data[key] = value[1:].strip("'")
            elif key != "cluster" and value == " {}":
                data[key] = {}
            elif key != "cluster" and value == "":
                data[key] = section = {}
                begun.append(section)
            else:
                return None
            continue
        plain, quoted, *networks = found.groups()
        node = plain or quoted
        if section is None or node in section:
            return None
        section[node] = [text for text in networks if text]
    # A section with nothing in it is not written like that.
    return data if all(begun) else None


_CLUSTER = re.compile(r"[A-Za-z][-A-Za-z0-9_.]*|'[A-Za-z0-9][-A-Za-z0-9_.]*'", re.ASCII)


class _TextLoader(yaml.SafeLoader):
    """Reads every scalar as text (a node may be called `on` or `1e3`) and refuses a key that occurs twice.

    Twice is what a careless merge of two branches leaves; plain YAML would silently drop one of the nodes.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
        if twice:
            raise yaml.YAMLError(f"{', '.join(twice)} is there twice")
        return super().construct_mapping(node, deep=deep)


# Without resolvers every plain scalar is text.
_TextLoader.yaml_implicit_resolvers = {}
