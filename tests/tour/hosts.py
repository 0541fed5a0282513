"""The hosts of the tour: playbooks over all of them, scripts on one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from flatnet.switch.progress import FILE, Progress, read_progress
from tests.container_hosts import state
from tests.container_hosts.podman import podman

ROOT = Path(__file__).resolve().parents[2]
CONTROL_PLANE = "control-plane-1"
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.kubeconfig"
# Molecule asks for colours, in which no count is found again.
_PLAIN = {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
_ENVIRONMENT = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **_PLAIN}
_LOOK_SECONDS = 0.05
_SNAPSHOTS = (ROOT / "molecule/resources/files/snapshot", ROOT / "molecule/tour/files/residue")


class TourError(Exception):
    """The tour cannot go on; the message says where and why."""


class Hosts:
    """One cluster of container hosts."""

    def __init__(self, prefix: str, inventories: Sequence[str], reports: Path) -> None:
        """Take the hosts of these inventories. reports: where output and reports of the check go."""
        self.reports = reports
        self._inventories = [f"--inventory={path}" for path in inventories]
        self.prefix, self._state = prefix, state.state_directory(prefix)
        self._log = reports / "tour.log"
        self.ssh_configuration = self._state / "ssh_config"
        self._ssh = ["ssh", "-F", str(self.ssh_configuration)]

    def playbook(
        self, name: str, settings: Mapping[str, object], *options: str, succeeds: bool = True
    ) -> str:
        """Return the output of a playbook. Raises TourError where it does not end as it should."""
        done = subprocess.run(
            self._command(name, settings, options),
            cwd=ROOT,
            env=_ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        with self._log.open("a") as log:
            log.write(done.stdout)
        if (done.returncode == 0) is not succeeds:
            words = "failed" if succeeds else "passed, which it should not"
            raise TourError(f"{name}_network.yml {words}:\n{_failure(done.stdout)}")
        return done.stdout

    def killed(
        self, is_time: Callable[[], bool], name: str, settings: Mapping[str, object], *options: str
    ) -> None:
        """Kill a playbook with all its processes once it is time. Raises TourError where it ends before."""
        with self._log.open("a") as log:
            process = subprocess.Popen(
                self._command(name, settings, options),
                cwd=ROOT,
                env=_ENVIRONMENT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while not is_time():
                    if process.poll() is not None:
                        raise TourError(f"{name}_network.yml ended before it was killed: see tour.log")
                    time.sleep(_LOOK_SECONDS)
            finally:
                # One that has ended has no group any more.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def progress(self) -> Progress | None:
        """Return how far a switch has come, None where none is under way."""
        return read_progress(self._state / FILE)

    @contextmanager
    def frozen(self, host: str) -> Iterator[None]:
        """Have a host that answers nobody."""
        container = f"{self.prefix}.{host}"
        podman(["pause", container])
        try:
            yield
        finally:
            podman(["unpause", container])

    def _command(self, name: str, settings: Mapping[str, object], options: Sequence[str]) -> list[str]:
        words = [
            Path(sys.executable).parent / "ansible-playbook",
            *self._inventories,
            ROOT / "playbooks" / f"{name}_network.yml",
            f"--extra-vars={json.dumps({'network_check_report_directory': str(self.reports), **settings})}",
            *options,
        ]
        return [str(word) for word in words]

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
        return self.on(CONTROL_PLANE, f"{KUBECTL} {words}")


def changed(output: str) -> dict[str, int]:
    """Return how many tasks of a playbook have changed each host."""
    recap = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+)", re.MULTILINE)
    return {host: int(count) for host, count in recap.findall(output)}


def _failure(output: str) -> str:
    """Return the lines about what failed, else the last ones."""
    lines = output.splitlines()
    first = next((index for index, line in enumerate(lines) if line.startswith(("[ERROR]", "fatal:"))), None)
    return "\n".join(lines[-40:] if first is None else lines[max(first - 2, 0) : first + 38])
