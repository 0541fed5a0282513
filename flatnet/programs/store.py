"""The cache on the controller: one folder per upstream, version and input, complete or absent.

Layout, the same whatever the source: `<cache>/programs/<upstream>-<version>-<key12>/` with the programs,
sets of files below `files/<name>/`, `SHA256SUMS` (the format of sha256sum(1)) and `origin.json` (what it was
made from). A folder appears by rename, so that an interrupted build leaves nothing that looks finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.paths import cache_directory

SUMS = "SHA256SUMS"
ORIGIN = "origin.json"
_UNFINISHED = ".unfinished-"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Store:
    """Folders of finished programs (or images) under `root`."""

    root: Path

    def entry(self, name: str, version: str, key: str) -> Path:
        """Return the folder of `name` at `version` made from the input that `key` (hex) stands for."""
        return self.root / f"{name}-{version}-{key[:12]}"

    def is_complete(self, entry: Path) -> bool:
        """Return whether `entry` is finished (only then is it renamed into place) and still whole."""
        return (entry / SUMS).is_file() and all((entry / name).is_file() for name in read_sums(entry))

    def entries(self, name: str, version: str) -> list[Path]:
        """Return every folder of `name` at `version`, the newest first."""
        found = [path for path in self.root.glob(f"{name}-{version}-*") if path.is_dir()]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

    def origin(self, entry: Path) -> dict[str, Any]:
        """Return what `entry` was made from; empty when that was not recorded."""
        try:
            recorded = json.loads((entry / ORIGIN).read_text())
        except (OSError, ValueError):
            return {}
        return recorded if isinstance(recorded, dict) else {}

    @contextmanager
    def lock(self, name: str, waiting: Callable[[str], None] | None = None) -> Iterator[int]:
        """Hold the lock `name` against other processes; `waiting` is told the holder when it is taken.

        Yields its file descriptor: a child that inherits it keeps the lock if this process is killed.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if waiting:
                    waiting(os.pread(descriptor, 32, 0).decode().strip())
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def discard_unfinished(self) -> None:
        """Remove what killed processes left; a folder that a living one fills is locked, and stays."""
        for leftover in self.root.glob(f"{_UNFINISHED}*"):
            with suppress(OSError), _locked(leftover):
                # What cannot be removed now is in nobody's way, and tried again the next time.
                shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def new_entry(self, entry: Path, origin: Mapping[str, Any]) -> Iterator[Path]:
        """Yield an empty folder to fill; it becomes `entry` when the block ends without an exception.

        SHA256SUMS and origin.json are added here, everything is on disk before the name appears.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{entry.name}-", dir=self.root))
        try:
            with _locked(folder):
                yield folder
                files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
                digests = {str(path.relative_to(folder)): digest_of(path) for path in files}
                write_sums(folder, digests)
                (folder / ORIGIN).write_text(json.dumps(origin, indent=1, sort_keys=True) + "\n")
                folder.chmod(0o755)
                for path in folder.rglob("*"):
                    flush(path)
                flush(folder)
                if entry.exists():
                    shutil.rmtree(entry)
                folder.rename(entry)
                flush(self.root)
            DigestCache().learn({entry / name: digest for name, digest in digests.items()})
        except BaseException:
            # The first error is the one to tell; what stays of the folder is discarded later.
            shutil.rmtree(folder, ignore_errors=True)
            raise


def program_store() -> Store:
    """Return the store of programs in the cache directory."""
    return Store(cache_directory() / "programs")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on `folder` that ends with this process; OSError when another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def flush(path: Path) -> None:
    """Have the kernel write a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """Return the hex digest of a file, read in pieces of 1 MiB."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def write_sums(folder: Path, digests: Mapping[str, str]) -> None:
    """Write SHA256SUMS, in the format that `sha256sum --check` reads, atomically."""
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    replace_text(folder / SUMS, text)


def read_sums(folder: Path) -> dict[str, str]:
    """Return file name -> sha256 from SHA256SUMS; FlatnetError when it is missing or a line is malformed."""
    path = folder / SUMS
    try:
        lines = path.read_text().splitlines()
    except OSError as problem:
        raise FlatnetError(
            f"{path} cannot be read ({problem.strerror}); make it with `sha256sum * > {SUMS}` there"
        ) from problem
    digests = {}
    for number, line in enumerate(lines, 1):
        digest, separator, name = line.partition(" ")
        # The second column starts with a space (text) or an asterisk (binary).
        if not separator or len(digest) != 64 or name[:1] not in (" ", "*"):
            raise FlatnetError(
                f"{path}, line {number}: {line!r} is not `<sha256>  <file>`; make it again with sha256sum"
            )
        digests[name[1:].removeprefix("./")] = digest.lower()
    return digests


def replace_text(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees the old content or the new one, never a part."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class DigestCache:
    """Digests of large files, remembered with size, inode and modification time."""

    def __init__(self, path: Path | None = None) -> None:
        """Keep the digests in `path`, by default `digests.json` of the cache directory."""
        self._path = path or cache_directory() / "digests.json"
        self._known = self._read()

    def sha256(self, file: Path) -> str:
        """Return the sha256 of `file`, read only when it is not the file that was read before.

        One process at a time computes: fifty forks that look up the same new file read it once.
        """
        identity = self._identity(file)
        name = str(file.resolve())
        if self._known.get(name, [None])[:-1] == identity:
            return str(self._known[name][-1])
        with Store(self._path.parent).lock("digests"):
            self._known = self._read()
            if self._known.get(name, [None])[:-1] != identity:
                self._known[name] = [*identity, digest_of(file)]
                self._write()
        return str(self._known[name][-1])

    def learn(self, digests: Mapping[Path, str]) -> None:
        """Remember digests that were just computed, so that the first look-up need not."""
        with Store(self._path.parent).lock("digests"):
            self._known = self._read()
            for file, digest in digests.items():
                self._known[str(file.resolve())] = [*self._identity(file), digest]
            self._write()

    def _write(self) -> None:
        self._known = {name: entry for name, entry in self._known.items() if Path(name).exists()}
        replace_text(self._path, json.dumps(self._known, indent=0, sort_keys=True))

    @staticmethod
    def _identity(file: Path) -> list[int]:
        status = file.stat()
        return [status.st_size, status.st_ino, status.st_mtime_ns]

    def _read(self) -> dict[str, list[Any]]:
        try:
            known = json.loads(self._path.read_text())
        except (OSError, ValueError):
            # Only a cache: what cannot be read is computed again.
            return {}
        return known if isinstance(known, dict) else {}
