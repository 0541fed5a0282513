"""Takes flatnet off a host: what was recorded, and what its programs made while they ran."""

from __future__ import annotations

import json
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

from ..apply import converge
from ..host import Host, StateError
from ..paths import STAGING
from ..record import HOME, RECORDS
from ..wanted import Wanted
from .containers import end_shims, remove_containers
from .firewall import remove_chains, remove_tables, remove_virtual_servers
from .leftovers import remove_data, remove_interfaces
from .request import Change, Outcome, Request

# Which owners there were when the reset began: a reset that was cut short goes on with their data.
BEGUN = f"{HOME}/reset.json"
# Stopped first, so that nothing starts pods any more; the programs of the rest are needed on the way.
_FIRST = ("kube_node", "kube_control_plane")
_LAST = ("container_runtime", "node_programs", "node_prepare")


def reset(host: Host, request: Request, check: bool = False) -> dict[str, Any]:
    """Remove everything of flatnet's; with check only tell. Returns changed, changes, msg.

    Raises StateError when something could not be removed; the rest is removed all the same, and the next run
    goes on from there.
    """
    owners = _owners(host, request)
    if not owners:
        if not check:
            _end(host)
        return {"changed": False, "changes": [], "msg": "there is nothing of flatnet's on this host"}
    outcome = Outcome()
    if not check:
        _begin(host, owners)
    _forget(host, [owner for owner in owners if owner in _FIRST], outcome, check)
    remove_containers(host, request, outcome, check)
    _forget(host, [owner for owner in owners if owner not in (*_FIRST, *_LAST)], outcome, check)
    remove_chains(host, [name for owner in owners for name in request.chains.get(owner, ())], outcome, check)
    remove_tables(host, outcome, check)
    if "kube_proxy" in owners:
        remove_virtual_servers(host, request, outcome, check)
    remove_interfaces(host, request.interfaces, outcome, check)
    _forget(host, [owner for owner in owners if owner in _LAST], outcome, check)
    if "container_runtime" in owners:
        end_shims(host, request, outcome, check)
    remove_data(host, {owner: request.data.get(owner, []) for owner in owners}, outcome, check)
    if outcome.problems:
        problems = "\n".join(f"  {problem}" for problem in outcome.problems)
        raise StateError(f"not all of flatnet's could be removed; mend this and run again:\n{problems}")
    if not check:
        _end(host)
    lines = "\n".join(map(str, outcome.changes))
    return {"changed": True, "changes": [change._asdict() for change in outcome.changes], "msg": lines}


def _owners(host: Host, request: Request) -> list[str]:
    """Return those that have something here, or had when a reset began, in the order of the request."""
    found = {name[: -len(".json")] for name in host.names_in(RECORDS) if name.endswith(".json")}
    begun = host.text(BEGUN)
    if begun is not None:
        # One that was cut off while it was written is no loss: nothing had been removed by then.
        with suppress(ValueError):
            found |= set(json.loads(begun))
    return [name for pattern in request.owners for name in sorted(found) if fnmatchcase(name, pattern)]


def _begin(host: Host, owners: list[str]) -> None:
    if host.lstat(BEGUN) is not None:
        host.discard(BEGUN)
    host.write(BEGUN, json.dumps(owners).encode(), 0o600, None)


def _end(host: Host) -> None:
    """Remove the mark, and flatnet's own directory where nobody else has a record in it."""
    host.discard(BEGUN)
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
    )
