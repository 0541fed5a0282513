"""Nodes, pods and disruption budgets, in the few words that a switch needs of them."""

from __future__ import annotations

from typing import Any

from ..objects.client import Client
from ..objects.errors import ApiError
from ..objects.pods import is_current, is_ready
from ..objects.wait import condition

Json = dict[str, Any]

NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
_BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
# On a node that the switch has closed to new pods; one that an administrator has closed stays closed.
CLOSED = "flatnet.io/closed-by-switch"
# The kubelet puts it on the pods that it has from files (Kubernetes' pkg/kubelet/types/pod_update.go).
_MIRROR = "kubernetes.io/config.mirror"


def look(client: Client) -> Json:
    """Return nodes, the pods that have an address of the pod network, and budgets that hold such pods."""
    pods = [pod for pod in client.request("GET", PODS).get("items") or [] if hangs_on_network(pod)]
    try:
        budgets = client.request("GET", _BUDGETS).get("items") or []
    except ApiError as error:
        if error.code != 404:
            raise
        budgets = []
    return {
        "nodes": [_node(node) for node in client.request("GET", NODES).get("items") or []],
        "pods": [_pod(pod) for pod in pods],
        "budgets": [_budget(budget, pods) for budget in budgets],
    }


def hangs_on_network(pod: Json) -> bool:
    """Tell whether a pod has, or is to get, an address of the pod network."""
    return not pod["spec"].get("hostNetwork") and is_current(pod)


def containers_of(pod: Json) -> list[str]:
    """Return the identifiers of a pod's containers, which a pod that was made anew has others of."""
    listed = pod.get("status", {}).get("containerStatuses") or []
    return sorted(entry["containerID"] for entry in listed if entry.get("containerID"))


def controller_of(pod: Json) -> str:
    """Return the kind of a pod's controller, empty where nobody would make it again."""
    owners = pod["metadata"].get("ownerReferences") or []
    return next((str(owner["kind"]) for owner in owners if owner.get("controller")), "")


def _node(node: Json) -> Json:
    reason = condition(node, "Ready")
    closed = CLOSED in (node["metadata"].get("annotations") or {})
    return {"name": node["metadata"]["name"], "reason": reason, "closed": closed}


def _pod(pod: Json) -> Json:
    metadata, spec = pod["metadata"], pod["spec"]
    return {
        "uid": metadata["uid"],
        "name": f"{metadata['namespace']}/{metadata['name']}",
        "node": spec.get("nodeName", ""),
        "controller": controller_of(pod),
        "static": _MIRROR in (metadata.get("annotations") or {}),
        "restarts": spec.get("restartPolicy", "Always") == "Always",
        "ready": is_ready(pod),
        "containers": containers_of(pod),
    }


def _budget(budget: Json, pods: list[Json]) -> Json:
    metadata, selector = budget["metadata"], budget["spec"].get("selector")
    held = [
        pod["spec"].get("nodeName", "")
        for pod in pods
        if pod["metadata"]["namespace"] == metadata["namespace"]
        and selector is not None
        and is_selected(selector, pod["metadata"].get("labels") or {})
    ]
    return {
        "name": f"{metadata['namespace']}/{metadata['name']}",
        "allowed": int(budget.get("status", {}).get("disruptionsAllowed", 0)),
        "nodes": held,
    }


def is_selected(selector: Json, labels: dict[str, str]) -> bool:
    """Tell whether a label selector fits; an empty one fits all (apimachinery, meta/v1, LabelSelector)."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_fits(term, labels) for term in selector.get("matchExpressions") or [])


def _fits(term: Json, labels: dict[str, str]) -> bool:
    key, operator, values = term["key"], term["operator"], term.get("values") or []
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    # A label that is not there is not in any list of values.
    return bool(key in labels and labels[key] in values) == bool(operator == "In")
