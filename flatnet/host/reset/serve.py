"""The host's half of node_reset."""

from __future__ import annotations

from typing import Any

from ..state.host import Host, StateError
from ..state.look import look
from .request import Request
from .run import reset


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the task returns.

    request: reset (a Request as plain data), check (bool), look (whether to tell under `applied`, once
    anything was removed, what of the owners that stay is still as they applied it).
    """
    host = Host()
    try:
        outcome = reset(host, Request.from_wire(request["reset"]), check=request["check"])
    except StateError as error:
        return {"failed": True, "msg": str(error)}
    if request["look"] and outcome["changed"] and not request["check"]:
        outcome["applied"] = look(host)
    return outcome
