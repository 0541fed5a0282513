"""The host's half of node_reset."""

from __future__ import annotations

from typing import Any

from ..state.host import Host, StateError
from .request import Request
from .run import reset


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the task returns. request: reset (a Request as plain data), check (bool)."""
    try:
        return reset(Host(), Request.from_wire(request["reset"]), check=request["check"])
    except StateError as error:
        return {"failed": True, "msg": str(error)}
