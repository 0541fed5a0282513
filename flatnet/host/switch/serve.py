"""The host's half of switch_pods."""

from __future__ import annotations

from typing import Any

from ..objects.client import Client
from ..objects.errors import ObjectsError
from .look import look
from .steps import close_nodes, open_nodes, wait_for_pods_anew


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the task returns.

    request: credentials; look (bool), close and open (names of nodes), and for those that open `before` (pods
    of an earlier look, None where nobody waits for pods) and seconds.
    """
    try:
        client = Client(*(request["credentials"][name] for name in ("server", "ca", "certificate", "key")))
        try:
            return _answer(client, request)
        finally:
            client.close()
    except ObjectsError as error:
        return {"failed": True, "msg": str(error)}


def _answer(client: Client, request: dict[str, Any]) -> dict[str, Any]:
    found = look(client) if request["look"] else {}
    closed = close_nodes(client, request["close"]) if request["close"] else []
    opened = open_nodes(client, request["open"]) if request["open"] else []
    deleted = []
    if request["open"] and request["before"] is not None:
        deleted = wait_for_pods_anew(client, request["open"], request["before"], request["seconds"])
    changed = bool(closed or opened or deleted)
    return {"changed": changed, "found": found, "closed": closed, "opened": opened, "deleted": deleted}
