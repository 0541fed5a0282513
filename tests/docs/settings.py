"""Write what is told of settings from their one definition, flatnet/settings/cluster.py.

That is docs/settings.md, the settings of the example inventory, and the options of the role network_plan. Run
`python -m tests.docs.settings`; with `--check` it says whether they are up to date.
"""

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flatnet.errors import FlatnetError
from flatnet.settings import SECTIONS, SETTINGS, Setting
from tests.docs.generated_page import run

PAGE = Path("docs/settings.md")
EXAMPLE = Path("inventories/example/group_vars/k8s_cluster/network.yml")
SPECIFICATION = Path("roles/network_plan/meta/argument_specs.yml")
BEGIN = "        # Written by `python -m tests.docs.settings` from flatnet/settings/cluster.py:\n"
END = "        # Until here.\n"

# What the example sets; of the rest it shows the default in a comment.
_SET: Mapping[str, object] = {
    "cluster_name": "example",
    "cluster_pod_cidrs": ["10.200.0.0/16"],
    "cluster_service_cidrs": ["10.32.0.0/24"],
    "cluster_node_prefixes": [24],
    "cluster_excluded_cidrs": [],
    "cluster_network_backend": "kubenet",
    "cluster_kube_proxy_mode": "iptables",
    "cluster_apiserver_extra_sans": [],
    "cluster_dns_domain_name": "cluster.local",
    "cluster_programs_source": "release",
    "cluster_allowed_changes": [],
}
_YAML_WIDTH = 130


def page(_before: str, _root: Path) -> str:
    """Return the page about all settings."""
    lines = [
        "# Settings",
        "",
        "Written by `python -m tests.docs.settings`.",
        "",
        "Each is set once for the cluster, in `group_vars/k8s_cluster/` of the inventory; "
        "`inventories/example` has them all.",
        "What is misspelt, of the wrong type or out of its range is refused before any host is contacted.",
        "What a single host has of its own (its addresses, a pinned pod network) is in "
        "[the README of network_plan](../roles/network_plan/README.md).",
    ]
    for section, words in SECTIONS.items():
        lines += ["", f"## {section}", ""]
        lines += [words, ""] if words else []
        lines += ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [_row(one) for one in SETTINGS if one.section == section]
    return "\n".join(lines) + "\n"


def _row(one: Setting) -> str:
    default = f"`{_yaml(one.plain_default)}`"
    if one.empty and one.default in ("", (), {}, None):
        default = one.empty
    return f"| `{one.variable}` | {_type_words(one)} | {default} | {one.description} |"


def _type_words(one: Setting) -> str:
    words = one.kind.words
    if one.least is not None and one.most is not None:
        unit = f" {one.unit}" if one.unit and one.unit != "port" else ""
        words += f", {one.least} to {one.most}{unit}"
    if one.choices:
        words += f": {', '.join(f'`{choice}`' for choice in one.choices)}"
    return words


def example(_before: str, _root: Path) -> str:
    """Return the settings of the example inventory."""
    lines = [
        "---",
        "# Every setting of the network in one place. What is commented out has the value shown, which "
        "is the default.",
    ]
    for section, words in SECTIONS.items():
        lines += ["", *_comment(f"--- {section}. {words}" if words else f"--- {section}.")]
        for one in SETTINGS:
            if one.section == section:
                lines += ["", *_example_lines(one)]
    return "\n".join(lines) + "\n"


def _example_lines(one: Setting) -> Iterator[str]:
    words = one.description
    if one.choices:
        words += f" One of {', '.join(one.choices)}."
    if one.empty:
        words += f" Empty: {one.empty}."
    yield from _comment(words)
    if one.variable in _SET:
        yield f"{one.variable}: {_yaml(_SET[one.variable])}"
    else:
        yield f"# {one.variable}: {_yaml(one.plain_default)}"


def _comment(words: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(words, _YAML_WIDTH - 2)]


def _yaml(value: object) -> str:
    """Return a value on one line of YAML."""
    if value == "":
        return '""'
    if value is None:
        return "null"
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()


def specification(before: str, _root: Path) -> str:
    """Return the role's argument specification with the options in their place.

    Raises FlatnetError when it has no place for them.
    """
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise FlatnetError(f"{SPECIFICATION} has no lines {BEGIN.strip()} and {END.strip()}; put them back")
    options = {one.variable: _option(one) for one in SETTINGS}
    return f"{head}{begin}{_dump(options)}{end}{tail}"


def _option(one: Setting) -> dict[str, Any]:
    description = [one.description]
    if one.least is not None and one.most is not None:
        description.append(f"From {one.least} to {one.most}{f', in {one.unit}' if one.unit else ''}.")
    if one.empty:
        description.append(f"Empty for {one.empty}.")
    option: dict[str, Any] = {"description": description, "type": one.kind.ansible}
    if one.kind.elements:
        option["elements"] = one.kind.elements
    # Of a mapping, the choices are those of its values.
    if one.choices and one.kind.ansible != "dict":
        option["choices"] = list(one.choices)
    if one.default is not None:
        option["default"] = one.plain_default
    return option


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as the project's YAML does."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _dump(options: Mapping[str, Any]) -> str:
    text: str = yaml.dump(
        {"options": options}, Dumper=_Dumper, sort_keys=False, width=_YAML_WIDTH - 8, allow_unicode=True
    )
    return textwrap.indent(text, " " * 8)


TARGETS: Mapping[Path, Callable[[str, Path], str]] = {
    PAGE: page,
    EXAMPLE: example,
    SPECIFICATION: specification,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write all, or with --check say whether they are up to date. Returns the exit status."""
    return max(
        run("tests.docs.settings", __doc__, path, render, arguments) for path, render in TARGETS.items()
    )


if __name__ == "__main__":
    sys.exit(main())
