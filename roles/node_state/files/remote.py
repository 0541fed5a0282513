"""Runs on a host, from standard input: calls a function of modules whose sources come along.

The controller puts a call of `main` behind this. Needs Python 3.9 and nothing else.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

MARKER = "flatnet-answer "


class Sources(MetaPathFinder, InspectLoader):
    """Finds and loads modules whose texts are at hand."""

    def __init__(self, texts: dict[str, str]) -> None:
        """Take the texts by the full names of their modules."""
        self._texts = texts

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load the module, None for one of others."""
        del path, target
        if fullname not in self._texts:
            return None
        return ModuleSpec(fullname, self, is_package=self.is_package(fullname))

    def is_package(self, fullname: str) -> bool:
        """Return whether there are modules in it."""
        return any(name.startswith(f"{fullname}.") for name in self._texts)

    def get_source(self, fullname: str) -> str:
        """Return the text."""
        return self._texts[fullname]

    def get_code(self, fullname: str) -> CodeType:
        """Return it compiled, under its name."""
        return self.source_to_code(self._texts[fullname], fullname)


def main(packed: str) -> None:
    """Print, after MARKER, what `answer` of a module returns, as one line of JSON.

    packed: base64 of deflated JSON: {"sources": {module: text}, "module": its name, "request": for `answer`}.
    """
    given = json.loads(zlib.decompress(base64.b64decode(packed)))
    sys.meta_path.insert(0, Sources(given["sources"]))
    answer = import_module(given["module"]).answer(given["request"])
    sys.stdout.write(f"{MARKER}{json.dumps(answer)}\n")
