"""The host's half of node_state: takes what the action plugin sends, applies it, tells the outcome."""

from __future__ import annotations

import os
import pwd
from typing import Any

from .apply import converge
from .host import Host, StateError
from .look import look
from .wanted import from_wire


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the task returns, and `missing`, the digests of programs that the host has not got.

    request: state (as from_wire takes it), check, diff (bools), transfer_user (who brings files, when that is
    not the user who runs this), foreseen (what earlier tasks would have changed, in check mode), look
    (whether to tell under `applied`, once anything was changed, what still holds of all owners).
    """
    host = Host()
    try:
        outcome = converge(
            host,
            from_wire(request["state"]),
            check=request["check"],
            with_diff=request["diff"],
            staging_owner=transfer_ids(request["transfer_user"]),
            foreseen=request["foreseen"],
        )
    except StateError as error:
        return {"failed": True, "msg": str(error)}
    if not request["diff"]:
        outcome.pop("diff")
    if request["look"] and outcome["changed"] and not request["check"]:
        outcome["applied"] = look(host)
    return outcome


def transfer_ids(user: str) -> tuple[int, int] | None:
    """Return the numbers of the user who logs in; sudo tells them, even where only ssh knows the name."""
    if not user:
        return None
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if uid.isdigit() and gid.isdigit():
        return int(uid), int(gid)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid
