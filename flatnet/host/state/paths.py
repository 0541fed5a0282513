"""Files, programs, links and directories: compared, then written beside their place and renamed into it."""

from __future__ import annotations

import os
import stat
from functools import partial

from .digests import Digests, digest_of
from .host import Host, StateError
from .plan import Change, Phase, Plan, Undo
from .record import HOME
from .show import content_diff
from .wanted import WantedDirectory, WantedFile

STAGING = f"{HOME}/staging"
NEW = ".flatnet-new"
OLD = ".flatnet-old"


def beside(path: str, suffix: str) -> str:
    """Return the name of a temporary file beside path; always the same, so that leftovers can be found."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}{suffix}")


def is_leftover(name: str) -> bool:
    """Tell whether a name is one of those temporary ones."""
    return name.startswith(".") and name.endswith((NEW, OLD))


def ids(host: Host, what: str, owner: str, group: str) -> tuple[int, int]:
    """Return the numbers of an owner and a group. Raises StateError."""
    try:
        uid = host.user_id(owner)
    except KeyError:
        raise StateError(f"{what}: there is no user {owner} on this host; create it first") from None
    try:
        return uid, host.group_id(group)
    except KeyError:
        raise StateError(f"{what}: there is no group {group} on this host; create it first") from None


def access_reasons(found: os.stat_result, mode: int, owner: tuple[int, int]) -> list[str]:
    """Return in what way mode and owner differ from those wanted."""
    reasons = []
    if stat.S_IMODE(found.st_mode) != mode:
        reasons.append(f"mode is {stat.S_IMODE(found.st_mode):04o}, wanted {mode:04o}")
    if (found.st_uid, found.st_gid) != owner:
        reasons.append(f"owner is {found.st_uid}:{found.st_gid}, wanted {owner[0]}:{owner[1]}")
    return reasons


def plan_labels(host: Host, plan: Plan) -> None:
    """Plan to give changed paths their SELinux labels: a renamed file keeps that of where it was written."""
    if plan.touched and host.lstat("/sys/fs/selinux/enforce") is not None:
        plan.add(Phase.LABEL, [], partial(_label, host, plan.touched))


def _label(host: Host, paths: list[str], undo: Undo) -> None:
    del undo
    present = [path for path in paths if host.lstat(path) is not None]
    ran = host.run(["restorecon", *present]) if present else None
    if ran is not None and ran.status not in (0, 127):
        raise StateError(f"restorecon {' '.join(present)}: {ran.complaint}")


class Paths:
    """Compares paths with the host and plans what to do about them."""

    def __init__(self, host: Host, digests: Digests, plan: Plan, removed: set[str], with_diff: bool) -> None:
        """Take the paths that the plan removes anyway, so that they do not stand in the way."""
        self._host = host
        self._digests = digests
        self._plan = plan
        self._removed = removed
        self._with_diff = with_diff

    def directory(self, wanted: WantedDirectory) -> None:
        """Plan one directory. A link to a directory will do."""
        owner = ids(self._host, f"directory {wanted.path}", wanted.owner, wanted.group)
        gone = wanted.path in self._removed
        found = None if gone else self._host.stat(wanted.path)
        if found is None:
            if not gone and self._host.lstat(wanted.path) is not None:
                raise StateError(
                    f"directory {wanted.path}: a link to nothing stands there; remove it, or mend its target"
                )
            reason = "missing, needed by what is below it" if wanted.implicit else "missing"
            change = Change("directory", wanted.path, "create", reason)
            self._step(wanted.path, change, partial(self._make, wanted, owner))
            return
        if not stat.S_ISDIR(found.st_mode):
            raise StateError(
                f"directory {wanted.path}: a file stands there; remove it, or choose another path"
            )
        reasons = [] if wanted.implicit else access_reasons(found, wanted.mode, owner)
        if reasons:
            change = Change("directory", wanted.path, "update", ", ".join(reasons))
            self._step(wanted.path, change, partial(self._set_access, wanted.path, found, wanted.mode, owner))

    def file(self, wanted: WantedFile, was_sensitive: bool) -> None:
        """Plan one file."""
        owner = ids(self._host, f"{wanted.kind} {wanted.path}", wanted.owner, wanted.group)
        found = None if wanted.path in self._removed else self._host.lstat(wanted.path)
        content = self._content_reason(wanted, found)
        access = []
        if found is not None and stat.S_ISREG(found.st_mode):
            access = access_reasons(found, wanted.mode, owner)
        if not content and not access:
            return
        action = "create" if found is None else "update"
        change = Change(wanted.kind, wanted.path, action, ", ".join([*content, *access]))
        if self._with_diff and content:
            hidden = wanted.sensitive or was_sensitive
            self._plan.diffs.append(content_diff(self._host, wanted, found, hidden))
        if content:
            if wanted.data is None and not self._is_staged(wanted):
                self._plan.missing.add(wanted.sha256)
            self._step(wanted.path, change, partial(self._install, wanted, owner))
        elif found is not None:
            self._step(wanted.path, change, partial(self._set_access, wanted.path, found, wanted.mode, owner))

    def link(self, path: str, target: str) -> None:
        """Plan one symbolic link."""
        found = None if path in self._removed else self._host.lstat(path)
        if found is None:
            reason = "missing"
        elif stat.S_ISDIR(found.st_mode):
            raise StateError(f"link {path}: a directory stands there; remove it, or choose another path")
        elif not stat.S_ISLNK(found.st_mode):
            reason = "is a file"
        elif self._host.target(path) != target:
            reason = f"points to {self._host.target(path)}"
        else:
            return
        change = Change(
            "link", path, "create" if found is None else "update", f"{reason}, wanted -> {target}"
        )
        self._step(path, change, partial(self._make_link, path, target))

    def _content_reason(self, wanted: WantedFile, found: os.stat_result | None) -> list[str]:
        if found is None:
            return ["missing"]
        if stat.S_ISLNK(found.st_mode):
            return ["is a link"]
        if stat.S_ISDIR(found.st_mode):
            raise StateError(
                f"{wanted.kind} {wanted.path}: a directory stands there; remove it, or choose another path"
            )
        if not stat.S_ISREG(found.st_mode):
            return ["is not a file"]
        if wanted.data is not None:
            same = found.st_size == len(wanted.data) and self._host.read(wanted.path) == wanted.data
        else:
            same = self._digests.of(wanted.path) == wanted.sha256
        return [] if same else ["content differs"]

    def _is_staged(self, wanted: WantedFile) -> bool:
        path = f"{STAGING}/{wanted.sha256}"
        found = self._host.lstat(path)
        if found is None or not stat.S_ISREG(found.st_mode):
            return False
        return digest_of(self._host, path) == wanted.sha256

    def _step(self, path: str, change: Change, how: partial[None]) -> None:
        self._plan.add(Phase.WRITE, [change], how)
        self._plan.touched.append(path)

    # Carrying out

    def _make(self, wanted: WantedDirectory, owner: tuple[int, int], undo: Undo) -> None:
        undo.back(wanted.path, partial(self._unmake, wanted.path))
        self._host.make_directory(wanted.path, wanted.mode, owner)

    def _unmake(self, path: str) -> None:
        if self._host.lstat(path) is not None:
            self._host.remove_directory(path)

    def _set_access(
        self, path: str, found: os.stat_result, mode: int, owner: tuple[int, int], undo: Undo
    ) -> None:
        before = (stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid))
        undo.back(path, lambda: self._host.set_access(path, *before))
        self._host.set_access(path, mode, owner)

    def _make_link(self, path: str, target: str, undo: Undo) -> None:
        new = self._fresh(path, undo)
        self._host.link(new, target)
        self._put_in_place(new, path, undo)

    def _install(self, wanted: WantedFile, owner: tuple[int, int], undo: Undo) -> None:
        new = self._fresh(wanted.path, undo)
        if wanted.data is not None:
            self._host.write(new, wanted.data, wanted.mode, owner)
        else:
            self._unpack(wanted, new, owner, undo)
        self._validate(wanted, new)
        self._put_in_place(new, wanted.path, undo)

    def _fresh(self, path: str, undo: Undo) -> str:
        """Return a temporary name that is free, and that is freed again when all is put back."""
        new = beside(path, NEW)
        self._host.discard(new)
        undo.back(new, lambda: self._host.discard(new))
        return new

    def _unpack(self, wanted: WantedFile, new: str, owner: tuple[int, int], undo: Undo) -> None:
        staged = f"{STAGING}/{wanted.sha256}"
        found = self._host.lstat(staged)
        # A blob that another user brought could still be written to by him: it is copied, and verified after.
        is_ours = found is not None and found.st_uid == os.geteuid() and found.st_nlink == 1
        if not (is_ours and self._host.adopt(staged, new, wanted.mode, owner)):
            self._host.copy(staged, new, wanted.mode, owner)
            if digest_of(self._host, new) != wanted.sha256:
                raise StateError(f"{wanted.kind} {wanted.path}: its copy on the host is damaged; apply again")
        undo.afterwards(lambda: self._host.discard(staged))

    def _validate(self, wanted: WantedFile, new: str) -> None:
        if not wanted.validate:
            return
        command = [word.replace("{path}", self._host.at(new)) for word in wanted.validate]
        ran = self._host.run(command, changes=False)
        if ran.status != 0:
            said = "(what it said is withheld: the file is sensitive)" if wanted.sensitive else ran.complaint
            raise StateError(
                f"{wanted.kind} {wanted.path}: its new content is refused by "
                f"`{' '.join(wanted.validate)}`: {said}"
            )

    def _put_in_place(self, new: str, path: str, undo: Undo) -> None:
        old = beside(path, OLD)
        self._host.discard(old)
        if self._host.lstat(path) is None:
            self._host.rename(new, path)
            undo.back(path, lambda: self._host.discard(path))
            return
        # rename() between two names of one file does nothing, so the second name is discarded too.
        undo.back(old, lambda: self._host.discard(old))
        self._host.keep(path, old)
        undo.back(path, lambda: self._host.rename(old, path))
        undo.afterwards(lambda: self._host.discard(old))
        self._host.rename(new, path)
