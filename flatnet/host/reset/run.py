"""Removes owners from a host: what was recorded of them, and what their programs made while they ran."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..state.apply import converge
from ..state.host import Host, StateError
from ..state.paths import STAGING
from ..state.record import HOME, NOTES, RECORDS, Record, load
from ..state.wanted import Wanted
from .claims import Claims
from .containers import Pods
from .firewall import remove_chains, remove_sets, remove_tables
from .leftovers import data_of, remove_data, remove_mounts
from .links import detach_programs, going_interfaces, remove_interfaces, remove_virtual_servers
from .others import Runtime, complaint, namespaces_of_others, runtime_of
from .progress import Progress, forget_progress, load_progress, save_progress
from .request import FIRST, LAST, MIDDLE, Change, Outcome, Owner, Request
from .routing import remove_addresses, remove_routes, remove_rules
from .shadowed import Shadowed, find_shadowed, give_back, stop_running


class _Scope(NamedTuple):
    """What a reset looks at. recorded: the owners that have a record. records: those of the owners that stay.

    routes: the destinations of all routes on record, of owners that go as well: with a record go its routes.
    runtime: the containerd of this host. waiting: the note of another reset, of owners that this one is not
    about.
    """

    claims: Claims
    recorded: set[str]
    records: list[Record]
    routes: set[str]
    runtime: Runtime | None
    waiting: Progress


def reset(host: Host, request: Request, check: bool = False) -> dict[str, Any]:
    """Remove everything of the owners; with check only tell. Returns changed, changes, msg.

    Raises StateError when something could not be removed; the rest is removed all the same, and the next run
    goes on from there.
    """
    noted, recorded = load_progress(host), _recorded(host)
    progress, waiting = _split(noted, {owner.name for owner in request.owners})
    going = [owner for owner in request.owners if owner.name in recorded.union(progress.owners)]
    staying = [owner for owner in request.others if owner.name in recorded.union(waiting.owners)]
    # With the last owner that runs anything of the cluster here, what its API holds is nobody's any more.
    void = [] if staying else [owner.name for owner in request.owners]
    if not going:
        if not check:
            _end(host, waiting, void)
        return {"changed": False, "changes": [], "msg": "there is nothing of these owners on this host"}
    scope = _Scope(
        Claims(going, staying),
        recorded,
        [load(host, owner) for owner in sorted(recorded - {owner.name for owner in going})],
        {route["destination"] for owner in sorted(recorded) for route in load(host, owner).routes},
        runtime_of([*request.owners, *request.others]),
        waiting,
    )
    outcome = Outcome()
    names = [owner.name for owner in going]
    released = find_shadowed(host, [owner for owner in names if owner in recorded])
    emptied = [owner for owner in progress.emptied if owner not in recorded]
    others = _others(host, request, scope, {*names} - {*emptied}, progress.others)
    # What was noted first counts: by the time of a second record ours had stopped the distribution's.
    progress = Progress(names, emptied, {**released, **progress.units}, others)
    kept = _kept(host, request, scope, progress)
    if others:
        outcome.problems.append(complaint(others, stays=bool(kept)))
    if not check:
        _save(host, progress, waiting)
    staged = [owner for owner in going if owner.name not in kept]
    _stop_and_clean_up(host, request, scope._replace(claims=Claims(staged, staying)), outcome, check)
    progress = _empty_and_give_back(host, scope, progress, set(released), outcome, check)
    if outcome.problems:
        if not check:
            _save(host, progress, waiting)
        raise StateError(_problems(outcome, check))
    if not check:
        _end(host, waiting, void)
    changes = [change._asdict() for change in outcome.changes]
    return {"changed": bool(changes), "changes": changes, "msg": _lines(outcome.changes)}


def _split(noted: Progress, names: set[str]) -> tuple[Progress, Progress]:
    """Return what a note says of these owners, and of the others: their reset was cut short and waits."""
    mine = Progress(
        [owner for owner in noted.owners if owner in names],
        [owner for owner in noted.emptied if owner in names],
        {name: unit for name, unit in noted.units.items() if unit.owner in names},
        noted.others,
    )
    others = Progress(
        [owner for owner in noted.owners if owner not in names],
        [owner for owner in noted.emptied if owner not in names],
        {name: unit for name, unit in noted.units.items() if unit.owner not in names},
        noted.others,
    )
    return mine, others


def _others(host: Host, request: Request, scope: _Scope, full: set[str], noted: list[str]) -> list[str]:
    """Return containerd's namespaces of others, where its owner goes and has not gone before."""
    if scope.runtime is None or scope.runtime.owner not in full:
        return []
    return namespaces_of_others(host, request, scope.runtime, scope.claims, noted)


def _kept(host: Host, request: Request, scope: _Scope, progress: Progress) -> set[str]:
    """Return the owners that stay whole: containers of others need a containerd until they are gone.

    So do they need the programs, whoever brought them. Where the distribution's takes over, ours can go.
    """
    if scope.runtime is None or not progress.others:
        return set()
    if _stands_by(scope, progress):
        return set()
    program = f"{request.programs_directory}/ctr"
    brought = {name for name in progress.owners if name in scope.recorded and load(host, name).owns(program)}
    return {scope.runtime.owner, *brought}


def _stop_and_clean_up(host: Host, request: Request, scope: _Scope, outcome: Outcome, check: bool) -> None:
    """Remove what is on record, and what runs or is in the kernel besides; each while its tools are there."""
    claims = scope.claims
    pods = Pods(host, request, claims, scope.runtime, check)
    _forget(host, _staged(claims.going, FIRST), outcome, check)
    pods.close_networks(outcome)
    pods.remove(outcome)
    _forget(host, _staged(claims.going, MIDDLE), outcome, check)
    remove_chains(host, claims, outcome, check)
    remove_tables(host, claims, outcome, check)
    leaving = set(going_interfaces(host, claims))
    interfaces = remove_virtual_servers(host, request, claims, outcome, check)
    remove_sets(host, claims, outcome, check)
    detach_programs(host, claims, leaving, outcome, check)
    remove_interfaces(host, interfaces, outcome, check)
    remove_addresses(host, claims, leaving, outcome, check)
    remove_rules(host, claims, outcome, check)
    remove_routes(host, claims, scope.routes, leaving, outcome, check)
    remove_mounts(host, claims, outcome, check)
    _forget(host, _staged(claims.going, LAST), outcome, check)
    pods.end_shims(outcome)


def _staged(owners: list[Owner], stage: str) -> list[str]:
    return [owner.name for owner in owners if owner.stage == stage]


def _empty_and_give_back(
    host: Host, scope: _Scope, progress: Progress, released: set[str], outcome: Outcome, check: bool
) -> Progress:
    """Remove the data, give back the units that wait for that, and return what is still to do."""
    data = _data(scope, progress)
    going = [owner for owner in data if owner not in progress.emptied]
    returned = [name for name, unit in progress.units.items() if unit.owner in going and name not in released]
    stopped = stop_running(host, returned, outcome, check)
    settled = remove_data(host, data, outcome, check)
    with_units = {*progress.emptied, *(unit.owner for unit in progress.units.values())}
    progress = progress._replace(emptied=sorted(settled & with_units))
    # Those of containerd do not wait where its data stays.
    ready = {*progress.emptied}
    if scope.runtime and _stands_by(scope, progress):
        ready.add(scope.runtime.owner)
    due = {name: unit for name, unit in progress.units.items() if unit.owner in ready or name in stopped}
    if due and not check:
        # From now on the data of the emptied is the distribution's: a next run must not remove that.
        _save(host, progress, scope.waiting)
    back = give_back(host, due, released, stopped, outcome, check)
    return progress._replace(units=_waiting(progress, back))


def _stands_by(scope: _Scope, progress: Progress) -> bool:
    """Tell whether the distribution's containerd takes over from ours, for containers of others."""
    owner = scope.runtime.owner if scope.runtime else ""
    started = (unit.owner == owner and unit.started for unit in progress.units.values())
    return bool(progress.others) and any(started)


def _waiting(progress: Progress, back: set[str]) -> dict[str, Shadowed]:
    """Return the units that a next run has to deal with: data may still go from under one that is back."""
    return {
        name: unit
        for name, unit in progress.units.items()
        if name not in back or unit.owner not in progress.emptied
    }


def _lines(changes: list[Change]) -> str:
    return "\n".join(map(str, changes))


def _problems(outcome: Outcome, check: bool) -> str:
    problems = "\n".join(f"  {problem}" for problem in outcome.problems)
    message = f"not all could be removed; mend this and run again:\n{problems}"
    # Nothing has gone yet, and this is all that tells what would.
    return f"{message}\nThe rest would go:\n{_lines(outcome.changes)}" if check else message


def _recorded(host: Host) -> set[str]:
    return {name[: -len(".json")] for name in host.names_in(RECORDS) if name.endswith(".json")}


def _data(scope: _Scope, progress: Progress) -> dict[str, list[str]]:
    """Return what to remove of each owner; of one whose data has gone no more than empty directories.

    Of a containerd in which others have something nothing goes.
    """
    kept = scope.runtime.owner if scope.runtime and progress.others else ""
    return {
        owner: [path for path in places if owner not in progress.emptied or path.endswith("/")]
        for owner, places in data_of(scope.claims, scope.records).items()
        if owner != kept
    }


def _save(host: Host, progress: Progress, waiting: Progress) -> None:
    save_progress(
        host,
        Progress(
            [*progress.owners, *waiting.owners],
            [*progress.emptied, *waiting.emptied],
            {**waiting.units, **progress.units},
            progress.others or waiting.others,
        ),
    )


def _end(host: Host, waiting: Progress, void: list[str]) -> None:
    """Remove the note, and flatnet's own directory where nobody else has a record in it.

    void: the owners whose notes of objects in the API tell of nothing any more.
    """
    if waiting.owners:
        save_progress(host, waiting)
        return
    for owner in void:
        host.discard(f"{NOTES}/{owner}.json")
    if host.lstat(NOTES) is not None and not host.names_in(NOTES):
        host.remove_directory(NOTES)
    forget_progress(host)
    host.discard(STAGING)
    # What begins with a dot is a record that a killed apply had not finished.
    if all(name.startswith(".") for name in host.names_in(RECORDS)):
        host.discard(HOME)


def _forget(host: Host, owners: list[str], outcome: Outcome, check: bool) -> None:
    for owner in owners:
        try:
            done = converge(host, _nothing(owner), check=check)
        except StateError as error:
            outcome.problems.append(str(error))
            continue
        outcome.changes += [
            Change(change["kind"], change["item"], change["action"]) for change in done["changes"]
        ]


def _nothing(owner: str) -> Wanted:
    return Wanted(
        name=owner,
        present=False,
        directories=[],
        files=[],
        links={},
        absent=[],
        units=[],
        kernel_modules=[],
        sysctls={},
        routes=[],
        tables=[],
        asked={},
    )
