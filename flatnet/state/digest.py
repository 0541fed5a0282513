"""Digests of large files on the controller: hashed once, not once per host and run."""

import hashlib
import json
import os
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.paths import cache_directory


def file_digest(path: Path) -> str:
    """Return the sha256 of a file. Raises FlatnetError when it cannot be read.

    Remembered in the cache by size, times and inode; an altered file always has another ctime.
    """
    try:
        found = path.stat()
        identity = [str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        memory = cache_directory() / "digests" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"
        known = _recall(memory)
        if known is not None and known["identity"] == identity:
            return str(known["sha256"])
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FlatnetError(
            f"{path} cannot be read: {error.strerror}; make it readable for the user who runs Ansible"
        ) from None
    _remember(memory, {"identity": identity, "sha256": sha256})
    return sha256


def _recall(memory: Path) -> dict[str, object] | None:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and {"identity", "sha256"} <= known.keys() else None


def _remember(memory: Path, known: dict[str, object]) -> None:
    # Several hosts are prepared at once, each by a process of its own: none may see half a file.
    fresh = memory.with_suffix(f".{os.getpid()}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(known))
        fresh.replace(memory)
    except OSError:
        # Without a memory the next run only takes longer.
        fresh.unlink(missing_ok=True)
