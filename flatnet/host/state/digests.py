"""Digests of files, and the memory that spares reading large ones again."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from .host import CHUNK, Host
from .record import Record

# Below this a file is read each time: that is quick, and leaves nothing to trust.
REMEMBERED_SIZE = 64 * 1024
# A file system's clock may stand still this long: a file changed twice within it can look unchanged.
CLOCK_TICK = 0.02


def identity(found: os.stat_result) -> list[int]:
    """Return what changes whenever a file's bytes do (the kernel sets the ctime, nobody else can)."""
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def digest_of(host: Host, path: str) -> str:
    """Return the sha256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with open(host.at(path), "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class Digests:
    """Digests of the host's files as they are now."""

    def __init__(self, host: Host, records: list[Record], foreseen: dict[str, str] | None = None) -> None:
        """Trust what any owner's record remembers of a file that has not changed since.

        foreseen: the digests of files that would be others by now, were this not check mode.
        """
        self._host = host
        self._foreseen = foreseen or {}
        self._known: dict[tuple[Any, ...], str] = {}
        for record in records:
            for path, (sha256, *stamp) in record.digests.items():
                self._known[(path, *stamp)] = sha256

    def of(self, path: str) -> str:
        """Return the sha256 of what is at path, links followed; "absent" when there is no file."""
        if path in self._foreseen:
            return self._foreseen[path]
        found = self._host.stat(path)
        if found is None or not os.path.isfile(self._host.at(path)):
            return "absent"
        key = (path, *identity(found))
        if key not in self._known:
            self._known[key] = digest_of(self._host, path)
        return self._known[key]

    @staticmethod
    def remember(host: Host, paths: dict[str, str]) -> dict[str, list[Any]]:
        """Return the memory for a record: of those paths (with their digests), the large ones.

        Waits for the clock of the file system to move on where a file is that fresh, for at most CLOCK_TICK.
        """
        memory: dict[str, list[Any]] = {}
        newest = 0
        for path, sha256 in sorted(paths.items()):
            found = host.stat(path)
            if found is not None and found.st_size >= REMEMBERED_SIZE:
                memory[path] = [sha256, *identity(found)]
                newest = max(newest, found.st_ctime_ns)
        wait = CLOCK_TICK - (time.time_ns() - newest) / 1e9
        if newest and 0 < wait <= CLOCK_TICK:
            host.wait(wait)
        return memory
