"""Brings a host to its desired state, or back to where it was."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .compare import Comparison, compare
from .digests import Digests
from .host import Host, StateError
from .lock import LOCK, PATIENCE_SECONDS, exclusive
from .paths import NEW, OLD, STAGING, beside
from .plan import Plan, Undo, collecting
from .record import HOME, RECORDS, Record, load, load_others, path_of, pending, save
from .show import change_lines
from .wanted import Wanted

# How long a blob waits for the apply that it was brought for.
BLOB_SECONDS = 24 * 3600

Outcome = dict[str, Any]


def converge(
    host: Host,
    wanted: Wanted,
    check: bool = False,
    with_diff: bool = False,
    staging_owner: tuple[int, int] | None = None,
    patience: float = PATIENCE_SECONDS,
    foreseen: dict[str, str] | None = None,
) -> Outcome:
    """Compare, and unless `check` is set apply. Raises StateError; then the host is as it was before.

    Returns changed, changes, restarted, diff, msg, and `missing`: the digests of the blobs that have to be
    brought to STAGING first. While any is missing nothing is applied.
    staging_owner: who is going to bring them, when that is not the owner of this process.
    foreseen: path -> sha256 (or "absent") of files as earlier checks of the same run foresaw them; a check
    returns under this name what it foresees itself.
    """
    try:
        if check:
            return _check(host, wanted, with_diff, foreseen)
        return _converge(host, wanted, with_diff, staging_owner, patience)
    except OSError as error:
        raise StateError(_words(error)) from error


def _converge(
    host: Host, wanted: Wanted, with_diff: bool, staging_owner: tuple[int, int] | None, patience: float
) -> Outcome:
    _make_home(host)
    with exclusive(host, wanted.name, patience):
        old, others = load(host, wanted.name), load_others(host, wanted.name)
        comparison = compare(host, wanted, old, others, with_diff)
        if comparison.plan.missing:
            _make_staging(host, staging_owner)
            return _outcome(comparison.plan, changed=False)
        if comparison.plan.steps:
            _apply(host, comparison, old)
        elif not old.complete:
            _clean_leftovers(host, old.touched)
        _finish(host, comparison, old)
        if not wanted.present:
            _leave(host)
        return _outcome(comparison.plan, changed=bool(comparison.plan.changes))


def _check(host: Host, wanted: Wanted, with_diff: bool, foreseen: dict[str, str] | None) -> Outcome:
    old, others = load(host, wanted.name), load_others(host, wanted.name)
    comparison = compare(host, wanted, old, others, with_diff, foreseen)
    plan, digests = comparison.plan, comparison.watched
    changed = {path: digests.get(path, "absent") for path in plan.touched if path not in wanted.links}
    return {**_outcome(plan, changed=bool(plan.changes)), "foreseen": changed}


def _apply(host: Host, comparison: Comparison, old: Record) -> None:
    plan = comparison.plan
    existed = host.lstat(path_of(old.name)) is not None
    save(host, pending(old, comparison.record, plan.touched))
    undo = Undo(host)
    try:
        _clean_leftovers(host, [*old.touched, *plan.touched])
        for step in plan.ordered_steps():
            step(undo)
        tables = comparison.tables.record()
        # From here on a killed apply needs nothing but tidying up.
        save(host, replace(comparison.record, complete=False, touched=plan.touched, tables=tables))
    except Exception as error:
        failures = undo.roll_back()
        if not failures:
            # What a program made while it ran is there yet: a record without anything says whose it is.
            with collecting(failures, path_of(old.name)):
                save(host, old) if existed or undo.stop else host.discard(path_of(old.name))
        raise StateError(f"{_words(error)}\n{_restored(failures)}") from error
    undo.tidy()


def _restored(failures: list[str]) -> str:
    if not failures:
        return "The files and units of this host are as they were before."
    still = "\n".join(f"  {failure}" for failure in failures)
    return f"What was there before could not all be restored:\n{still}"


def _finish(host: Host, comparison: Comparison, old: Record) -> None:
    """Write the record of what is now, if that is not what it says already; none where nothing is owned."""
    record = comparison.record
    record.tables = comparison.tables.record()
    record.digests = Digests.remember(host, comparison.watched)
    if not old.complete:
        for file in record.files.values():
            host.discard(f"{STAGING}/{file['sha256']}")
    if replace(record, asked={}) == Record(record.name):
        host.discard(path_of(record.name))
    elif record != old or comparison.plan.steps:
        # After steps there is what stands for a killed apply, even where all is as the old record says.
        save(host, record)


def _make_home(host: Host) -> None:
    for path, mode in ((HOME, 0o755), (RECORDS, 0o700)):
        if host.lstat(path) is None:
            _make_parents(host, path)
            host.make_directory(path, mode, None)


def _make_parents(host: Host, path: str) -> None:
    above = path.rsplit("/", 1)[0]
    if above and host.stat(above) is None:
        _make_parents(host, above)
        host.make_directory(above, 0o755, None)


def _make_staging(host: Host, owner: tuple[int, int] | None) -> None:
    if host.lstat(STAGING) is None:
        host.make_directory(STAGING, 0o700, owner)
    else:
        host.set_access(STAGING, 0o700, owner)
    for name in host.names_in(STAGING):
        found = host.lstat(f"{STAGING}/{name}")
        if found is not None and time.time() - found.st_mtime > BLOB_SECONDS:
            host.discard(f"{STAGING}/{name}")


def _leave(host: Host) -> None:
    """Remove what flatnet needs for itself, once nobody owns anything."""
    if host.names_in(RECORDS):
        return
    host.discard(STAGING)
    host.remove_directory(RECORDS)
    if host.names_in(HOME) == [LOCK.rsplit("/", 1)[1]]:
        host.discard(LOCK)
        host.remove_directory(HOME)


def _clean_leftovers(host: Host, paths: list[str]) -> None:
    for path in paths:
        host.discard(beside(path, NEW))
        host.discard(beside(path, OLD))


def _words(error: Exception) -> str:
    if isinstance(error, StateError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'this host'}: {error.strerror or error}"
    return f"{type(error).__name__}: {error}"


def _outcome(plan: Plan, changed: bool) -> Outcome:
    changes = plan.ordered_changes()
    lines = [change for change in changes if not _has_diff(plan, change.item)]
    return {
        "changed": changed,
        "changes": [change._asdict() for change in changes],
        "restarted": plan.restarted,
        "missing": sorted(plan.missing),
        "diff": [*plan.diffs, *([change_lines(lines)] if lines else [])],
        "msg": "\n".join(map(str, changes)) or "as wanted",
    }


def _has_diff(plan: Plan, item: str) -> bool:
    return any(diff.get("after_header") == item for diff in plan.diffs)
