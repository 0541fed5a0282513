"""Which variables of an inventory do nothing, and what to say of them.

Ansible ignores a variable that nobody reads, so in the place of a misspelt network the default would be used,
and nodes keep what they got first.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from flatnet.settings.cluster import SETTINGS
from flatnet.settings.definition import PREFIX

_SETTING = re.compile(rf"(?<!\w){PREFIX}\w+")
# Read by a playbook itself, and given on the command line.
_BESIDE = {"cluster_reset_confirmed", "cluster_switch_confirmed"}
# A foreign variable may begin with cluster_ too; only what is nearly a setting is taken for a misspelt one.
_NEARLY = 0.85


class VariableFindings(NamedTuple):
    """Sentences: `refused` about variables that are surely meant otherwise, `unknown` about the rest."""

    refused: list[str]
    unknown: list[str]


def check_variables(
    given: Iterable[str], overruling: Iterable[str], wiring: Mapping[str, object], inputs: Iterable[str]
) -> VariableFindings:
    """Return what is to be said of the variables `given`, each once, in order of their names.

    overruling: those among them that outrank the wiring, which are the ones of the command line.
    wiring: what the playbooks set, name -> value with expressions.
    inputs: the inputs of roles, which an inventory may set where the wiring does not.
    """
    settings = {one.variable for one in SETTINGS} | _BESIDE
    known, outranking = settings | set(inputs), set(overruling)
    refused, unknown = [], []
    for name in sorted(set(given)):
        if name in wiring and not name.startswith("_"):
            if name not in outranking:
                refused.append(_overwritten(name, wiring, settings))
        elif name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_NEARLY)
            if near:
                refused.append(f"{name} is not a setting; do you mean {near[0]}?")
            else:
                unknown.append(f"{name} is not a setting of flatnet, and nothing reads it")
    return VariableFindings(refused, unknown)


def _overwritten(name: str, wiring: Mapping[str, object], settings: set[str]) -> str:
    """Return the sentence about a variable of the inventory that the playbooks overwrite."""
    instead = [found for found in _mentioned(wiring[name]) if found in settings]
    instead = instead or difflib.get_close_matches(name, sorted(settings), n=1)
    if not instead:
        return f"{name} is set by the playbooks from what they know; take it out of the inventory"
    return f"{name} is set by the playbooks; set {' and '.join(dict.fromkeys(instead))} instead"


def _mentioned(value: object) -> list[str]:
    """Return every name in a value's expressions that could be a setting's."""
    return [name for text in _texts(value) for name in _SETTING.findall(text)]


def _texts(value: object) -> Iterator[str]:
    """Return every text in a value of plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
