"""Run programs of this machine; what they say on failure becomes the message."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence

from flatnet.errors import FlatnetError


def run(command: Sequence[str], *, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Return what `command` printed; FlatnetError with its own words when it fails or is not installed."""
    try:
        done = subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as missing:
        raise FlatnetError(f"{command[0]} is not installed: run tests/setup-machine as root") from missing
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise FlatnetError(f"`{shlex.join(command)}` failed with {done.returncode}: {' / '.join(said[-5:])}")
    return done.stdout
