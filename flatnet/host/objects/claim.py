"""A namespace that one run at a time works in: taken, given back, and cleared of what a dead run left."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from .client import Client
from .discovery import Discovery, Reference
from .errors import ApiError, ObjectsError
from .wait import wait_until_gone, wait_until_ready

ANNOTATION = "flatnet.io/claim"
_COLLECTION = "/api/v1/namespaces"
# The namespace controller takes some seconds to empty one.
_LEAVING_SECONDS = 60.0
_ATTEMPTS = 5


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return {holder: the claim of the run that has the namespace, None where it is ours now or nobody's}.

    request: credentials, wait_ready_seconds; namespaces (names, the first is the one that is claimed); state
    (held, released or removed); claim (run and what tells who it is), seconds (after which it is worth
    nothing whatever becomes of the run), ended (runs that are known to be dead).
    """
    try:
        credentials = request["credentials"]
        client = Client(*(credentials[name] for name in ("server", "ca", "certificate", "key")))
        try:
            wait_until_ready(client, request["wait_ready_seconds"])
            return {"changed": False, "holder": _do(client, request)}
        finally:
            client.close()
    except ObjectsError as error:
        return {"failed": True, "msg": str(error)}


def _do(client: Client, request: dict[str, Any]) -> dict[str, Any] | None:
    name, claim = request["namespaces"][0], request["claim"]
    if request["state"] == "held":
        mine = {**claim, "until": time.time() + request["seconds"]}
        return hold(client, request["namespaces"], mine, request["ended"])
    found = _read(client, name)
    if found is not None and (_claim_of(found) or {}).get("run") == claim["run"]:
        if request["state"] == "removed":
            for one in request["namespaces"]:
                _remove(client, _read(client, one))
        else:
            _write(client, found, None)
    return None


def hold(
    client: Client, namespaces: list[str], claim: dict[str, Any], ended: list[str]
) -> dict[str, Any] | None:
    """Claim the first namespace, made where it is not there; return the claim of another run that has it.

    What a run left that ended without giving its claim back is removed first, in all of the namespaces.
    """
    name = namespaces[0]
    for _ in range(_ATTEMPTS):
        found = _read(client, name)
        # Of two runs, one is refused by the version that it has read.
        with contextlib.suppress(_OvertakenError):
            if found is None:
                _make(client, name, claim)
                return None
            other = _claim_of(found)
            if found["metadata"].get("deletionTimestamp"):
                _wait_until_gone(client, [name])
            elif not other:
                _write(client, found, claim)
                return None
            elif other["run"] not in ended and other["until"] > time.time():
                return other
            else:
                for one in namespaces:
                    _remove(client, _read(client, one))
                _wait_until_gone(client, namespaces)
    raise ObjectsError(f"Namespace {name} changes again and again: another run wants it too; run it again")


class _OvertakenError(Exception):
    """Somebody else was quicker."""


def _read(client: Client, name: str) -> dict[str, Any] | None:
    try:
        return client.request("GET", f"{_COLLECTION}/{name}")
    except ApiError as error:
        if error.code == 404:
            return None
        raise


def _claim_of(namespace: dict[str, Any]) -> dict[str, Any] | None:
    """Return the claim; one that is not ours, or of another format, is none."""
    text = (namespace["metadata"].get("annotations") or {}).get(ANNOTATION) or "{}"
    try:
        claim = json.loads(text)
        return claim if claim["run"] and float(claim["until"]) else None
    except (ValueError, KeyError, TypeError):
        return None


def _make(client: Client, name: str, claim: dict[str, Any]) -> None:
    metadata = {"name": name, "annotations": {ANNOTATION: json.dumps(claim)}}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    _tried(client, "POST", _COLLECTION, body, "application/json")


def _write(client: Client, namespace: dict[str, Any], claim: dict[str, Any] | None) -> None:
    metadata = namespace["metadata"]
    body = {
        "metadata": {
            "resourceVersion": metadata["resourceVersion"],
            "annotations": {ANNOTATION: json.dumps(claim) if claim else None},
        }
    }
    _tried(client, "PATCH", f"{_COLLECTION}/{metadata['name']}", body, "application/merge-patch+json")


def _remove(client: Client, namespace: dict[str, Any] | None) -> None:
    if namespace is None or namespace["metadata"].get("deletionTimestamp"):
        return
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": namespace["metadata"]["uid"]},
    }
    path = f"{_COLLECTION}/{namespace['metadata']['name']}"
    _tried(client, "DELETE", path, body, "application/json")


def _tried(client: Client, method: str, path: str, body: dict[str, Any], content_type: str) -> None:
    try:
        client.request(method, path, None, body, content_type)
    except ApiError as error:
        if error.code in (404, 409):
            raise _OvertakenError from error
        raise


def _wait_until_gone(client: Client, names: list[str]) -> None:
    references = [Reference("v1", "Namespace", "", name) for name in names]
    deadline = time.monotonic() + _LEAVING_SECONDS
    wait_until_gone(client, Discovery(client), references, deadline, _LEAVING_SECONDS)
