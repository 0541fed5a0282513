"""What this machine keeps about a cluster of container hosts: keys, what SSH needs, and whose turn it is."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flatnet.paths import cache_directory
from tests.container_hosts.spec import Cluster, Host

# A socket's path holds at most 107 bytes (unix(7)) and OpenSSH adds to it: too few for a cache's.
SOCKETS = Path("/run/flatnet")


def root_directory() -> Path:
    """Return the folder that holds one folder per prefix."""
    return cache_directory() / "container_hosts"


def state_directory(prefix: str) -> Path:
    """Return the folder of cluster `prefix`; it goes when the cluster is destroyed."""
    return root_directory() / prefix


def host_directory(prefix: str, host: str) -> Path:
    """Return the folder whose parts are mounted into `host`."""
    return state_directory(prefix) / "hosts" / host


@contextlib.contextmanager
def only_one(name: str) -> Iterator[None]:
    """Let in one process at a time; the kernel drops the lock of a process that dies."""
    root_directory().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root_directory() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_keys(cluster: Cluster) -> None:
    """Write the client's key, one key per host and the configuration with which ssh trusts exactly these.

    Keys that are there stay, so that hosts which are there stay reachable.
    """
    directory = state_directory(cluster.prefix)
    client = _public_key(directory / "client_key")
    known = []
    for host in cluster.hosts:
        folder = host_directory(cluster.prefix, host.name) / "ssh"
        public = _public_key(folder / "host_key")
        _write(folder / "authorized_keys", f"{client}\n")
        names = ",".join([host.name, *(str(interface.ip) for interface in host.interfaces)])
        known.append(f"{names} {public}\n")
    _write(directory / "known_hosts", "".join(known))
    _write(directory / "ssh_config", ssh_config(cluster, directory))
    (SOCKETS / cluster.prefix).mkdir(mode=0o700, parents=True, exist_ok=True)


def ssh_config(cluster: Cluster, directory: Path) -> str:
    """Return what `ssh -F` needs to reach the hosts by name or address, host keys verified."""
    lines = []
    for host in cluster.hosts:
        lines += [f"Host {host.name}", f"    HostName {host.address}"]
    lines += [
        "Host *",
        "    User root",
        f'    IdentityFile "{directory}/client_key"',
        "    IdentitiesOnly yes",
        f'    UserKnownHostsFile "{directory}/known_hosts"',
        "    GlobalKnownHostsFile none",
        "    StrictHostKeyChecking yes",
        "    HostKeyAlgorithms ssh-ed25519",
        "    Ciphers aes128-gcm@openssh.com",
    ]
    return "\n".join(lines) + "\n"


def remove_state(prefix: str) -> bool:
    """End the SSH connections that wait for more work and remove the folders of cluster `prefix`.

    Returns whether there were any.
    """
    sockets = SOCKETS / prefix
    for socket in sorted(sockets.iterdir()) if sockets.is_dir() else []:
        command = ["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "host"]
        subprocess.run(command, check=False, capture_output=True)
    there = [directory for directory in (sockets, state_directory(prefix)) if directory.exists()]
    for directory in there:
        shutil.rmtree(directory)
    with contextlib.suppress(OSError):
        SOCKETS.rmdir()
    return bool(there)


def notify_directory(cluster: Cluster, host: Host) -> Path:
    """Return the folder in which `host` finds the socket for its message that it has booted."""
    directory = host_directory(cluster.prefix, host.name) / "notify"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def _public_key(path: Path) -> str:
    """Return the public half of the key in `path` as one line, after making it where there was none."""
    if path.exists():
        loaded = serialization.load_ssh_private_key(path.read_bytes(), password=None)
        public = loaded.public_key()
    else:
        key = Ed25519PrivateKey.generate()
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        _write(path, text.decode())
        public = key.public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _write(path: Path, text: str) -> None:
    """Put `text` into `path`, readable by its owner alone from its first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.rename(path)
