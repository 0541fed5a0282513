"""Wait for things to become true, by watching instead of asking again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .client import Client
from .discovery import Discovery, Reference
from .errors import ApiError, ObjectsError, UnreachableError

_POLL_SECONDS = 0.1

Objects = dict[str, dict[str, Any]]


def observe(
    client: Client, path: str, query: dict[str, str], satisfied: Callable[[Objects], bool], deadline: float
) -> tuple[bool, Objects]:
    """List the collection and follow its changes until satisfied(objects by uid) or the deadline (monotonic).

    Return whether it was satisfied, and the objects last seen. A server that goes away in between is waited
    for, too. At least one list is made, however late it is.
    """
    objects: Objects = {}
    while True:
        try:
            listing = client.request("GET", path, query)
            objects = {item["metadata"]["uid"]: item for item in listing.get("items") or []}
            if satisfied(objects):
                return True, objects
            since = {**query, "resourceVersion": listing["metadata"]["resourceVersion"]}
            for event in client.watch(path, since, deadline):
                uid = event["object"]["metadata"]["uid"]
                if event["type"] == "DELETED":
                    objects.pop(uid, None)
                else:
                    objects[uid] = event["object"]
                if satisfied(objects):
                    return True, objects
        except UnreachableError:
            pass
        except ApiError as error:
            # 410 Gone: the version to watch from is too old by now. The others pass by themselves.
            if error.code not in (410, 429) and error.code < 500:
                raise
        if time.monotonic() >= deadline:
            return False, objects
        time.sleep(_POLL_SECONDS)


def wait_until_ready(client: Client, seconds: float) -> None:
    """Wait until /readyz of the API server answers 200, since nothing can be watched before.

    Raises UnreachableError or ObjectsError with the checks that failed last.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            code, text = client.text("/readyz?verbose")
        except UnreachableError as error:
            reason = str(error)
            if time.monotonic() >= deadline:
                raise UnreachableError(
                    f"{reason} (for {seconds:g} s): look at the log of kube-apiserver there"
                ) from error
        else:
            if code == 200:
                return
            failed = [line[3:].split(" ")[0] for line in text.splitlines() if line.startswith("[-]")]
            reason = ", ".join(failed) or f"it answers {code}: {text.strip()[:200]}"
            if time.monotonic() >= deadline:
                raise ObjectsError(
                    f"{client.server} is not ready after {seconds:g} s: {reason}: look at the log of"
                    " kube-apiserver there"
                )
        time.sleep(_POLL_SECONDS)


def wait_until_gone(
    client: Client, discovery: Discovery, references: list[Reference], deadline: float, seconds: float
) -> None:
    """Wait until none of the objects exists. Raises ObjectsError naming one that does, and its finalizers."""
    for reference in references:
        path = discovery.collection(reference.api_version, reference.kind, reference.namespace)
        query = {"fieldSelector": f"metadata.name={reference.name}"}
        gone, left = observe(client, path, query, lambda objects: not objects, deadline)
        if not gone:
            holders = [_holder(item) for item in left.values()]
            raise ObjectsError(f"{reference} still exists after {seconds:g} s: {'; '.join(holders)}")


def _holder(item: dict[str, Any]) -> str:
    """Return what keeps an object that is being deleted."""
    finalizers = (item["metadata"].get("finalizers") or []) + (item.get("spec", {}).get("finalizers") or [])
    status = item.get("status", {})
    reasons = [f"finalizer {name}: see that the controller that serves it runs" for name in finalizers]
    # A namespace says what is still in it.
    reasons += [
        entry["message"]
        for entry in status.get("conditions") or []
        if entry["status"] == "True" and entry["type"].startswith("Namespace") and entry.get("message")
    ]
    return (
        ", ".join(reasons) or "for a pod, see that the kubelet of its node runs and that it can end in time"
    )


def wait_for_nodes(client: Client, names: list[str], seconds: float) -> None:
    """Wait until every named node is Ready. Raises ObjectsError with the reason of each that is not."""
    wanted = set(names)

    def all_ready(objects: Objects) -> bool:
        return wanted <= {
            node["metadata"]["name"] for node in objects.values() if condition(node, "Ready") == ""
        }

    done, objects = observe(client, "/api/v1/nodes", {}, all_ready, time.monotonic() + seconds)
    if done:
        return
    by_name = {node["metadata"]["name"]: node for node in objects.values()}
    problems = [
        f"{name}: {condition(by_name[name], 'Ready')}"
        if name in by_name
        else f"{name}: not registered: look at the kubelet's log there"
        for name in sorted(wanted)
        if name not in by_name or condition(by_name[name], "Ready")
    ]
    raise ObjectsError(
        f"{len(problems)} of {len(wanted)} nodes are not ready after {seconds:g} s: {'; '.join(problems)}"
    )


def condition(item: dict[str, Any], kind: str) -> str:
    """Return an empty string when the object's condition is True, else why it is not."""
    for entry in item.get("status", {}).get("conditions") or []:
        if entry["type"] == kind:
            if entry["status"] == "True":
                return ""
            return f"{entry.get('reason') or entry['status']}: {entry.get('message') or 'no message'}"
    return f"no condition {kind} yet"
