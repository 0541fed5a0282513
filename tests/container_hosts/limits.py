"""Limits of this machine that all its container hosts share."""

from __future__ import annotations

import contextlib
from pathlib import Path

from flatnet.errors import FlatnetError

# Counted on a node of a running cluster: systemd 3, dbus 1, containerd 2, kubelet 6, kube-proxy 1; on a
# control plane API server and controller manager have 7 each.
INOTIFY_PER_HOST = 16


def check_inotify(hosts: int, proc: Path = Path("/proc")) -> None:
    """Raise FlatnetError when this machine has too few inotify instances left for that many more hosts.

    The kernel counts them per user (inotify(7)), so those of all hosts together. Past the limit, units,
    kubelets and container runtimes fail one after the other, each with words of its own.
    """
    limit = int((proc / "sys/fs/inotify/max_user_instances").read_text())
    taken = inotify_instances(proc)
    needed = taken + INOTIFY_PER_HOST * hosts
    if hosts and needed > limit:
        raise FlatnetError(
            f"{hosts} more hosts need about {INOTIFY_PER_HOST * hosts} inotify instances, but of the {limit} "
            f"that a user may have {taken} are taken: destroy other hosts (make destroy), or allow more with "
            f"sysctl -w fs.inotify.max_user_instances={2 * needed}"
        )


def inotify_instances(proc: Path) -> int:
    """Return how many inotify instances the processes of this machine have open."""
    count = 0
    for folder in proc.glob("[0-9]*/fd"):
        # Processes end while they are looked at.
        with contextlib.suppress(OSError):
            for descriptor in folder.iterdir():
                with contextlib.suppress(OSError):
                    count += str(descriptor.readlink()) == "anon_inode:inotify"
    return count
