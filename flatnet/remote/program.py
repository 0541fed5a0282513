"""What a call sends to a host's Python: only the modules that it needs, and a request; one answer comes back.

A module of Ansible's own kind comes with some sixty modules of Ansible, which the host compiles anew each
time: 0.25 s of its processor, more than comparing a role's whole state takes.
"""

import base64
import json
import re
import shlex
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import flatnet

MARKER = "flatnet-answer "
OLDEST_PYTHON = (3, 9)
# Status of the shell that finds no Python; ours alone, so that no other failure is taken for it.
NO_PYTHON = 93

_ROOT = Path(flatnet.__file__).parents[1]
_DOOR = Path(flatnet.__file__).parent / "host" / "door.py"
_IMPORT = re.compile(r"^\s*from (\.+)([\w.]*) import (?:\(([^)]*)\)|(.*))", re.MULTILINE)


def interpreter_of(setting: str | None) -> str:
    """Return the Python of a host, given its setting INTERPRETER_PYTHON; there is no search for one."""
    return "python3" if not setting or setting.startswith("auto") else setting


def command(setting: str | None) -> str:
    """Return the shell command that runs a `program`, given the setting INTERPRETER_PYTHON of the host."""
    python = shlex.quote(interpreter_of(setting))
    # Isolated: no module of the same name in the directory in which a login begins, no PYTHONPATH.
    return f"command -v {python} >/dev/null 2>&1 || exit {NO_PYTHON}; exec {python} -I -"


def program(module: str, request: Mapping[str, Any], root_needed: bool = False) -> bytes:
    """Return what the command reads: it calls `answer` of a module, such as flatnet.host.state.serve.

    root_needed: whether another user than root is refused. Nothing of the request is in clear: a traceback
    may quote a line.
    """
    lines = [
        # What an old Python understands. It cannot read the rest, but can tell its version.
        "import sys",
        f"if sys.version_info < {OLDEST_PYTHON}:",
        f'    sys.stdout.write(\'{MARKER}{{"python": "%d.%d"}}\\n\' % sys.version_info[:2])',
        "    sys.exit(0)",
        f"exec(compile({_door()}, 'flatnet', 'exec'))",
        # In lines of their own: a traceback quotes the line of the call.
        f"SOURCES = {packed_modules(module)!r}",
        f"REQUEST = {_packed(request)!r}",
        f"main(SOURCES, {module!r}, REQUEST, {bool(root_needed)})",
        "",
    ]
    return "\n".join(lines).encode()


def answer_in(output: str) -> dict[str, Any] | None:
    """Return what a program answered, None when it ended without an answer."""
    for line in reversed(output.splitlines()):
        if line.startswith(MARKER):
            answer: dict[str, Any] = json.loads(line.removeprefix(MARKER))
            return answer
    return None


@cache
def packed_modules(module: str) -> str:
    """Return the module with all that it needs, as `main` of the door takes them."""
    return _packed(needed_modules(module))


def needed_modules(module: str) -> dict[str, str]:
    """Return the sources of a module and of all of ours that it imports, directly or not, by name."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _path(name)
        found[name] = path.read_text()
        waiting += [name.rpartition(".")[0]] if "." in name else []
        waiting += _imported(name, found[name], path.name == "__init__.py")
    return dict(sorted(found.items()))


def _imported(name: str, source: str, is_package: bool) -> Iterator[str]:
    for dots, below, several, one in _IMPORT.findall(source):
        parts = name.split(".")
        above = parts[: len(parts) - len(dots) + is_package]
        base = ".".join([*above, *([below] if below else [])])
        yield base
        for word in re.findall(r"\w+", several or one):
            if _is_module(f"{base}.{word}"):
                yield f"{base}.{word}"


def _path(name: str) -> Path:
    place = _ROOT.joinpath(*name.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _is_module(name: str) -> bool:
    return _path(name).is_file()


@cache
def _door() -> str:
    return ascii(_DOOR.read_text())


def _packed(content: Mapping[str, Any]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(content).encode(), 3)).decode()
