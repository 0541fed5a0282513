"""Begins each call on a host: imports the modules that came along, and calls one of them.

The controller puts a call of `main` behind this.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import zlib
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

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


def unpacked(packed: str) -> dict[str, Any]:
    """Return what base64 of deflated JSON holds."""
    content: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return content


def main(sources: str, module: str, request: str, root_needed: bool) -> None:
    """Print, after MARKER, what `answer` of a module returns for the request, as one line of JSON.

    sources and request: packed; the first holds the texts of modules by name.
    """
    if root_needed and os.geteuid() != 0:
        answer = {"uid": os.geteuid()}
    else:
        sys.meta_path.insert(0, Sources(unpacked(sources)))
        answer = import_module(module).answer(unpacked(request))
    sys.stdout.write(f"{MARKER}{json.dumps(answer)}\n")
