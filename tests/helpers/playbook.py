"""Runs a playbook as a user does, and reads from its output how it ended."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) ", re.MULTILINE)
_CALLS = re.compile(r"^(\S+) +: calls=(\d+) ", re.MULTILINE)
_FAILED = ": FAILED! => "


@dataclass(frozen=True)
class Answer:
    """How a playbook ended: its exit code and all that it printed."""

    code: int
    output: str
    errors: str

    @property
    def changed(self) -> dict[str, int]:
        """Return the number of changed tasks by host."""
        recap = self.output.partition("PLAY RECAP")[2]
        return {host: int(count) for host, count in _RECAP.findall(recap)}

    @property
    def calls(self) -> dict[str, int]:
        """Return the number of remote calls by host."""
        told = self.output.partition("REMOTE CALLS")[2]
        return {host: int(count) for host, count in _CALLS.findall(told)}

    @property
    def warnings(self) -> list[str]:
        """Return what stands behind [WARNING]: in one line each."""
        return [" ".join(part.split()) for part in self.errors.split("[WARNING]: ")[1:]]

    @property
    def message(self) -> str:
        """Return the one message with which the one failed task ended."""
        found = [line.partition(_FAILED)[2] for line in self.output.splitlines() if _FAILED in line]
        assert len(found) == 1, self.output + self.errors
        message: str = json.loads(found[0])["msg"]
        return message


def run_playbook(
    name: str, inventory: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Answer:
    """Run `playbooks/<name>` on `inventory` with what `environment` adds to this process's."""
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, f"playbooks/{name}", *options],
        cwd=ROOT,
        # A result in one line, so that the message can be taken from it whole.
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
