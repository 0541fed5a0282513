"""Write docs/contract.md: every key of a contract, from its one definition in flatnet/contract/schema.py.

Run `python -m tests.docs.contract`; with `--check` it says whether the page is up to date.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flatnet.contract.kinds import (
    ALL_KINDS,
    Choice,
    Either,
    Flag,
    Key,
    Kind,
    ListOf,
    MapOf,
    OneOrMore,
    Record,
    Text,
    Whole,
    keys_of,
)
from flatnet.contract.schema import CARRIES, NODE_LINKS, SOURCES, Terms
from flatnet.errors import FlatnetError
from tests.docs.generated_page import run

TARGET = Path("docs/contract.md")
_INTRODUCTION = """\
# Contracts

Written by `python -m tests.docs.contract`.

A contract is what a role declares about what it needs of a host and what it makes there: `meta/contract.yml`
of the role, one mapping. Every role on `roles_path` that has one is read, in this repository or outside of
it, and a key that does not exist is refused with the nearest one that does.

- `kind` is `backend` (role `cni_<name>`), `policy_engine` (role `policy_<name>`) or `component` (role
  `<name>`); `name` is that name.
- `modes`, where there is a choice, is a mapping from a mode's name to what differs in it; the first is the
  default. Everything below may stand in a mode. What is a list or a mapping of `needs` and `makes`, and
  `ports`, `units` and `identities`, is added to what stands at the top; `overhead` and `check` are replaced
  key by key, the rest as a whole.
- Names of what is made may be patterns (`*`, `?`, `[...]`) with a beginning of their own: by them a later run
  recognises what is there, and a reset removes it.
"""


def page(_before: str, _root: Path) -> str:
    """Return the page about all keys."""
    lines = [
        _INTRODUCTION,
        "| key | of | value | default | meaning |",
        "| --- | --- | --- | --- | --- |",
        *(_row(path, key) for path, key in _keys(keys_of(Terms), "")),
        "",
        "## What an interface carries",
        "",
        "| `carries` | meaning |",
        "| --- | --- |",
        *(f"| `{name}` | {words} |" for name, words in CARRIES.items()),
        "",
        "## What it means that two nodes are on one link",
        "",
        "| `node_links` | meaning |",
        "| --- | --- |",
        *(f"| `{name}` | {words} |" for name, words in NODE_LINKS.items()),
        "",
        "## Source addresses that a receiver sees",
        "",
        "| `check` | meaning |",
        "| --- | --- |",
        *(f"| `{name}` | {source.words} |" for name, source in SOURCES.items()),
        "| `device:NAME` | the address of that device on the node |",
    ]
    return "\n".join(lines) + "\n"


def _keys(keys: Mapping[str, Key], before: str) -> Iterator[tuple[str, Key]]:
    """Yield the path of each key with the key, those inside of records after their record."""
    for name, key in keys.items():
        path = f"{before}{name}"
        inner = key.kind
        if isinstance(inner, ListOf | MapOf) and isinstance(inner.item, Record):
            path += "[]" if isinstance(inner, ListOf) else ".*"
            inner = inner.item
        yield path, key
        if isinstance(inner, Record):
            yield from _keys(inner.keys(), f"{path}.")


def _row(path: str, key: Key) -> str:
    of = "all" if key.of == ALL_KINDS else ", ".join(sorted(kind.replace("_", " ") for kind in key.of))
    if key.default is None:
        default = "optional"
    elif isinstance(key.default, str | bool | list | dict):
        default = f"`{key.default if isinstance(key.default, str) else json.dumps(key.default)}`"
    else:
        default = "required"
    about = key.about if key.about.endswith(".") else f"{key.about}."
    cells = [f"`{path}`", of if "." not in path else "", _words(key.kind), default, about]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _words(kind: Kind) -> str:
    """Return what a value of the kind is."""
    match kind:
        case Text():
            return kind.words
        case Flag():
            return "true or false"
        case Whole():
            return f"{kind.words} from {kind.least} to {kind.most}"
        case Choice():
            return " or ".join(f"`{word}`" for word in kind.words)
        case Either():
            return _words(kind.second) if kind.second else _words(kind.first)
        case ListOf():
            return "list of mappings" if isinstance(kind.item, Record) else f"list: {_words(kind.item)}"
        case OneOrMore():
            return f"{_words(kind.item)}, or a list"
        case MapOf():
            names = f" with the keys {', '.join(kind.names)}" if kind.names else ""
            inside = "" if isinstance(kind.item, Record) else f", each a {_words(kind.item)}"
            return f"mapping{names}{inside}"
        case Record():
            return "mapping"
    raise FlatnetError(f"{kind} has no words; add them to tests/docs/contract.py")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with --check say whether it is up to date. Returns the exit status."""
    return run("tests.docs.contract", __doc__, TARGET, page, arguments)


if __name__ == "__main__":
    sys.exit(main())
