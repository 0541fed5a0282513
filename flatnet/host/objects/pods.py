"""Pods: what they are, whether they are ready, and if not, why not."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .client import Client
from .errors import ObjectsError
from .wait import condition

_ENDLESS_RESTARTS = 3


def pods_path(namespace: str) -> str:
    """Return the path of the pods of a namespace, of all namespaces for ""."""
    if not namespace:
        return "/api/v1/pods"
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"


def summaries(client: Client, namespace: str, label_selector: str) -> list[dict[str, Any]]:
    """Return the pods that the selector fits, by name: name, namespace, uid, node, ip, ips, labels, ready."""
    listing = client.request("GET", pods_path(namespace), {"labelSelector": label_selector})
    return [
        {
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "uid": pod["metadata"]["uid"],
            "node": pod["spec"].get("nodeName", ""),
            "ip": pod["status"].get("podIP", ""),
            "ips": [entry["ip"] for entry in pod["status"].get("podIPs") or []],
            "labels": pod["metadata"].get("labels") or {},
            "ready": is_ready(pod),
        }
        for pod in by_name(listing.get("items") or [])
    ]


def by_name(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods sorted by name."""
    return sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether the pod is Ready and is to stay."""
    return not pod["metadata"].get("deletionTimestamp") and condition(pod, "Ready") == ""


def is_current(pod: dict[str, Any]) -> bool:
    """Tell whether the pod is neither on its way out nor at its end."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not pod["metadata"].get("deletionTimestamp")


class Restarts:
    """How often the containers of pods were started again while somebody looks."""

    def __init__(self) -> None:
        """Begin to look: what was before does not count, as its reason may be mended."""
        self._first: dict[tuple[str, str], int] = {}

    def endless(self, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the pods with a container that was started again so often that more of it brings nothing.

        The kubelet waits 10 s before the second time, and twice as long before each further one
        (pkg/kubelet/kubelet.go, backOffPeriod), so this takes half a minute from the start of a pod.
        """
        return [pod for pod in pods if self._counted(pod) >= _ENDLESS_RESTARTS]

    def _counted(self, pod: dict[str, Any]) -> int:
        """Return how often the container that waits for its next start was started again."""
        most = 0
        for entry in _containers(pod.get("status", {})):
            count = entry.get("restartCount", 0)
            first = self._first.setdefault((pod["metadata"]["uid"], entry["name"]), count)
            waits_for = (entry.get("state") or {}).get("waiting") or {}
            if waits_for.get("reason") == "CrashLoopBackOff":
                most = max(most, count - first)
        return most


def explain(client: Client, pod: dict[str, Any]) -> str:
    """Return a pod's name, node and phase, what its containers wait for, and the last warning about it."""
    status, node = pod.get("status", {}), pod["spec"].get("nodeName")
    place = f"on {node}" if node else "on no node"
    name = f"{pod['metadata']['name']} ({place}, {status.get('phase', 'Unknown')})"
    # The scheduler's own condition says the same as its last warning.
    warning = _warning(client, pod) if node else ""
    return f"{name}: {_reason(pod, status, node)}{warning}"


def _reason(pod: dict[str, Any], status: dict[str, Any], node: str | None) -> str:
    if not node:
        return condition(pod, "PodScheduled") or "waits for a node"
    reasons = [
        f"container {entry['name']} {_container_reason(entry)}"
        for entry in _containers(status)
        if not _is_well(entry)
    ]
    return ", ".join(reasons) or condition(pod, "Ready")


def _containers(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _is_well(entry: dict[str, Any]) -> bool:
    """Tell whether a container is ready, or an init container has done its work."""
    terminated = (entry.get("state") or {}).get("terminated")
    return bool(entry.get("ready")) or (terminated is not None and terminated["exitCode"] == 0)


def _container_reason(entry: dict[str, Any]) -> str:
    state = entry.get("state") or {}
    last = (entry.get("lastState") or {}).get("terminated")
    before = f" (before, it {_ended(last)})" if last else ""
    if state.get("terminated"):
        return _ended(state["terminated"])
    if state.get("waiting"):
        waiting = state["waiting"]
        message = f": {waiting['message']}" if waiting.get("message") else ""
        return f"waits: {waiting.get('reason', 'no reason')}{message}{before}"
    return f"runs but is not ready{before}"


def _ended(terminated: dict[str, Any]) -> str:
    reason = terminated.get("message") or terminated.get("reason") or "no reason"
    return f"ended with exit code {terminated['exitCode']}: {reason.strip()}"


def _warning(client: Client, pod: dict[str, Any]) -> str:
    """Return the last warning, which alone tells why a pod has no sandbox or no network."""
    metadata = pod["metadata"]
    query = {"fieldSelector": f"involvedObject.uid={metadata['uid']},type=Warning"}
    try:
        listing = client.request("GET", f"/api/v1/namespaces/{metadata['namespace']}/events", query)
    except ObjectsError:
        return ""
    events = sorted(listing.get("items") or [], key=_event_time)
    return f" [{events[-1].get('reason')}: {events[-1].get('message')}]" if events else ""


def _event_time(event: dict[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")
