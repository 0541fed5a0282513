"""Objects that exist, whoever made them."""

from __future__ import annotations

from typing import Any

from .client import Client
from .definitions import shown
from .discovery import Discovery, UnknownKindError


def listed(client: Client, discovery: Discovery, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a kind: {api_version, kind, namespace "" for all, label_selector "" for any}.

    A kind that the API server does not know has none.
    """
    api_version, kind = wanted["api_version"], wanted["kind"]
    try:
        path = discovery.collection(api_version, kind, wanted.get("namespace") or "")
    except UnknownKindError:
        return []
    selector = wanted.get("label_selector") or ""
    listing = client.request("GET", path, {"labelSelector": selector} if selector else None)
    # The items of a list do not repeat what the list is of.
    named = {"apiVersion": api_version, "kind": kind}
    return [shown({**named, **item}) for item in listing.get("items") or []]
