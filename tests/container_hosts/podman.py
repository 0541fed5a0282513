"""Podman as flatnet runs it: with a configuration of its own, so that the machine's is not touched."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatnet.errors import FlatnetError
from tests.container_hosts.commands import run
from tests.container_hosts.state import root_directory

PREFIX_LABEL = "flatnet.prefix"
HOST_LABEL = "flatnet.host"
SPEC_LABEL = "flatnet.spec"
ADDRESS_LABEL = "flatnet.address"


CONTROL_GROUPS = Path("/sys/fs/cgroup")
MONITOR_SECONDS = 2.0


@dataclass(frozen=True)
class Container:
    """One of our containers, as podman knows it."""

    name: str
    prefix: str
    host: str
    address: str
    spec: str
    running: bool


def configuration(open_files: int, processes: int) -> str:
    """Return containers.conf (containers.conf(5)); open_files, processes: this process's hard limits.

    Podman asks for more than an unprivileged root may give, hence the limits; its conmon never has more than
    32768 processes. runc, because crun refuses hybrid control groups; cgroupfs, because not every machine
    runs systemd itself.
    """
    limits = [f"nofile={open_files}:{open_files}", f"nproc={min(processes, 30000)}:{min(processes, 30000)}"]
    return (
        "[containers]\n"
        f"default_ulimits = {json.dumps(limits)}\n"
        'base_hosts_file = "none"\n'
        "[engine]\n"
        'runtime = "runc"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
        "[network]\n"
        'network_backend = "netavark"\n'
    )


def podman(arguments: Sequence[str]) -> str:
    """Return what podman printed; FlatnetError with its words when it fails."""
    return run(["podman", *arguments], environment=_environment())


def containers(prefix: str | None = None) -> list[Container]:
    """Return our containers, those of cluster `prefix` or all."""
    label = PREFIX_LABEL if prefix is None else f"{PREFIX_LABEL}={prefix}"
    found = json.loads(podman(["ps", "--all", f"--filter=label={label}", "--format=json"]))
    return sorted(
        (
            Container(
                name=entry["Names"][0],
                prefix=entry["Labels"][PREFIX_LABEL],
                host=entry["Labels"][HOST_LABEL],
                address=entry["Labels"][ADDRESS_LABEL],
                spec=entry["Labels"][SPEC_LABEL],
                running=entry["State"] == "running",
            )
            for entry in found
        ),
        key=lambda container: container.name,
    )


def control_group(prefix: str) -> str:
    """Return the control group that the containers of cluster `prefix` live in."""
    return f"flatnet.{prefix}"


def remove_control_group(prefix: str) -> None:
    """Remove the control group of cluster `prefix` from every hierarchy, once its containers are gone.

    Raises FlatnetError when something in it does not end.
    """
    name = control_group(prefix)
    # Podman returns a moment before the monitors of its containers have ended, and they live in the group.
    deadline = time.monotonic() + MONITOR_SECONDS
    while groups := [*CONTROL_GROUPS.glob(name), *CONTROL_GROUPS.glob(f"*/{name}")]:
        for group in groups:
            for directory in (group / "conmon", group):
                with contextlib.suppress(OSError):
                    directory.rmdir()
        if time.monotonic() > deadline:
            raise FlatnetError(f"processes of destroyed hosts still run: see {groups[0]}/cgroup.procs")
        time.sleep(0.01)


def remove_container(name: str) -> None:
    """Kill and remove the container `name` with its volumes; one that is gone already is no error."""
    podman(["rm", "--force", "--ignore", "--time=0", "--volumes", name])


def _environment() -> dict[str, str]:
    path = root_directory() / "containers.conf"
    open_files = _hard_limit(resource.RLIMIT_NOFILE, 1048576)
    text = configuration(open_files, _hard_limit(resource.RLIMIT_NPROC, 30000))
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text)
    return {**os.environ, "CONTAINERS_CONF": str(path)}


def _hard_limit(kind: int, most: int) -> int:
    limit = resource.getrlimit(kind)[1]
    return most if limit == resource.RLIM_INFINITY else min(limit, most)
