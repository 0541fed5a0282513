"""The directory of certificates and keys: one run at a time, whole writes only, keys for the owner only."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.late_writes import refuse_late_write

KEY_MODE = 0o600
PUBLIC_MODE = 0o644
DIRECTORY_MODE = 0o700
_LOCK = ".lock"
_UNFINISHED = ".new"
_GITIGNORE = (
    b"# Private keys stay out of version control unless somebody decides otherwise here.\n"
    b"*.key\n*.kubeconfig\n.lock\n"
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """The content of a file and its permission bits."""

    content: bytes
    mode: int


class Store:
    """The files of one directory; with check True nothing in it is ever written, and it need not exist.

    preview: a directory of its own for what a check would have written; target: where writes go, if anywhere.
    """

    def __init__(self, directory: Path, *, check: bool, preview: Path | None = None) -> None:
        """Remember the directory; use `open_store` to get a locked one."""
        self.directory = directory
        self.check = check
        self.target = preview if check else directory

    def path(self, file_name: str) -> Path:
        """Return the path of a file in the directory."""
        return self.directory / file_name

    def read(self, file_name: str) -> StoredFile | None:
        """Return the file, None when there is none.

        Raises FlatnetError when it is there but cannot be read: replacing a file of somebody else is no
        repair.
        """
        path = self.path(file_name)
        try:
            with path.open("rb") as stream:
                return StoredFile(stream.read(), os.fstat(stream.fileno()).st_mode & 0o7777)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(path, "read", error) from error

    def latest(self, file_name: str) -> bytes | None:
        """Return the content that a file has after what was written, None when there is no such file.

        In a check that is what would have been written, as far as there was a place for it.
        """
        if self.target is not None and (self.target / file_name).exists():
            return (self.target / file_name).read_bytes()
        found = self.read(file_name)
        return found.content if found else None

    def write(self, file_name: str, content: bytes, mode: int, *, durable: bool = False) -> None:
        """Replace the file at once; durable waits for the disk, for content that cannot be made again.

        The new file has its mode before it has content, whatever the umask is. A run that is killed leaves
        the old file and an unfinished one, which the next run removes.
        """
        if self.target is None:
            return
        path, unfinished = self.target / file_name, self.target / f".{file_name}{_UNFINISHED}"
        refuse_late_write(path)
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(descriptor, mode)
                stream.write(content)
                if durable:
                    stream.flush()
                    os.fsync(descriptor)
            unfinished.replace(path)
            if durable:
                _sync_directory(self.target)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise _refusal(path, "write", error) from error

    def set_mode(self, file_name: str, mode: int) -> None:
        """Set the mode of a file, or of the directory, which is named "."."""
        if self.check:
            return
        path = self.path(file_name)
        try:
            path.chmod(mode)
        except OSError as error:
            raise _refusal(path, "change the mode of", error) from error

    def names(self, suffix: str) -> list[str]:
        """Return the names, without the suffix, of the files that end in it, sorted."""
        if not self.directory.is_dir():
            return []
        return sorted(
            path.name.removesuffix(suffix) for path in self.directory.iterdir() if path.suffix == suffix
        )

    def complete_preview(self) -> None:
        """Have the preview show every file: links to those that a check would not have written."""
        if self.target in (None, self.directory) or not self.directory.is_dir():
            return
        for path in self.directory.iterdir():
            seen = self.target / path.name
            if not path.name.startswith(".") and not seen.exists():
                seen.symlink_to(path.absolute())

    def mode(self) -> int | None:
        """Return the permission bits of the directory, None when there is none."""
        try:
            return self.directory.stat().st_mode & 0o7777
        except FileNotFoundError:
            return None


@contextmanager
def open_store(
    directory: Path, *, check: bool, lock_seconds: float, preview: Path | None = None
) -> Iterator[Store]:
    """Yield the store of the directory, locked against other runs; it is made when it is missing.

    A check only shares the lock, and only where there is one, so that it leaves no trace.
    Raises FlatnetError when another run holds the lock for longer than lock_seconds.
    """
    store = Store(directory, check=check, preview=preview)
    lock = store.path(_LOCK)
    if check and not lock.exists():
        yield store
        return
    if not check:
        _make_directory(store)
    try:
        descriptor = os.open(lock, os.O_RDONLY if check else os.O_RDWR | os.O_CREAT, KEY_MODE)
    except OSError as error:
        raise _refusal(lock, "open", error) from error
    try:
        _lock(descriptor, fcntl.LOCK_SH if check else fcntl.LOCK_EX, lock, lock_seconds)
        if not check:
            for path in directory.glob(f".*{_UNFINISHED}"):
                path.unlink()
            if [path.name for path in directory.iterdir()] == [_LOCK]:
                store.write(".gitignore", _GITIGNORE, PUBLIC_MODE)
        yield store
    finally:
        os.close(descriptor)


def _make_directory(store: Store) -> None:
    try:
        store.directory.parent.mkdir(parents=True, exist_ok=True)
        store.directory.mkdir(mode=DIRECTORY_MODE)
    except FileExistsError:
        return
    except OSError as error:
        raise _refusal(store.directory, "create", error) from error
    # mkdir's mode loses the bits of the umask.
    store.directory.chmod(DIRECTORY_MODE)


def _lock(descriptor: int, kind: int, path: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise FlatnetError(
                    f"{path}: another run has held this lock for {seconds:g} s: let it end (fuser shows its"
                    " process)"
                ) from None
            time.sleep(0.02)
        else:
            return


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, action: str, error: OSError) -> FlatnetError:
    return FlatnetError(f"cannot {action} {path}: {error.strerror}: make it belong to the user who runs this")
