"""What the programs made while they ran: mounts, directories."""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatchcase

from ..state.host import Host
from ..state.record import Record
from .claims import Claims, entries, matches
from .request import Change, Outcome


def remove_mounts(host: Host, claims: Claims, outcome: Outcome, check: bool) -> None:
    """Unmount what programs have mounted, and what is mounted below it: the deepest first."""
    if not claims.listed("mounts"):
        return
    mounts = _mounts(host)
    tops = [place for place in mounts if claims.takes("mounts", place)]
    below = {place for place in mounts for top in tops if f"{place}/".startswith(f"{top}/")}
    for place in sorted(below, reverse=True):
        outcome.changes.append(Change("mount", place))
        if not check:
            ran = host.run(["umount", place])
            if ran.status != 0:
                outcome.problems.append(f"{place} cannot be unmounted: {ran.complaint}")


def data_of(claims: Claims, records: list[Record]) -> dict[str, list[str]]:
    """Return the places of each owner that goes, without those where an owner that stays has something.

    records: of the owners that stay. With a slash at its end a place goes only when it is empty, whoever
    claims it.
    """
    kept = {place.rstrip("/") for owner in claims.staying for place in entries(owner, "directories")}
    kept |= {path for record in records for path in (*record.files, *record.links)}

    def is_free(place: str) -> bool:
        return place.endswith("/") or not any(
            matches(place, path) or path.startswith(f"{place}/") for path in kept
        )

    return {
        owner.name: [place for place in entries(owner, "directories") if is_free(place)]
        for owner in claims.going
    }


def remove_data(host: Host, data: dict[str, list[str]], outcome: Outcome, check: bool) -> set[str]:
    """Unmount what is mounted below the owners' places, and remove them; return the owners whose all went.

    One that is itself a mount is emptied, and so is the directory that an operator's link leads to.
    """
    emptied = {owner for owner, patterns in data.items() if _remove_places(host, patterns, outcome, check)}
    for path in [path.rstrip("/") for owner in data if owner in emptied for path in _if_empty(data[owner])]:
        found = host.lstat(path)
        if found is None or not stat.S_ISDIR(found.st_mode) or _resolved(host, path) in _mounts(host):
            continue
        if not host.names_in(path):
            outcome.changes.append(Change("directory", path))
            if not check:
                host.remove_directory(path)
    return emptied


def _if_empty(patterns: list[str]) -> list[str]:
    return [pattern for pattern in patterns if pattern.endswith("/")]


def _remove_places(host: Host, patterns: list[str], outcome: Outcome, check: bool) -> bool:
    """Remove an owner's places in order, up to one that cannot be: what it uses may lie in those after it."""
    places = [pattern for pattern in patterns if not pattern.endswith("/")]
    for path in [path for pattern in places for path in matching(host, pattern)]:
        if path not in outcome.gone and not _remove_place(host, path, outcome, check):
            return False
    return True


def _remove_place(host: Host, path: str, outcome: Outcome, check: bool) -> bool:
    real, mounts = _resolved(host, path), _mounts(host)
    linked = real != path and _is_link(host, path)
    stays = linked or real in mounts
    if stays and not host.names_in(real):
        return True
    if linked and f"{_resolved(host, os.path.dirname(path))}/".startswith(f"{real.rstrip('/')}/"):
        outcome.problems.append(
            f"{path} is a link to {real}, which it lies in itself, beside things of others: "
            "take out what is to go, and remove the link"
        )
        return False
    outcome.changes.append(Change("data", f"{path} (a link to {real})" if linked else path))
    if check:
        return True
    # Never into what is still mounted: it may be a user's volume.
    if not _unmount_below(host, real, mounts, outcome):
        return False
    try:
        for item in [f"{real}/{name}" for name in host.names_in(real)] if stays else [path]:
            host.discard(item)
    except OSError as error:
        outcome.problems.append(f"{error.filename or path}: {error.strerror}")
        return False
    return True


def _unmount_below(host: Host, real: str, mounts: list[str], outcome: Outcome) -> bool:
    free = True
    # The deepest first, and of several at one place the last.
    for place in sorted((place for place in mounts if place.startswith(f"{real}/")), reverse=True):
        ran = host.run(["umount", place])
        if ran.status != 0:
            free = False
            outcome.problems.append(f"{place} cannot be unmounted: {ran.complaint}")
    return free


def _resolved(host: Host, path: str) -> str:
    """Return where a directory really lies, which is how the kernel lists mounts; other things as they are.

    A link to anything but a directory is a thing by itself.
    """
    if not os.path.isdir(host.at(path)):
        return path
    return os.path.realpath(host.at(path))[len(os.path.realpath(host.at("/")).rstrip("/")) :] or "/"


def _is_link(host: Host, path: str) -> bool:
    found = host.lstat(path)
    return found is not None and stat.S_ISLNK(found.st_mode)


def matching(host: Host, pattern: str) -> list[str]:
    """Return the paths there are that a declared one means; only its last part may be a pattern."""
    directory, _, last = pattern.rpartition("/")
    if "*" not in last:
        return [pattern] if host.lstat(pattern) is not None else []
    return [f"{directory}/{name}" for name in host.names_in(directory) if fnmatchcase(name, last)]


def _mounts(host: Host) -> list[str]:
    """Return the places where something is mounted (proc(5): spaces and the like are octal there)."""
    places = []
    for line in (host.text("/proc/self/mounts") or "").splitlines():
        place = line.split(" ")[1]
        places.append(place.encode().decode("unicode_escape") if "\\" in place else place)
    return places
