"""Wait for pods, those of the present revision."""

from __future__ import annotations

import time
from typing import Any

from .client import Client
from .discovery import Discovery
from .errors import ObjectsError
from .pods import Restarts, by_name, explain, is_current, is_ready, pods_path
from .wait import Objects, observe

_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
# How often pods are looked at while their workload rolls out.
_LOOK_SECONDS = 5.0
# How many pods a failure message explains; the rest is counted.
_EXPLAINED = 3


def wait_for_pods(
    client: Client, discovery: Discovery, objects: list[dict[str, Any]], wanted: dict[str, Any]
) -> None:
    """Wait until every pod that the selector fits is Ready, at least `count` of them (at least one without).

    The workloads among the applied objects that live in the namespace finish their rollout first; otherwise
    the pods of the previous revision would be taken for the new ones. Pods on their way out, and pods that
    ended, do not count. Raises ObjectsError that says of the pods what holds them, and ends with `advice`; it
    does so at once for pods that end again and again.
    """
    namespace, selector, seconds = wanted["namespace"], wanted["label_selector"], wanted["seconds"]
    least = 1 if wanted["count"] is None else wanted["count"]
    began = time.monotonic()
    deadline, restarts = began + seconds, Restarts()
    workloads = [
        item
        for item in objects
        if item["kind"] in _WORKLOADS and namespace in ("", item["metadata"].get("namespace", "default"))
    ]

    def present() -> list[dict[str, Any]]:
        # One list, of a server that may be away just now.
        query = {"labelSelector": selector}
        _, found = observe(client, pods_path(namespace), query, lambda _: True, time.monotonic())
        return [pod for pod in found.values() if is_current(pod)]

    def rolls_out(item: dict[str, Any]) -> bool:
        # A workload does not tell that its new pods end again and again, and keeps its old ones meanwhile.
        while True:
            look = min(deadline, time.monotonic() + _LOOK_SECONDS)
            if _wait_for_rollout(client, discovery, item, look):
                return True
            if look == deadline or restarts.endless(present()):
                return False

    rolled_out = [rolls_out(item) for item in workloads]

    def enough(found: Objects) -> bool:
        current = [pod for pod in found.values() if is_current(pod)]
        are_ready = len(current) >= least and all(is_ready(pod) for pod in current)
        return are_ready or bool(restarts.endless(current))

    # After a rollout that did not end, this makes one list, for the message.
    done, found = observe(client, pods_path(namespace), {"labelSelector": selector}, enough, deadline)
    pods = by_name([pod for pod in found.values() if is_current(pod)])
    endless = restarts.endless(pods)
    if done and all(rolled_out) and not endless:
        return
    unready = endless or [pod for pod in pods if not is_ready(pod)]
    reasons = [explain(client, pod) for pod in unready[:_EXPLAINED]]
    if len(unready) > _EXPLAINED:
        reasons.append(f"and {len(unready) - _EXPLAINED} more")
    if len(pods) < least or not unready:
        reasons += _workload_reasons(client, discovery, workloads, namespace)
    ready = sum(is_ready(pod) for pod in pods)
    after = f"{time.monotonic() - began:.0f} s, and it ends again and again" if endless else f"{seconds:g} s"
    raise ObjectsError(
        f"{ready} of {max(least, len(pods))} pods with {selector} in {namespace} are ready"
        f" after {after}: {'; '.join(reasons)}{wanted.get('advice', '')}"
    )


def _wait_for_rollout(client: Client, discovery: Discovery, item: dict[str, Any], deadline: float) -> bool:
    namespace = item["metadata"].get("namespace", "default")
    path = discovery.collection(item["apiVersion"], item["kind"], namespace)
    query = {"fieldSelector": f"metadata.name={item['metadata']['name']}"}

    def ended(found: Objects) -> bool:
        return bool(found) and all(is_rolled_out(workload) for workload in found.values())

    return observe(client, path, query, ended, deadline)[0]


def is_rolled_out(workload: dict[str, Any]) -> bool:
    """Tell whether all pods of a Deployment, DaemonSet or StatefulSet are of its present revision.

    The rule of `kubectl rollout status` up to the readiness of the pods, which is judged by the pods
    themselves.
    """
    status, spec = workload.get("status", {}), workload["spec"]
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    if "desiredNumberScheduled" in status:
        # A DaemonSet: the only one of them whose size is not its own choice.
        return bool(status.get("updatedNumberScheduled", 0) == status["desiredNumberScheduled"])
    wanted = spec.get("replicas", 1)
    return bool(status.get("updatedReplicas", 0) == wanted == status.get("replicas", 0))


def _workload_reasons(
    client: Client, discovery: Discovery, workloads: list[dict[str, Any]], namespace: str
) -> list[str]:
    """Return what the workloads say about pods that do not exist, or are not of the present revision."""
    reasons = []
    for item in workloads:
        path = discovery.collection(item["apiVersion"], item["kind"], namespace)
        name = item["metadata"]["name"]
        try:
            current = client.request("GET", f"{path}/{name}")
        except ObjectsError as error:
            reasons.append(str(error))
            continue
        failures = [
            f"{item['kind']} {name}: {entry.get('message')}"
            for entry in current.get("status", {}).get("conditions") or []
            if entry["type"] == "ReplicaFailure" and entry["status"] == "True"
        ]
        if not failures and not is_rolled_out(current):
            failures.append(
                f"{item['kind']} {name} has not replaced its pods: see that kube-controller-manager runs"
            )
        reasons += failures
    return reasons or ["no more pods exist: see that their controller runs and that the selector fits them"]
