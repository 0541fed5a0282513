"""Object definitions as they are given: checked, and put into an order in which they can be made."""

from __future__ import annotations

import copy
from typing import Any

from .errors import ObjectsError

# What others refer to comes first: an object needs its namespace and its kind, a pod its service account with
# its rights, and a webhook may only intercept once everything else is there.
_ORDER = {
    kind: position
    for position, kinds in enumerate(
        (
            ("Namespace",),
            ("CustomResourceDefinition",),
            ("PriorityClass", "RuntimeClass", "ResourceQuota", "LimitRange"),
            ("ServiceAccount",),
            ("ClusterRole", "Role"),
            ("ClusterRoleBinding", "RoleBinding"),
            ("Secret", "ConfigMap"),
        )
    )
    for kind in kinds
}
_MIDDLE = len(_ORDER)
_LAST = {
    "Pod": 1,
    "Job": 1,
    "DaemonSet": 1,
    "Deployment": 1,
    "StatefulSet": 1,
    "APIService": 2,
    "MutatingWebhookConfiguration": 3,
    "ValidatingWebhookConfiguration": 3,
}

# By them a removal finds what an owner applied.
MANAGER_LABEL, MANAGER = "app.kubernetes.io/managed-by", "flatnet"
OWNER_LABEL = "flatnet.io/owner"

# What the API server keeps for itself: no difference in it is a change of the object.
_BOOKKEEPING = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


def ordered(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the definitions in the order of making them; lists are opened. Removing takes the reverse order.

    Raises ObjectsError for a definition without apiVersion, kind or name, and for two of the same object.
    """
    flat: list[dict[str, Any]] = []
    for index, item in enumerate(objects):
        flat += _opened(item, f"objects[{index}]")
    seen: set[tuple[str, str, str, str]] = set()
    for item in flat:
        metadata = item["metadata"]
        group = item["apiVersion"].rpartition("/")[0]
        identity = (group, item["kind"], metadata.get("namespace", ""), metadata["name"])
        if identity in seen:
            raise ObjectsError(f"{item['kind']} {metadata['name']} is defined twice: remove one of the two")
        seen.add(identity)
    return sorted(flat, key=lambda item: _position(item["kind"]))


def wanted_objects(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the definitions that the parameters of cluster_objects ask for. Raises ObjectsError."""
    return labelled(ordered(parameters["objects"]), parameters["owner"])


def labelled(objects: list[dict[str, Any]], owner: str) -> list[dict[str, Any]]:
    """Return the definitions with the labels by which a removal finds what the owner applied.

    The first is one of Kubernetes' recommended labels. Without an owner the definitions stay as they are.
    """
    if not owner:
        return objects
    labels = {MANAGER_LABEL: MANAGER, OWNER_LABEL: owner}
    return [
        {
            **item,
            "metadata": {**item["metadata"], "labels": {**(item["metadata"].get("labels") or {}), **labels}},
        }
        for item in objects
    ]


def is_owned(item: dict[str, Any], owner: str) -> bool:
    """Tell whether an object has the labels of an owner."""
    labels = item["metadata"].get("labels") or {}
    return labels.get(MANAGER_LABEL) == MANAGER and labels.get(OWNER_LABEL) == owner


def no_longer_wanted(before: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the definitions applied before whose objects are not among the wanted.

    Node objects are never: each is of a host, which leaves the cluster by being drained first.
    """
    kept = {_identity(item) for item in wanted}
    return [item for item in before if item["kind"] != "Node" and _identity(item) not in kept]


def normalised(current: dict[str, Any]) -> dict[str, Any]:
    """Return the object without bookkeeping and status, for comparing."""
    kept = {name: value for name, value in current.items() if name != "status"}
    kept["metadata"] = {
        name: value for name, value in current.get("metadata", {}).items() if name not in _BOOKKEEPING
    }
    return kept


def hidden(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[Any, Any]:
    """Return both for a difference; the values of Secrets are hidden, but a changed one says so."""
    if (after or before or {}).get("kind") != "Secret":
        return before, after
    shown_before, shown_after = copy.deepcopy(before), copy.deepcopy(after)
    for section in ("data", "stringData"):
        old = (before or {}).get(section) or {}
        new = (after or {}).get(section) or {}
        if shown_before is not None and old:
            shown_before[section] = dict.fromkeys(old, "(hidden)")
        if shown_after is not None and new:
            shown_after[section] = {
                name: "(hidden)" if before is None or old.get(name) == value else "(hidden, changed)"
                for name, value in new.items()
            }
    return shown_before, shown_after


def shown(item: dict[str, Any]) -> dict[str, Any]:
    """Return the object for a result: without the values of Secrets, and without who manages which field."""
    result = dict(hidden(None, item)[1])
    metadata = item["metadata"].items()
    result["metadata"] = {name: value for name, value in metadata if name != "managedFields"}
    return result


def custom_kinds(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return group and kind of every kind that the CustomResourceDefinitions among the objects define."""
    return {
        (item["spec"]["group"], item["spec"]["names"]["kind"])
        for item in objects
        if item["kind"] == "CustomResourceDefinition"
    }


def _identity(item: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return which object is meant, whatever version of its group it is written in."""
    metadata = item["metadata"]
    group = item["apiVersion"].rpartition("/")[0]
    return group, item["kind"], metadata.get("namespace") or "default", metadata["name"]


def _position(kind: str) -> int:
    return _ORDER.get(kind, _MIDDLE + _LAST.get(kind, 0))


def _opened(item: dict[str, Any], where: str) -> list[dict[str, Any]]:
    if str(item.get("kind", "")).endswith("List") and isinstance(item.get("items"), list):
        flat: list[dict[str, Any]] = []
        for index, inner in enumerate(item["items"]):
            flat += _opened(inner, f"{where}.items[{index}]")
        return flat
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    for what, value in (
        ("apiVersion", item.get("apiVersion")),
        ("kind", item.get("kind")),
        ("metadata.name", name),
    ):
        if not isinstance(value, str) or not value:
            raise ObjectsError(
                f"{where}: {what} is {value!r}: a Kubernetes object needs apiVersion, kind and metadata.name"
            )
    return [item]
