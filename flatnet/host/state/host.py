"""The one door to the host: its files and its programs, under a root that tests choose.

Every method that changes something calls `step` first, so a test can end an apply at any point.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import time
from contextlib import suppress
from typing import NamedTuple

CHUNK = 1 << 20
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StateError(Exception):
    """The state cannot be reached; the message names the item, the reason and the fix."""


class Ran(NamedTuple):
    """What a program did: its exit status and its output as text."""

    status: int
    output: str
    errors: str

    @property
    def complaint(self) -> str:
        """What it said, in one line."""
        return " ".join((self.errors.strip() or self.output.strip()).split()) or f"exit status {self.status}"


class Host:
    """Files and programs of one host. Paths are absolute as the host sees them."""

    def __init__(self, root: str = "/") -> None:
        """Take `root` for /."""
        self._root = root.rstrip("/")

    def step(self, what: str) -> None:
        """Do nothing; tests override this to stop an apply before the change `what`."""

    def at(self, path: str) -> str:
        """Return where a path of the host lies in the file system of this process."""
        return self._root + path

    def clock(self) -> float:
        """Return the seconds since the machine was started, as systemd counts them."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    # Reading

    def lstat(self, path: str) -> os.stat_result | None:
        """Return what is at path, links not followed, or None."""
        try:
            return os.lstat(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stat(self, path: str) -> os.stat_result | None:
        """Return what is at path, links followed, or None."""
        try:
            return os.stat(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        with open(self.at(path), "rb") as file:
            return file.read()

    def text(self, path: str) -> str | None:
        """Return a small text (of /proc, say) without its last newline, or None when it is not there."""
        try:
            return self.read(path).decode(errors="replace").rstrip("\n")
        except OSError:
            return None

    def target(self, path: str) -> str:
        """Return where a symbolic link points."""
        return os.readlink(self.at(path))

    def names_in(self, directory: str) -> list[str]:
        """Return the sorted names in a directory; none when it is not there."""
        try:
            return sorted(os.listdir(self.at(directory)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def user_id(self, name: str) -> int:
        """Return the number of a user. Raises KeyError."""
        import pwd

        return 0 if name == "root" else pwd.getpwnam(name).pw_uid

    def group_id(self, name: str) -> int:
        """Return the number of a group. Raises KeyError."""
        import grp

        return 0 if name == "root" else grp.getgrnam(name).gr_gid

    def program(self, name: str) -> str | None:
        """Return the path of a program, or None."""
        return shutil.which(name, path=SEARCH_PATH)

    # Changing

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        """Run a program to its end; one that is not installed is Ran with status 127."""
        if changes:
            self.step(" ".join(arguments))
        environment = {**os.environ, "LC_ALL": "C", "PATH": SEARCH_PATH}
        try:
            done = subprocess.run(
                arguments,
                input=text,
                stdin=None if text is not None else subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=environment,
                check=False,
            )
        except FileNotFoundError:
            return Ran(127, "", f"{arguments[0]} is not installed on this host")
        except OSError as error:
            return Ran(126, "", f"{arguments[0]} cannot be run: {error.strerror}")
        return Ran(done.returncode, done.stdout, done.stderr)

    def write(self, path: str, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
        """Write a new file with its final mode and owner, down to the disk. Nothing may be at path."""
        self.step(f"write {path}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(self.at(path), flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            self._finish(descriptor, mode, owner)

    def copy(self, source: str, path: str, mode: int, owner: tuple[int, int] | None) -> None:
        """Write a new file with the bytes of another one, never more than a chunk of it in memory."""
        self.step(f"copy {source} to {path}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(self.at(path), flags, 0o600)
        with os.fdopen(descriptor, "wb") as file, open(self.at(source), "rb") as original:
            shutil.copyfileobj(original, file, CHUNK)
            file.flush()
            self._finish(descriptor, mode, owner)

    def adopt(self, source: str, path: str, mode: int, owner: tuple[int, int] | None) -> bool:
        """Give a file a second name, and its final mode and owner, without copying; False if it cannot be."""
        self.step(f"link {source} to {path}")
        try:
            os.link(self.at(source), self.at(path))
        except OSError:
            return False
        descriptor = os.open(self.at(path), os.O_RDONLY | os.O_NOFOLLOW)
        try:
            self._finish(descriptor, mode, owner)
        finally:
            os.close(descriptor)
        return True

    def _finish(self, descriptor: int, mode: int, owner: tuple[int, int] | None) -> None:
        if owner is not None:
            self._own(descriptor, owner)
        os.fchmod(descriptor, mode)
        self.sync(descriptor)

    def sync(self, descriptor: int) -> None:
        """Wait until a file is on the disk: a name must never point to bytes that a power cut can take."""
        os.fsync(descriptor)

    def _own(self, file: int | str, owner: tuple[int, int]) -> None:
        os.chown(file, *owner)

    def keep(self, path: str, copy: str) -> None:
        """Give what is at path a second name, so that it survives being replaced."""
        self.step(f"keep {path}")
        try:
            os.link(self.at(path), self.at(copy), follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            shutil.copy2(self.at(path), self.at(copy), follow_symlinks=False)
            found = os.lstat(self.at(path))
            os.chown(self.at(copy), found.st_uid, found.st_gid, follow_symlinks=False)

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link. Nothing may be at path."""
        self.step(f"link {path}")
        os.symlink(target, self.at(path))

    def rename(self, path: str, to: str) -> None:
        """Move within a directory, in one step."""
        self.step(f"rename {path} to {to}")
        os.rename(self.at(path), self.at(to))

    def make_directory(self, path: str, mode: int, owner: tuple[int, int] | None) -> None:
        """Make one directory with its mode and owner."""
        self.step(f"make {path}")
        os.mkdir(self.at(path), 0o700)
        self.set_access(path, mode, owner)

    def set_access(self, path: str, mode: int, owner: tuple[int, int] | None) -> None:
        """Set mode and owner of what is there."""
        self.step(f"mode of {path}")
        if owner is not None:
            self._own(self.at(path), owner)
        os.chmod(self.at(path), mode)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        self.step(f"remove {path}")
        os.rmdir(self.at(path))

    def discard(self, path: str) -> None:
        """Remove whatever is at path, with all below it; nothing there is fine."""
        found = self.lstat(path)
        if found is None:
            return
        self.step(f"discard {path}")
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(self.at(path))
        else:
            os.unlink(self.at(path))

    def set_value(self, path: str, value: str) -> None:
        """Write a value into a file of /proc or /sys."""
        self.step(f"set {path}")
        with open(self.at(path), "w", encoding="ascii") as file:
            file.write(value + "\n")

    def end_process(self, process: str) -> None:
        """End a process at once; one that has ended by itself is fine."""
        self.step(f"end process {process}")
        with suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
