"""Whether a setting of the cluster is the same on every host."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from flatnet.errors import FlatnetError
from flatnet.plan.names import listed_names

Variables = Mapping[str, object]
Render = Callable[[str, str], object]
"""(host, variable) -> its value with its templates rendered; raises FlatnetError where they cannot be."""

_WORD = re.compile(r"\w+")
# Through these a template reaches what its text does not name.
_ANYTHING = frozenset({"hostvars", "vars", "varnames"})
# The same for every host, and long.
_COMMON = frozenset({"groups"})
_NOTHING = object()
_SHOWN = 120
_NAME = re.compile(r"\s*\{\{\s*([A-Za-z_]\w*)\s*\}\}\s*", re.ASCII)
_FOLLOWED = 8


def is_template(value: object) -> bool:
    """Tell whether a value is text that Ansible may render, or holds such text."""
    return any("{{" in text or "{%" in text or "{#" in text for text in _texts(value))


def followed(value: object, variables: Variables) -> object:
    """Return what a value is that is nothing but the name of a variable in braces, and so on; else the value.

    Ansible's own rendering gives the same, and compiles a template for each host.
    """
    # Who refers to himself is Ansible's to refuse.
    for _ in range(_FOLLOWED):
        match = _NAME.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[1] not in variables:
            break
        value = variables[match[1]]
    return value


def value_findings(names: Iterable[str], hosts: Mapping[str, Variables], render: Render) -> list[str]:
    """Return a sentence for each of the variables that has not the same value on all hosts.

    hosts: their names with their variables as they were read, templates not rendered.
    """
    found = []
    for name in sorted(names):
        try:
            values = _different(name, hosts, render)
        except FlatnetError as error:
            found.append(str(error))
            continue
        if len(values) > 1:
            said = " and ".join(f"{_shown(value)} for {listed_names(who, 5)}" for value, who in values)
            found.append(
                f"{name} is {said}, and a cluster has one value of it; set it once, for the group k8s_cluster"
            )
    return found


def _different(name: str, hosts: Mapping[str, Variables], render: Render) -> list[tuple[object, list[str]]]:
    """Return the different values of a variable, each with its hosts; the most common one last."""
    items = iter(hosts.items())
    _, first = next(items)
    value = first.get(name, _NOTHING)
    is_same = all(
        (other := variables.get(name, _NOTHING)) is value or other == value for _, variables in items
    )
    if is_same and not is_template(value):
        return [(value, list(hosts))]
    values: list[tuple[object, list[str]]] = []
    for raw, same in _alike(name, hosts):
        rendered = render(same[0], name) if is_template(raw) else raw
        for known, who in values:
            if rendered is known or rendered == known:
                who += same
                break
        else:
            values.append((rendered, same))
    return sorted(values, key=lambda item: len(item[1]))


def _alike(name: str, hosts: Mapping[str, Variables]) -> list[tuple[object, list[str]]]:
    """Return the raw values, each with hosts for which it is rendered alike: one stands for all."""
    found: dict[tuple[object, ...], tuple[object, list[str]]] = {}
    for host, variables in hosts.items():
        raw = variables.get(name, _NOTHING)
        key = _dependencies(raw, variables) if is_template(raw) else (repr(raw),)
        found.setdefault(key, (raw, []))[1].append(host)
    return list(found.values())


def _dependencies(raw: object, variables: Variables) -> tuple[object, ...]:
    """Return what the rendering of a value depends on: its text, and that of all variables named in it."""
    key: dict[str, str] = {"": repr(raw)}
    open_values = [raw]
    while open_values:
        for text in _texts(open_values.pop()):
            for word in _WORD.findall(text):
                if word in _ANYTHING:
                    return (variables.get("inventory_hostname"),)
                if word in variables and word not in key and word not in _COMMON:
                    key[word] = repr(variables[word])
                    open_values.append(variables[word])
    return tuple(sorted(key.items()))


def _shown(value: object) -> str:
    if value is _NOTHING:
        return "not set"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _texts(value: object) -> Sequence[str]:
    """Return every text in a value of plain data, names of mappings too."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part)]
    return ()
