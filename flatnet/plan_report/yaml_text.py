"""Objects as YAML that every reader understands alike."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

# Readers of YAML 1.1 take some words and numbers for other things than text (`y`, `4e7`, `1_000`, `12:30`),
# and not all of them the same: what is not a plain word for certain is quoted.
_WORD = re.compile(r"[A-Za-z/][A-Za-z0-9./_-]*")
_NO_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


class _Dumper(yaml.SafeDumper):
    """Quotes every text that any reader could take for something else, and writes no anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        """Return True: a reader of the text wants to see each value where it counts."""
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    is_word = _WORD.fullmatch(value) and value.lower() not in _NO_WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if is_word else '"')


_Dumper.add_representer(str, _text)


def yaml_text(*objects: Mapping[str, Any], notes: Iterable[str] = ()) -> str:
    """Return the objects as the documents of one YAML text; the notes are comments in the first.

    Before the first document they would be one themselves, which kubeadm refuses for having no kind.
    """
    texts = [
        yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True) for item in objects
    ]
    comments = "".join(f"# {note}\n" for note in notes)
    return "".join("---\n" + (comments if index == 0 else "") + text for index, text in enumerate(texts))
