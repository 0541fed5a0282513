"""The text of the allocations file: sorted, one node a line, the same bytes for the same content."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from flatnet.errors import FlatnetError
from flatnet.plan.allocations import Allocations
from flatnet.plan.garbage_collection import without_garbage_collection
from flatnet.plan.ledger_lines import FOOTER, Layout, entry_text, read_lines, scalar

HEADER = """---
# Which node has which pod network. Written when the network is planned; keep it under version control.
# An entry never moves. Entries of nodes that left stay under `removed`, so that a node that returns finds
# its old network; delete one there to free its network. Comments of yours stay.
# The dots at the end tell that the file is whole.
"""
# A file with these words was written as a whole, and is not whole any more without its last line.
_PROMISE = "The dots at the end tell that the file is whole."
_WHOLE = re.compile(r"\n\.\.\.[ \t\r]*(?:\n[ \t\r]*(?:#.*)?)*\Z")
_ADVICE = "restore it from version control, or correct it by hand"


def ledger_text(allocations: Allocations) -> str:
    """Return the file's text."""
    parts = [HEADER]
    if allocations.cluster:
        parts.append(f"cluster: {scalar(allocations.cluster)}\n")
    for key, entries in allocations.sections().items():
        if entries:
            parts.append(f"{key}:\n")
            parts += [f"  {entry_text(name, entry)}\n" for name, entry in sorted(entries.items())]
        elif key != "pins":
            parts.append(f"{key}: {{}}\n")
    parts.append(f"{FOOTER}\n")
    return "".join(parts)


def parse_ledger(text: str, name: str = "network_allocations.yml") -> Allocations:
    """Return the allocations in the file's text. Raises only FlatnetError, for any other text.

    A text without content is refused, too: it is what an interrupted copy leaves, and would move every node.
    """
    return read_ledger(text, name)[0]


def read_ledger(text: str, name: str) -> tuple[Allocations, Layout | None]:
    """Return what parse_ledger returns, and the lines where one node is one line. Raises as that does."""
    if not text.strip() or (text != "---\n" and HEADER.startswith(text)):
        raise FlatnetError(f"the allocations file {name} is empty; {_ADVICE}, or delete it to start without")
    if _PROMISE in text and not _WHOLE.search(text):
        raise FlatnetError(
            f"the allocations file {name} is cut off: its last line is not {FOOTER}; {_ADVICE}"
        )
    with without_garbage_collection():
        found = read_lines(text)
        data, layout = found or (_parsed(text, name), None)
        try:
            return Allocations.from_mapping(data), layout
        except FlatnetError as error:
            raise FlatnetError(f"the allocations file {name} is wrong: {error}\n{_ADVICE}") from None


def _parsed(text: str, name: str) -> object:
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
    return data


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
