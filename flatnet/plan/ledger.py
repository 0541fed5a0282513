"""The allocations file beside the inventory: read, locked, written atomically; committed by the ops team."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.late_writes import refuse_late_write
from flatnet.plan.allocations import Allocations
from flatnet.plan.ledger_diff import edits_diff, text_diff
from flatnet.plan.ledger_splice import splice, spliced
from flatnet.plan.ledger_text import ledger_text, parse_ledger, read_ledger

__all__ = ["Ledger", "ledger_text", "open_ledger", "parse_ledger"]

# A plan takes a second; who waits longer waits for something that will not end by itself.
LOCK_SECONDS = 60.0
_POLL_SECONDS = 0.05


class Ledger:
    """The file while its lock is held: what it held, and a way to replace that."""

    def __init__(self, path: Path, locked: Path, locks: ExitStack) -> None:
        """Read the file; an absent one is an empty ledger. `locked` is the directory that is locked."""
        self.path = path
        found = _read(path)
        self.before = ""
        self.allocations, self._layout, self._line_end = Allocations(), None, "\n"
        if found is not None:
            self.before, self._line_end = found
            self.allocations, self._layout = read_ledger(self.before, str(path))
        self._locked = locked
        self._locks = locks

    def text_after(self, allocations: Allocations) -> str:
        """Return the text to write: the lines of changed entries are changed, and all else stays.

        Comments and blank lines are kept, unless the file is of a shape that only a parser of YAML reads: it
        is then rewritten.
        """
        if allocations == self.allocations:
            return self.before
        if self._layout is None:
            return ledger_text(allocations)
        return spliced(self._layout, splice(self._layout, self.allocations, allocations))

    def diff(self, allocations: Allocations) -> str:
        """Return what text_after changes as a unified diff; its length is that of the change."""
        if self._layout is None:
            return text_diff(self.before, self.text_after(allocations), str(self.path))
        edits = splice(self._layout, self.allocations, allocations)
        return edits_diff(self._layout.lines, edits, str(self.path))

    def write(self, text: str) -> bool:
        """Replace the file atomically, keeping its mode. Returns False if there was nothing to do.

        Raises FlatnetError when it cannot be written, when the run has ended meanwhile, or when it is not any
        more what was read: the lock keeps other runs out, but not an editor or version control. The file is
        then left as it is.
        """
        if text == self.before:
            return False
        try:
            if self._locked != self.path.parent:
                # The directory is only made now that there is something for it. Whoever saw it appear may
                # hold its lock.
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._locks.enter_context(_lock(self.path.parent, self.path))
                self._locked = self.path.parent
            if (_read(self.path) or ("",))[0] != self.before:
                raise FlatnetError(
                    f"the allocations file {self.path} changed while the network was planned; plan again"
                )
            refuse_late_write(self.path)
            _replace(self.path, text, self._line_end)
        except OSError as error:
            raise FlatnetError(
                f"the allocations file {self.path} cannot be written: {error}; "
                "make its directory writable, or choose another file"
            ) from None
        self.before = text
        return True


def _read(path: Path) -> tuple[str, str] | None:
    """Return the text with plain line ends, and the line end that the file has; None for no file."""
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read()
            return text, "\r\n" if stream.newlines == "\r\n" else "\n"
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FlatnetError(
            f"the allocations file {path} cannot be read: {error}; make it a readable text file"
        ) from None


def _replace(path: Path, text: str, line_end: str) -> None:
    try:
        mode = path.stat().st_mode & 0o7777
    except FileNotFoundError:
        mode = 0o644
    prefix = f".{path.name}."
    # What a run that was killed left behind; nobody else writes while the lock is held.
    for left in path.parent.glob(f"{prefix}*.new"):
        left.unlink(missing_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline=line_end) as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """Hold the lock and yield the ledger, so that two runs cannot give the same network to two nodes.

    The lock is on the directory, or on the nearest one above that exists: a write replaces the file itself,
    and a lock file would end up in commits. A symbolic link is followed, so that the link stays a link.
    Nothing is made before Ledger.write.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:
        raise FlatnetError(
            f"the allocations file {path} cannot be found: {error}; choose another file"
        ) from None
    directory = next(above for above in real.parents if above.is_dir())
    with ExitStack() as locks:
        locks.enter_context(_lock(directory, path))
        yield Ledger(real, directory, locks)


@contextmanager
def _lock(directory: Path, path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise FlatnetError(
            f"the directory of the allocations file {path} cannot be opened: {error}; make it readable"
        ) from None
    try:
        _wait_for_lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, path: Path) -> None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise FlatnetError(
                    f"the allocations file {path} is in use by another run for {LOCK_SECONDS:.0f} s; "
                    "wait for that run, or end it"
                ) from None
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            raise FlatnetError(
                f"the directory of the allocations file {path} cannot be locked: {error}; "
                "keep the file on a file system with locks"
            ) from None
        else:
            return
