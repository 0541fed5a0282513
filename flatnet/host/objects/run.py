"""One run of the cluster_objects module, from its parameters to its result."""

from __future__ import annotations

import time
from typing import Any

from ..state.host import Host
from .applied import note, noted_objects
from .apply import Applier, Change
from .client import Client
from .definitions import no_longer_wanted, normalised, shown, wanted_objects
from .discovery import Discovery, Reference
from .errors import MissingCredentialsError, UnreachableError
from .listing import listed
from .owned import owned_objects, release_nodes
from .pods import summaries
from .wait import wait_until_gone, wait_until_ready
from .waiting import wait


def run(parameters: dict[str, Any], *, check: bool, diff: bool, host: Host | None = None) -> dict[str, Any]:
    """Do what the parameters ask for and return the result. Raises ObjectsError.

    host: where what was applied is noted, so that a later run can look whether it is still there.
    In a check nothing is stored and nothing is waited for, and an API server that does not exist yet is taken
    for an empty one, so that a check of the first run works.
    """
    try:
        credentials = parameters["credentials"]
        client = Client(*(credentials[name] for name in ("server", "ca", "certificate", "key")))
        if check:
            client.text("/readyz")
        elif parameters["wait_ready_seconds"]:
            wait_until_ready(client, parameters["wait_ready_seconds"])
    except (UnreachableError, MissingCredentialsError) as error:
        if not check:
            raise
        return _without_a_server(parameters, str(error), diff=diff)
    try:
        return _run(client, parameters, check=check, diff=diff, host=host)
    finally:
        client.close()


def _run(
    client: Client, parameters: dict[str, Any], *, check: bool, diff: bool, host: Host | None
) -> dict[str, Any]:
    discovery = Discovery(client)
    applier = Applier(client, discovery, parameters["field_manager"], check=check)
    objects = wanted_objects(parameters)
    warnings: list[str] = []
    if parameters["state"] == "absent":
        owner = parameters["owner"] if not objects else ""
        if owner:
            objects, warnings = owned_objects(client, owner)
        changes, leaving = applier.remove(objects, parameters["propagation"].capitalize(), owner)
        changes += release_nodes(client, _node_keys(parameters), check=check)
        seconds = parameters["wait_gone_seconds"]
        if seconds and not check:
            wait_until_gone(client, discovery, leaving, time.monotonic() + seconds, seconds)
    else:
        changes = applier.apply(objects)
        before = noted_objects(host, parameters["owner"]) if host is not None and parameters["owner"] else []
        stale = no_longer_wanted(before, objects)
        changes += applier.remove(stale, "Background", parameters["owner"])[0]
    result = _result(changes, diff=diff)
    if warnings:
        result["warnings"] = warnings
    if not check:
        wait(client, discovery, objects, parameters)
    if host is not None and not check:
        note(host, parameters, objects, applier.stored)
    if parameters["return_objects"]:
        result["objects"] = [shown(item) for item in applier.stored]
    pods = parameters["return_pods"]
    if pods:
        result["pods"] = summaries(client, pods["namespace"], pods["label_selector"])
    if parameters["return_kinds"]:
        kinds = parameters["return_kinds"]
        result["found"] = [item for kind in kinds for item in listed(client, discovery, kind)]
    return result


def _node_keys(parameters: dict[str, Any]) -> dict[str, list[str]]:
    return {"annotations": parameters["node_annotations"], "labels": parameters["node_labels"]}


def _without_a_server(parameters: dict[str, Any], reason: str, *, diff: bool) -> dict[str, Any]:
    changes = []
    if parameters["state"] == "present":
        for item in wanted_objects(parameters):
            metadata = item["metadata"]
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            reference = Reference(item["apiVersion"], item["kind"], namespace, name)
            changes.append(Change(reference, "created", None, normalised(item)))
    result = _result(changes, diff=diff)
    result["warnings"] = [f"{reason}: taken for an API server without any objects"]
    if parameters["return_pods"]:
        result["pods"] = []
    if parameters["return_kinds"]:
        result["found"] = []
    if parameters["return_objects"]:
        wanted = wanted_objects(parameters) if parameters["state"] == "present" else []
        result["objects"] = [shown(item) for item in wanted]
    return result


def _result(changes: list[Change], *, diff: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        "changed": bool(changes),
        "changes": [{"object": str(change.reference), "action": change.action} for change in changes],
    }
    if diff:
        result["diff"] = [change.difference() for change in changes]
    return result
