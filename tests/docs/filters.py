"""Write docs/filters.md from the documentation beside each filter.

Run `python -m tests.docs.filters`; with `--check` it says whether the page is up to date.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from flatnet.errors import FlatnetError
from tests.docs.generated_page import ROOT, run

TARGET = Path("docs/filters.md")
# Where filters are: (heading, pattern of their documentation).
_PLACES = (("Filters", "filter_plugins/*.yml"), ("Filters inside roles", "roles/*/filter_plugins/*.yml"))

_HEADER = """<!-- Written by `python -m tests.docs.filters` from the files beside the filters. -->
# Filters

Pure functions on plain data; none reads a file or a host. `ansible-doc -t filter NAME` shows one of them.
The examples of the first part are tests.
"""
_INSIDE = """
They serve their role alone and may change with it.
"""
# Ansible's semantic markup: C(code), I(italic), O(option), V(value) and so on.
_MARKUP = re.compile(r"\b(?:[CIOVEP]|RV)\(((?:[^()\\]|\\.)*)\)")


class Example(NamedTuple):
    """One example: an expression with its result or error, or a task as YAML."""

    expression: str
    result: str = ""
    error: str = ""
    task: str = ""


def filters_markdown(root: Path = ROOT) -> str:
    """Return the page about every filter below the root. Raises FlatnetError for unusable documentation."""
    parts = [_HEADER]
    places = [
        (heading, [_sidecar(path) for path in sorted(root.glob(pattern))]) for heading, pattern in _PLACES
    ]
    index = [item for _, found in places for item in found]
    parts.append("\n| Filter | Result |\n| --- | --- |\n")
    for item in index:
        name = item["DOCUMENTATION"]["name"]
        parts.append(f"| [`{name}`](#{name}) | {_words(item['DOCUMENTATION']['short_description'])} |\n")
    for position, (heading, found) in enumerate(places):
        if position and found:
            parts.append(f"\n# {heading}\n{_INSIDE}")
        parts += [_filter(item) for item in found]
    return "".join(parts)


def _sidecar(path: Path) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        missing = [key for key in ("DOCUMENTATION", "EXAMPLES", "RETURN") if key not in data]
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise FlatnetError(f"the documentation {path} cannot be read: {error}; correct the file") from error
    if missing:
        raise FlatnetError(f"the documentation {path} lacks {', '.join(missing)}; add it")
    found: Mapping[str, Any] = data
    return found


def _words(text: str) -> str:
    """Return Ansible's markup as Markdown, on one line."""
    return _MARKUP.sub(r"`\1`", " ".join(text.split())).replace("|", "\\|")


def _sentences(text: str | Sequence[str]) -> str:
    return " ".join(map(_words, [text] if isinstance(text, str) else text))


def _filter(item: Mapping[str, Any]) -> str:
    documentation = item["DOCUMENTATION"]
    name = documentation["name"]
    value = item["RETURN"]["_value"]
    kind = _type(value)
    lines = [
        f"\n## {name}\n",
        _sentences(documentation["description"]),
        f"\n```jinja\n{_signature(documentation)}\n```\n",
        "| Argument | Type | Default | Meaning |",
        "| --- | --- | --- | --- |",
        *(_option(key, option) for key, option in documentation["options"].items()),
        f"\nReturns ({kind}): {_words(value['description'])}",
        *(_example(example) for example in examples(item["EXAMPLES"])),
    ]
    return "\n".join(lines) + "\n"


def _signature(documentation: Mapping[str, Any]) -> str:
    names = [key for key in documentation["options"] if key != "_input"]
    required = {key for key, option in documentation["options"].items() if option.get("required")}
    shown = [key if key in required else f"[{key}]" for key in names]
    return f"input | {documentation['name']}{'(' + ', '.join(shown) + ')' if shown else ''}"


def _type(option: Mapping[str, Any]) -> str:
    elements = f" of {option['elements']}" if "elements" in option else ""
    return f"{option['type']}{elements}"


def _option(key: str, option: Mapping[str, Any]) -> str:
    default = "required" if option.get("required") else "none"
    if "default" in option:
        default = f"`{json.dumps(option['default'])}`"
    name = "input" if key == "_input" else f"`{key}`"
    return f"| {name} | {_type(option)} | {default} | {_sentences(option['description'])} |"


def examples(text: str) -> list[Example]:
    """Return the examples: a table of expression and result or error, comments `# => result`, or tasks."""
    comments = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    if any(line.startswith("=> ") for line in comments):
        pairs = zip(comments[::2], comments[1::2], strict=True)
        return [Example(one, two.removeprefix("=> ")) for one, two in pairs]
    return [_read_example(item) for item in yaml.safe_load(text)]


def _read_example(item: Mapping[str, Any]) -> Example:
    if "expression" not in item:
        return Example("", task=yaml.safe_dump([item], sort_keys=False, width=120).strip())
    expression = " ".join(str(item["expression"]).split())
    if "error" in item:
        return Example(expression, error=str(item["error"]).strip())
    return Example(expression, json.dumps(item["result"], ensure_ascii=False))


def _example(example: Example) -> str:
    if example.task:
        return f"\n```yaml\n{example.task}\n```"
    lines = [f"{{{{ {example.expression} }}}}"]
    if example.error:
        lines += [
            f"{'refused: ' if not index else ''}{line}"
            for index, line in enumerate(example.error.splitlines())
        ]
    else:
        lines.append(f"=> {example.result}")
    return "\n```jinja\n" + "\n".join(lines) + "\n```"


def _page(_before: str, root: Path) -> str:
    return filters_markdown(root)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with --check say whether it is up to date. Returns the exit status."""
    return run("tests.docs.filters", __doc__, TARGET, _page, arguments)


if __name__ == "__main__":
    sys.exit(main())
