"""What owners applied to the API, noted on the host that did it, and whether it is all still there."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..state.host import Host, StateError
from ..state.record import HOME, NOTES
from .apply import Applier
from .client import Client
from .definitions import normalised, wanted_objects
from .discovery import Discovery
from .errors import ObjectsError, UnreachableError
from .wait import wait_until_ready
from .waiting import wait


def digest(parameters: dict[str, Any]) -> str:
    """Return the sha256 of what the parameters ask for, or nothing where that cannot be noted.

    That is a call that removes, one whose answer is needed, and one that belongs to nobody. The order of the
    objects means nothing.
    """
    if not parameters["owner"] or parameters["state"] != "present":
        return ""
    if any(parameters[name] for name in ("return_objects", "return_pods", "return_kinds")):
        return ""
    try:
        objects = wanted_objects(parameters)
    except ObjectsError:
        return ""
    return _digest({**parameters, "objects": sorted(map(_text, objects))})


def note(
    host: Host, parameters: dict[str, Any], objects: list[dict[str, Any]], stored: list[dict[str, Any]]
) -> None:
    """Note what was applied and what the API server made of it; of what was removed, forget it.

    The definitions of Secrets are not kept. Without a note the next run has to apply again, no more.
    """
    owner = parameters["owner"]
    if not owner:
        return
    try:
        if parameters["state"] == "absent":
            _forget(host, owner)
        elif digest(parameters):
            _save(host, owner, _noted(parameters, objects, stored))
    except OSError:
        return


def noted_objects(host: Host, owner: str) -> list[dict[str, Any]]:
    """Return the definitions that are noted of an owner; none where nothing, or nothing readable, is."""
    try:
        noted = json.loads(host.text(f"{NOTES}/{owner}.json") or "{}")
        return [entry["definition"] for entry in noted.get("objects", ())]
    except (KeyError, TypeError, ValueError):
        return []


def look(host: Host) -> dict[str, str]:
    """Return, for each owner with a note, the digest of what it applied, or nothing.

    Nothing for an owner where applying the same again would change an object, or would have to wait.
    """
    held: dict[str, str] = {}
    for name in host.names_in(NOTES):
        if not name.endswith(".json") or name.startswith("."):
            continue
        owner = name[: -len(".json")]
        try:
            held[owner] = _held(json.loads(host.read(f"{NOTES}/{name}")))
        except (ObjectsError, StateError, OSError, KeyError, TypeError, ValueError):
            # The apply that follows explains what is the matter.
            held[owner] = ""
    return held


def _noted(
    parameters: dict[str, Any], objects: list[dict[str, Any]], stored: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "digest": digest(parameters),
        "parameters": {key: value for key, value in parameters.items() if key != "objects"},
        "objects": [
            {"definition": _kept(item), "stored": _digest(normalised(result))}
            for item, result in zip(objects, stored)
        ],
    }


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    """Return the definition; of a Secret only what says which object is meant."""
    if item["kind"] != "Secret":
        return item
    named = {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}
    return {"apiVersion": item["apiVersion"], "kind": "Secret", "metadata": named}


def _held(noted: dict[str, Any]) -> str:
    parameters = noted["parameters"]
    credentials = parameters["credentials"]
    client = Client(*(credentials[name] for name in ("server", "ca", "certificate", "key")))
    try:
        wait_until_ready(client, 0)
        discovery = Discovery(client)
        altered = [entry["definition"] for entry in noted["objects"] if _is_altered(client, discovery, entry)]
        # Controllers write into objects too: what counts is whether an apply would change anything.
        if any(item["kind"] == "Secret" for item in altered):
            return ""
        if altered and Applier(client, discovery, parameters["field_manager"], check=True).apply(altered):
            return ""
        wait(client, discovery, [entry["definition"] for entry in noted["objects"]], parameters, seconds=0)
    finally:
        client.close()
    return str(noted["digest"])


def _is_altered(client: Client, discovery: Discovery, entry: dict[str, Any]) -> bool:
    path = discovery.path(discovery.reference(entry["definition"]))
    try:
        return bool(_digest(normalised(client.request("GET", path))) != entry["stored"])
    except UnreachableError:
        raise
    except ObjectsError:
        return True


def _save(host: Host, owner: str, noted: dict[str, Any]) -> None:
    data, path = json.dumps(noted, sort_keys=True).encode(), f"{NOTES}/{owner}.json"
    if host.lstat(path) is not None and host.read(path) == data:
        return
    for directory, mode in ((HOME, 0o755), (NOTES, 0o700)):
        if host.lstat(directory) is None:
            host.make_directory(directory, mode, None)
    fresh = f"{NOTES}/.{owner}.new"
    host.discard(fresh)
    host.write(fresh, data, 0o600, None)
    host.rename(fresh, path)


def _forget(host: Host, owner: str) -> None:
    host.discard(f"{NOTES}/{owner}.json")
    if host.lstat(NOTES) is not None and not host.names_in(NOTES):
        host.remove_directory(NOTES)


def _digest(content: object) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _text(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
