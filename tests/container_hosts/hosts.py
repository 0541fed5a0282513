"""Create, destroy and list container hosts."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from flatnet.errors import FlatnetError
from tests.container_hosts import limits, state, underlay
from tests.container_hosts.image import ensure_image
from tests.container_hosts.podman import (
    ADDRESS_LABEL,
    HOST_LABEL,
    PREFIX_LABEL,
    SPEC_LABEL,
    Container,
    containers,
    control_group,
    podman,
    remove_container,
    remove_control_group,
)
from tests.container_hosts.spec import Cluster, Host, check_prefix

BOOT_SECONDS = 60
LOOK_SECONDS = 2.0
# An overlay file system cannot lie on another one, and the container's own is one already.
VOLUMES = ("/var/lib/containerd", "/var/lib/kubelet")

# Folders that are empty at every boot, with the mode of each.
TEMPORARY = {"/run": "0755", "/run/lock": "1777"}

Say = Callable[[str], None]


def create(cluster: Cluster, say: Say) -> dict[str, str]:
    """Make `cluster` answer over SSH; return host name -> created, started or unchanged.

    Hosts that are as wanted are left alone, stopped ones are started, others are made again.
    Raises FlatnetError when the machine has no room for more, when a host does not boot or when it does not
    answer with its key.
    """
    require_root()
    image = ensure_image(say)
    with state.only_one(cluster.prefix):
        present = {container.host: container for container in containers(cluster.prefix)}
        running = {container.host for container in present.values() if container.running}
        limits.check_inotify(sum(host.name not in running for host in cluster.hosts))
        state.write_keys(cluster)
        underlay.ensure_bridge(cluster)

        def ensure(host: Host) -> str:
            began = time.monotonic()
            outcome = _ensure_host(cluster, host, image, present.get(host.name))
            _check_answer(cluster, host)
            say(f"{host.name} {host.address}: {outcome} ({time.monotonic() - began:.1f} s)")
            return outcome

        with ThreadPoolExecutor(len(cluster.hosts)) as pool:
            outcomes = list(pool.map(ensure, cluster.hosts))
    return dict(zip([host.name for host in cluster.hosts], outcomes, strict=True))


def restart(cluster: Cluster, say: Say) -> dict[str, str]:
    """Cut the power of every host and start them all again; return host name -> started.

    What a host keeps is its disk: its processes end without a word.
    Raises FlatnetError when a host does not exist, and whatever `create` raises.
    """
    require_root()
    with state.only_one(cluster.prefix):
        present = {container.host for container in containers(cluster.prefix)}
        absent = [host.name for host in cluster.hosts if host.name not in present]
        if absent:
            raise FlatnetError(
                f"{cluster.prefix} has no host {', '.join(absent)} to restart; create them first"
            )
        podman(["stop", "--time=0", *(cluster.container(host) for host in cluster.hosts)])
    return create(cluster, say)


def destroy(prefix: str) -> bool:
    """Remove the cluster `prefix`, all of it and nothing else; return whether there was anything."""
    require_root()
    check_prefix(prefix)
    with state.only_one(prefix):
        found = [container.name for container in containers(prefix)]
        with ThreadPoolExecutor(max(len(found), 1)) as pool:
            list(pool.map(remove_container, found))
        had_network = underlay.remove(prefix)
        had_state = state.remove_state(prefix)
        remove_control_group(prefix)
    return bool(found) or had_network or had_state


def prefixes() -> list[str]:
    """Return the prefix of every cluster that has a container or a folder on this machine, sorted."""
    root = state.root_directory()
    folders = [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    return sorted({container.prefix for container in containers()}.union(folders))


def require_root() -> None:
    """Raise FlatnetError unless this process may make containers and network namespaces."""
    if os.geteuid() != 0:
        raise FlatnetError(
            "container hosts need root: they boot systemd in network namespaces of this machine. Run as root"
        )


def spec_digest(cluster: Cluster, host: Host, image: str) -> str:
    """Return what tells a container as wanted from an outdated one."""
    networks = cluster.segments if cluster.further else cluster.subnets
    text = f"{image} {host.interfaces} {networks} {run_arguments(cluster, host, image, '')}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_arguments(cluster: Cluster, host: Host, image: str, spec: str) -> list[str]:
    """Return the arguments of podman that start `host`; spec: the digest it is labelled with."""
    folder = state.host_directory(cluster.prefix, host.name)
    gateway = cluster.controller_interfaces[0].ip
    arguments = [
        "run",
        "--detach",
        f"--name={cluster.container(host)}",
        f"--hostname={host.name}",
        f"--network=ns:{underlay.NAMESPACES / cluster.container(host)}",
        *(f"--add-host={host.name}:{interface.ip}" for interface in host.interfaces),
        # Nobody answers there, and says so at once: a lookup fails instead of waiting for a far resolver.
        f"--dns={gateway}",
        # What `--systemd=always` does, but for its mount of this machine's own systemd control groups: with
        # that one, units of the same name on several hosts share a group, and take it from each other.
        "--systemd=false",
        "--stop-signal=SIGRTMIN+3",
        *(f"--tmpfs={path}:rw,mode={mode}" for path, mode in TEMPORARY.items()),
        "--privileged",
        # runc inside a host finds its control groups only in a namespace of their own.
        "--cgroupns=private",
        f"--cgroup-parent=/{control_group(cluster.prefix)}",
        "--pids-limit=-1",
        f"--volume={folder / 'ssh'}:/etc/ssh/container_host:ro",
        f"--volume={folder / 'notify'}:/run/host",
        # systemd reports there when the host has booted (sd_notify(3)).
        "--env=NOTIFY_SOCKET=/run/host/notify",
        *(f"--volume={path}" for path in VOLUMES),
        f"--label={PREFIX_LABEL}={cluster.prefix}",
        f"--label={HOST_LABEL}={host.name}",
        f"--label={ADDRESS_LABEL}={host.address}",
        f"--label={SPEC_LABEL}={spec}",
    ]
    modules = Path("/lib/modules") / platform.release()
    if modules.is_dir():
        arguments.append(f"--volume={modules}:{modules}:ro")
    return [*arguments, image, "/sbin/init"]


def _ensure_host(cluster: Cluster, host: Host, image: str, present: Container | None) -> str:
    name = cluster.container(host)
    spec = spec_digest(cluster, host, image)
    if present and present.spec != spec:
        remove_container(name)
        present = None
    if present and not present.running:
        # A network namespace outlives its container with all links, routes and packet filters.
        underlay.remove_host(cluster, host)
    rewired = underlay.ensure_host(cluster, host)
    if present and present.running and not rewired:
        return "unchanged"
    with BootMessage(state.notify_directory(cluster, host)) as message:
        if present:
            podman(["restart", "--time=10", name])
        else:
            podman(run_arguments(cluster, host, image, spec))
        message.wait(name)
    return "started" if present else "created"


class BootMessage:
    """The message that systemd sends when a host has booted (READY=1, sd_notify(3))."""

    def __init__(self, directory: Path) -> None:
        """Prepare to listen at `directory`/notify."""
        self._path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        """Listen; the socket must be there before the host is started."""
        self._path.unlink(missing_ok=True)
        # A path below /proc/self/fd stays short wherever the cache is.
        folder = os.open(self._path.parent, os.O_PATH)
        try:
            self._socket.bind(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; what systemd reports later goes nowhere."""
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def wait(self, name: str) -> None:
        """Return when the host has booted; FlatnetError when it ends or takes more than BOOT_SECONDS."""
        deadline = time.monotonic() + BOOT_SECONDS
        self._socket.settimeout(LOOK_SECONDS)
        outcome = f"has not booted within {BOOT_SECONDS} s"
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in self._socket.recv(4096).splitlines():
                    return
            except TimeoutError:
                if podman(["inspect", "--format={{.State.Running}}", name]).strip() != "true":
                    outcome = "ended while it booted"
                    break
        raise FlatnetError(
            f"{name} {outcome}; `podman logs {name}` and `podman exec {name} systemctl --failed` tell more"
        )


def _check_answer(cluster: Cluster, host: Host) -> None:
    """Log in as any client would; FlatnetError when the host is another one or a unit of it failed."""
    if not shutil.which("ssh"):
        raise FlatnetError("ssh is not installed: run tests/setup-machine as root")
    configuration = state.state_directory(cluster.prefix) / "ssh_config"
    check = "systemctl is-system-running --wait || systemctl list-units --failed --plain --no-legend"
    done = subprocess.run(
        ["ssh", "-F", str(configuration), "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", host.name, check],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or done.stdout.strip() != "running":
        said = " / ".join((done.stdout + done.stderr).strip().splitlines())
        raise FlatnetError(f"{cluster.container(host)} is not ready: {said}")
