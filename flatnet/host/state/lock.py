"""One apply at a time on a host."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .host import Host, StateError
from .record import HOME

LOCK = f"{HOME}/lock"
PATIENCE_SECONDS = 60.0


@contextmanager
def exclusive(host: Host, name: str, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the lock of the host. The kernel lets go of it when this process ends, however it ends.

    Raises StateError when another apply holds it for longer than patience (seconds).
    """
    end = time.monotonic() + patience
    while True:
        descriptor = os.open(host.at(LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait(descriptor, end, patience)
            if not _is_current(host, descriptor):
                # The one before us removed the last of flatnet, this file included.
                continue
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{name}, process {os.getpid()}".encode(), 0)
            yield
            return
        finally:
            os.close(descriptor)


def _wait(descriptor: int, end: float, patience: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "unknown"
                raise StateError(
                    f"another apply ({holder}) has held {LOCK} for {patience:.0f} s; "
                    "wait until it has ended, or end that process, and apply again"
                ) from None
        time.sleep(0.1)


def _is_current(host: Host, descriptor: int) -> bool:
    found = host.lstat(LOCK)
    return found is not None and os.path.samestat(found, os.fstat(descriptor))
