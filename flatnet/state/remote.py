"""A call of Python on a host that sends only the modules it needs, and reads one answer.

A module of Ansible's own kind comes with some sixty modules of Ansible, which the host compiles anew each
time: 0.25 s of its processor, more than comparing a role's whole state takes.
"""

import base64
import json
import shlex
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARKER = "flatnet-answer "


def interpreter_of(setting: str | None) -> str:
    """Return the Python of a host, given its setting INTERPRETER_PYTHON; there is no search for one."""
    return "python3" if not setting or setting.startswith("auto") else setting


def command(setting: str | None) -> str:
    """Return the shell command that runs a `program`, given the setting INTERPRETER_PYTHON of the host."""
    # Isolated: no module of the same name in the directory in which a login begins, no PYTHONPATH.
    return f"exec {shlex.quote(interpreter_of(setting))} -I -"


def program(script: Path, package: Path, module: str, request: Mapping[str, Any]) -> bytes:
    """Return what the command reads: `script` (files/remote.py of the role node_state) with a request.

    module: in `package`, a directory of modules without subpackages; its `answer` is called with the request.
    Nothing of the request is in clear: a traceback may quote a line.
    """
    sources = {
        package.name if path.stem == "__init__" else f"{package.name}.{path.stem}": path.read_text()
        for path in sorted(package.glob("*.py"))
    }
    given = {"sources": sources, "module": f"{package.name}.{module}", "request": request}
    packed = base64.b64encode(zlib.compress(json.dumps(given).encode(), 3)).decode()
    # In lines of their own: a traceback quotes the line of the call.
    return f"{script.read_text()}\n\nPACKED = {packed!r}\nmain(PACKED)\n".encode()


def answer_in(output: str, marker: str = MARKER) -> dict[str, Any] | None:
    """Return what a program answered behind `marker`, None when it ended without an answer."""
    for line in reversed(output.splitlines()):
        if line.startswith(marker):
            answer: dict[str, Any] = json.loads(line.removeprefix(marker))
            return answer
    return None
