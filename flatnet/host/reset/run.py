"""Takes flatnet off a host: what was recorded, and what its programs made while they ran."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from ..state.apply import converge
from ..state.host import Host, StateError
from ..state.paths import STAGING
from ..state.record import HOME, RECORDS
from ..state.wanted import Wanted
from .begun import Begun, forget_begun, load_begun, save_begun
from .containers import end_shims, remove_containers
from .firewall import remove_chains, remove_tables, remove_virtual_servers
from .leftovers import remove_data, remove_interfaces
from .others import PROGRAMS, RUNTIME, complaint, namespaces_of_others
from .request import Change, Outcome, Request
from .shadowed import Shadowed, find_shadowed, give_back, stop_running

# Stopped first, so that nothing starts pods any more; the programs of the rest are needed on the way.
_FIRST = ("kube_node", "kube_control_plane")
_LAST = (RUNTIME, PROGRAMS, "node_prepare")


def reset(host: Host, request: Request, check: bool = False) -> dict[str, Any]:
    """Remove everything of flatnet's; with check only tell. Returns changed, changes, msg.

    Raises StateError when something could not be removed; the rest is removed all the same, and the next run
    goes on from there.
    """
    begun, recorded = load_begun(host), _recorded(host)
    owners = _owners(request, recorded.union(begun.owners))
    if not owners:
        if not check:
            _end(host)
        return {"changed": False, "changes": [], "msg": "there is nothing of flatnet's on this host"}
    outcome = Outcome()
    released = find_shadowed(host, [owner for owner in owners if owner in recorded])
    emptied = [owner for owner in begun.emptied if owner not in recorded]
    others = namespaces_of_others(host, request, begun.others) if RUNTIME in {*owners} - {*emptied} else []
    # What was noted first counts: by the time of a second record ours had stopped the distribution's.
    begun = Begun(owners, emptied, {**released, **begun.units}, others)
    kept = _kept(begun)
    if others:
        outcome.problems.append(complaint(others, stays=bool(kept)))
    if not check:
        save_begun(host, begun)
    _stop_and_clean_up(host, request, [owner for owner in owners if owner not in kept], outcome, check)
    begun = _empty_and_give_back(host, request, begun, set(released), outcome, check)
    if outcome.problems:
        if not check:
            save_begun(host, begun)
        raise StateError(_problems(outcome, check))
    if not check:
        _end(host)
    changes = [change._asdict() for change in outcome.changes]
    return {"changed": True, "changes": changes, "msg": _lines(outcome.changes)}


def _kept(begun: Begun) -> tuple[str, ...]:
    """Return the owners that stay whole: containers of others need a containerd until they are gone.

    Where the distribution's takes over, ours can go.
    """
    taken_over = any(unit.owner == RUNTIME and unit.started for unit in begun.units.values())
    return (RUNTIME, PROGRAMS) if begun.others and not taken_over else ()


def _stop_and_clean_up(
    host: Host, request: Request, owners: list[str], outcome: Outcome, check: bool
) -> None:
    """Remove what is on record, and what runs or is in the kernel besides; each while its tools are there."""
    _forget(host, [owner for owner in owners if owner in _FIRST], outcome, check)
    remove_containers(host, request, outcome, check)
    _forget(host, [owner for owner in owners if owner not in (*_FIRST, *_LAST)], outcome, check)
    remove_chains(host, [name for owner in owners for name in request.chains.get(owner, ())], outcome, check)
    remove_tables(host, outcome, check)
    if "kube_proxy" in owners:
        remove_virtual_servers(host, request, outcome, check)
    remove_interfaces(host, request.interfaces, outcome, check)
    _forget(host, [owner for owner in owners if owner in _LAST], outcome, check)
    if RUNTIME in owners:
        end_shims(host, request, outcome, check)


def _empty_and_give_back(
    host: Host, request: Request, begun: Begun, released: set[str], outcome: Outcome, check: bool
) -> Begun:
    """Remove the data, give back the units that wait for that, and return what is still to do."""
    data = _data(request, begun)
    going = [owner for owner in data if owner not in begun.emptied]
    returned = [name for name, unit in begun.units.items() if unit.owner in going and name not in released]
    stopped = stop_running(host, returned, outcome, check)
    settled = remove_data(host, data, outcome, check)
    with_units = {*begun.emptied, *(unit.owner for unit in begun.units.values())}
    begun = begun._replace(emptied=sorted(settled & with_units))
    # Those of containerd do not wait where its data stays.
    ready = {*begun.emptied, *([RUNTIME] if begun.others and not _kept(begun) else [])}
    due = {name: unit for name, unit in begun.units.items() if unit.owner in ready or name in stopped}
    if due and not check:
        # From now on the data of the emptied is the distribution's: a next run must not remove that.
        save_begun(host, begun)
    back = give_back(host, due, released, stopped, outcome, check)
    return begun._replace(units=_waiting(begun, back))


def _waiting(begun: Begun, back: set[str]) -> dict[str, Shadowed]:
    """Return the units that a next run has to deal with: data may still go from under one that is back."""
    return {
        name: unit
        for name, unit in begun.units.items()
        if name not in back or unit.owner not in begun.emptied
    }


def _lines(changes: list[Change]) -> str:
    return "\n".join(map(str, changes))


def _problems(outcome: Outcome, check: bool) -> str:
    problems = "\n".join(f"  {problem}" for problem in outcome.problems)
    message = f"not all of flatnet's could be removed; mend this and run again:\n{problems}"
    # Nothing has gone yet, and this is all that tells what would.
    return f"{message}\nThe rest would go:\n{_lines(outcome.changes)}" if check else message


def _recorded(host: Host) -> set[str]:
    return {name[: -len(".json")] for name in host.names_in(RECORDS) if name.endswith(".json")}


def _owners(request: Request, found: set[str]) -> list[str]:
    """Return those of the found that are to go, in the order of the request."""
    return [name for pattern in request.owners for name in sorted(found) if fnmatchcase(name, pattern)]


def _data(request: Request, begun: Begun) -> dict[str, list[str]]:
    """Return what to remove of each owner; of one whose data has gone no more than empty directories."""
    return {
        owner: [
            path for path in request.data.get(owner, []) if owner not in begun.emptied or path.endswith("/")
        ]
        for owner in begun.owners
        if owner != RUNTIME or not begun.others
    }


def _end(host: Host) -> None:
    """Remove the mark, and flatnet's own directory where nobody else has a record in it."""
    forget_begun(host)
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
