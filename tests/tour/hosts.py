"""The hosts of the tour: playbooks over all of them, scripts on one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.container_hosts import state

ROOT = Path(__file__).resolve().parents[2]
_SNAPSHOTS = (ROOT / "molecule/resources/files/snapshot", ROOT / "molecule/tour/files/residue")


class TourError(Exception):
    """The tour cannot go on; the message says where and why."""


class Hosts:
    """One cluster of container hosts."""

    def __init__(self, prefix: str, inventories: Sequence[str], reports: Path) -> None:
        """Take the hosts of these inventories. reports: where output and reports of the check go."""
        self.reports = reports
        self._inventories = [f"--inventory={path}" for path in inventories]
        self._ssh = ["ssh", "-F", str(state.state_directory(prefix) / "ssh_config")]

    def playbook(
        self, name: str, settings: Mapping[str, object], *options: str, succeeds: bool = True
    ) -> str:
        """Return the output of a playbook. Raises TourError where it does not end as it should."""
        command = [
            Path(sys.executable).parent / "ansible-playbook",
            *self._inventories,
            ROOT / "playbooks" / f"{name}_network.yml",
            f"--extra-vars={json.dumps({'network_check_report_directory': str(self.reports), **settings})}",
            *options,
        ]
        done = subprocess.run(
            [str(word) for word in command],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        with (self.reports / "tour.log").open("a") as log:
            log.write(done.stdout)
        if (done.returncode == 0) is not succeeds:
            words = "failed" if succeeds else "passed, which it should not"
            raise TourError(f"{name}_network.yml {words}:\n{_failure(done.stdout)}")
        return done.stdout

    def on(self, host: str, script: str) -> str:
        """Return what a shell script prints on a host; it ends at the first failure."""
        return self.call(host, "bash -eu -o pipefail", script.encode())

    def call(self, host: str, command: str, text: bytes) -> str:
        """Return what a command on a host prints, given an input. Raises TourError where it fails."""
        done = subprocess.run([*self._ssh, host, command], input=text, capture_output=True, check=False)
        if done.returncode:
            raise TourError(f"{host}: {done.stderr.decode(errors='replace').strip()[-2000:]}")
        return done.stdout.decode()

    def snapshot(self, host: str) -> list[str]:
        """Return what a host is like, a line for each thing."""
        return [line for path in _SNAPSHOTS for line in self.on(host, path.read_text()).splitlines()]

    def kubectl(self, words: str) -> str:
        """Return what kubectl prints."""
        return self.on("control-plane-1", f"kubectl --kubeconfig /etc/kubernetes/admin.kubeconfig {words}")


def changed(output: str) -> int:
    """Return how many hosts a playbook says it has changed."""
    return len(re.findall(r"changed=[1-9]", output))


def _failure(output: str) -> str:
    """Return the lines about what failed, else the last ones."""
    lines = output.splitlines()
    first = next((index for index, line in enumerate(lines) if line.startswith(("[ERROR]", "fatal:"))), None)
    return "\n".join(lines[-40:] if first is None else lines[max(first - 2, 0) : first + 38])
