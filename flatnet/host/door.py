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
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

MARKER = "flatnet-answer "


class Source(SourceFileLoader):
    """Loads a module whose text is at hand."""

    def __init__(self, fullname: str, text: str) -> None:
        """Take the text; the name stands for its file."""
        super().__init__(fullname, fullname)
        self._text = text

    def path_stats(self, path: str) -> dict[str, Any]:
        """Raise OSError, for a file that cannot be compiled before."""
        raise FileNotFoundError(path)

    def get_data(self, path: str) -> bytes:
        """Return the text."""
        del path
        return self._text.encode()


class Sources:
    """Finds the modules whose texts are at hand."""

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
        is_package = any(name.startswith(f"{fullname}.") for name in self._texts)
        return ModuleSpec(fullname, Source(fullname, self._texts[fullname]), is_package=is_package)


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
