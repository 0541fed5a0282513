"""Taking away: what an owner had and no longer wants, and what a state wants absent."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial

from .host import Host, StateError
from .paths import OLD, beside, is_leftover
from .plan import Change, Phase, Plan, Undo
from .record import Record
from .wanted import Wanted


def ancestors(paths: set[str]) -> set[str]:
    """Return all directories above any of the paths, without /."""
    above: set[str] = set()
    for path in paths:
        directory = os.path.dirname(path)
        while directory not in above and directory != "/":
            above.add(directory)
            directory = os.path.dirname(directory)
    return above


class Removal:
    """Finds the paths to take away and plans it."""

    def __init__(self, host: Host, wanted: Wanted, old: Record, others: list[Record]) -> None:
        """Look at the host; nothing is changed."""
        self._host = host
        self._old = old
        self.removed: set[str] = set()
        self._reasons: dict[str, tuple[str, str]] = {}
        self._trees: set[str] = set()
        # Directories that were there before us, and the mode and owner they had.
        self.given_back: dict[str, list[int]] = {}
        names = {file.path for file in wanted.files} | set(wanted.links)
        directories = {directory.path for directory in wanted.directories}
        needed = directories | ancestors(names | directories)
        self._find_files(names)
        for path in wanted.absent:
            self._find_absent(path)
        claimed = {path for other in others for path in other.directories}
        for path in sorted(old.directories, key=len, reverse=True):
            if path not in needed and path not in claimed:
                self._find_directory(path)

    def plan(self, plan: Plan) -> None:
        """Add the steps. A directory that goes takes along all that goes below it, in one rename."""
        for path in sorted(self.removed):
            kind, reason = self._reasons[path]
            change = Change(kind, path, "remove", reason)
            # By itself or along with a directory, afterwards it is absent; a check has to foresee that.
            plan.touched.append(path)
            if self._goes_along(path):
                plan.changes.append((Phase.REMOVE, change))
                continue
            plan.add(Phase.REMOVE, [change], partial(self._take_away, path))
        for path, access in self.given_back.items():
            reason = f"was {access[0]:04o} {access[1]}:{access[2]} before"
            change = Change("directory", path, "restore", reason)
            plan.add(Phase.REMOVE, [change], partial(self._give_back, path))

    def takes(self, path: str) -> bool:
        """Tell whether path goes, by itself or with a directory above it."""
        return path in self.removed or self._goes_along(path)

    def _goes_along(self, path: str) -> bool:
        """Tell whether a directory above path goes; those between the two need not be named themselves."""
        return not self.removed.isdisjoint(ancestors({path}))

    def _find_files(self, names: set[str]) -> None:
        for path in [*self._old.files, *self._old.links]:
            if path in names:
                continue
            found = self._host.lstat(path)
            if found is not None and not stat.S_ISDIR(found.st_mode):
                kind = "link" if path in self._old.links else "file"
                self._add(path, kind, "no longer wanted")

    def _find_absent(self, path: str) -> None:
        found = self._host.lstat(path)
        if found is None:
            return
        if not stat.S_ISDIR(found.st_mode):
            self._add(path, "file", "wanted absent")
            return
        self._refuse_mounts(path)
        self._add(path, "directory", "wanted absent")
        self._trees.add(path)

    def _find_directory(self, path: str) -> None:
        entry = self._old.directories[path]
        found = self._host.lstat(path)
        if found is None or not stat.S_ISDIR(found.st_mode) or path in self.removed:
            return
        if entry["created"]:
            if not self._strangers(path):
                self._add(path, "directory", "no longer wanted, and empty")
            return
        if entry["previous"] is None or self.takes(path):
            return
        now = [stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid]
        if now != entry["previous"] and now in entry["given"]:
            self.given_back[path] = entry["previous"]

    def _strangers(self, path: str) -> list[str]:
        return [
            name
            for name in self._host.names_in(path)
            if not is_leftover(name) and f"{path}/{name}" not in self.removed
        ]

    def _add(self, path: str, kind: str, reason: str) -> None:
        self.removed.add(path)
        self._reasons[path] = (kind, reason)

    def _refuse_mounts(self, path: str) -> None:
        for line in (self._host.text("/proc/self/mounts") or "").splitlines():
            place = line.split(" ")[1].replace("\\040", " ")
            if place == path or place.startswith(path + "/"):
                raise StateError(
                    f"directory {path} is wanted absent, but {place} is mounted; unmount it first"
                )

    # Carrying out

    def _take_away(self, path: str, undo: Undo) -> None:
        if path not in self._trees:
            self._refuse_newcomers(path)
        old = beside(path, OLD)
        self._host.discard(old)
        try:
            self._host.rename(path, old)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # A directory of an image's lower layer cannot be renamed; it goes when all else has succeeded.
            undo.afterwards(lambda: self._host.discard(path))
            return
        undo.back(path, lambda: self._host.rename(old, path))
        undo.afterwards(lambda: self._host.discard(old))

    def _refuse_newcomers(self, path: str) -> None:
        for directory in [path, *(below for below in self.removed if below.startswith(path + "/"))]:
            found = self._host.lstat(directory)
            if found is None or not stat.S_ISDIR(found.st_mode) or directory in self._trees:
                continue
            strangers = self._strangers(directory)
            if strangers:
                raise StateError(
                    f"directory {directory}: {strangers[0]} appeared in it while it was being removed; "
                    "apply again"
                )

    def _give_back(self, path: str, undo: Undo) -> None:
        entry = self.given_back[path]
        found = self._host.stat(path)
        if found is None:
            return
        before = (stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid))
        undo.back(path, lambda: self._host.set_access(path, *before))
        self._host.set_access(path, entry[0], (entry[1], entry[2]))
