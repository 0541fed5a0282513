"""The steps of a switch in the API: no new pods on a node, and new ones again once it has its network."""

from __future__ import annotations

import time
from typing import Any

from ..objects.client import Client
from ..objects.errors import ApiError, ObjectsError
from ..objects.pods import by_name, explain, is_ready, pods_path
from ..objects.wait import Objects, observe, wait_for_nodes
from .look import CLOSED, NODES, PODS, containers_of, controller_of, hangs_on_network

Json = dict[str, Any]

_PATCH = "application/merge-patch+json"
_BACK_OFF = "CrashLoopBackOff"
# How many pods a failure message explains; the rest is counted.
_EXPLAINED = 3


def close_nodes(client: Client, names: list[str]) -> list[str]:
    """Mark nodes unschedulable, and return those that were not; a Node that does not exist is passed over."""
    closed = []
    for node in _listed(client, names):
        if not node.get("spec", {}).get("unschedulable"):
            patch = {"metadata": {"annotations": {CLOSED: "true"}}, "spec": {"unschedulable": True}}
            client.request("PATCH", f"{NODES}/{node['metadata']['name']}", None, patch, _PATCH)
            closed.append(node["metadata"]["name"])
    return closed


def open_nodes(client: Client, names: list[str]) -> list[str]:
    """Take that back where it was the switch, at whatever time, and return those nodes."""
    opened = []
    for node in _listed(client, names):
        if CLOSED in (node["metadata"].get("annotations") or {}):
            patch: Json = {"metadata": {"annotations": {CLOSED: None}}, "spec": {"unschedulable": None}}
            client.request("PATCH", f"{NODES}/{node['metadata']['name']}", None, patch, _PATCH)
            opened.append(node["metadata"]["name"])
    return opened


def wait_for_pods_anew(client: Client, nodes: list[str], before: list[Json], seconds: float) -> list[str]:
    """Wait until the pods of nodes have been made anew and are ready again; return those deleted for it.

    before: the pods as `look` described them before their network went. Only those that were ready then are
    waited for, or what has taken their place. A pod that its kubelet makes wait, as it was started several
    times lately, is deleted where a controller makes another. Raises ObjectsError with the pods that are not
    back, and why.
    """
    deadline = time.monotonic() + seconds
    wait_for_nodes(client, nodes, seconds)
    known = {pod["uid"]: pod for pod in before}
    deleted: list[str] = []
    while True:

        def is_settled(found: Objects) -> bool:
            missing = _missing(found, nodes, known)
            return not missing or any(_is_delayed(pod) for pod in missing)

        missing = _missing(observe(client, PODS, {}, is_settled, deadline)[1], nodes, known)
        if not missing:
            return deleted
        delayed = [_delete(client, pod) for pod in missing if _is_delayed(pod)]
        deleted += delayed
        if not delayed and time.monotonic() >= deadline:
            raise ObjectsError(_not_back(client, by_name(missing), seconds))


def _missing(found: Objects, nodes: list[str], known: dict[str, Json]) -> list[Json]:
    return [pod for pod in found.values() if _is_missing(pod, nodes, known)]


def _is_missing(pod: Json, nodes: list[str], known: dict[str, Json]) -> bool:
    # What takes the place of a pod that was deleted has no node at first.
    if not hangs_on_network(pod) or pod["spec"].get("nodeName", "") not in ("", *nodes):
        return False
    former = known.get(pod["metadata"]["uid"])
    if former is None:
        return not is_ready(pod)
    if not former["ready"]:
        return False
    # Until its kubelet has looked, the API tells of a pod as it was.
    return not is_ready(pod) or bool({*former["containers"]} & {*containers_of(pod)})


def _is_delayed(pod: Json) -> bool:
    waiting = [
        (entry.get("state") or {}).get("waiting") or {}
        for entry in pod.get("status", {}).get("containerStatuses") or []
    ]
    return bool(controller_of(pod)) and any(one.get("reason") == _BACK_OFF for one in waiting)


def _delete(client: Client, pod: Json) -> str:
    metadata = pod["metadata"]
    path = f"{pods_path(metadata['namespace'])}/{metadata['name']}"
    try:
        client.request("DELETE", path, None, {"preconditions": {"uid": metadata["uid"]}})
    except ApiError as error:
        # Gone, or another one by now: either is what was wanted.
        if error.code not in (404, 409):
            raise
    return f"{metadata['namespace']}/{metadata['name']}"


def _not_back(client: Client, pods: list[Json], seconds: float) -> str:
    reasons = [explain(client, pod) for pod in pods[:_EXPLAINED]]
    if len(pods) > _EXPLAINED:
        reasons.append(f"and {len(pods) - _EXPLAINED} more")
    return (
        f"the network is there, and {len(pods)} pods are not back after {seconds:g} s: {'; '.join(reasons)}"
    )


def _listed(client: Client, names: list[str]) -> list[Json]:
    return [
        node for node in client.request("GET", NODES).get("items") or [] if node["metadata"]["name"] in names
    ]
