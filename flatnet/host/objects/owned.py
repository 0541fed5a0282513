"""What owners have in the API: objects by their label, and annotations and labels of Node objects."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from .apply import Change, refused
from .client import Client
from .definitions import MANAGER, MANAGER_LABEL, OWNER_LABEL, normalised
from .discovery import Reference
from .errors import ApiError

_NODES = "/api/v1/nodes"
# How long to ask for what a group has: its own server may be gone for good, with the pods that it ran in.
_PATIENCE_SECONDS = 1.0


def owned_objects(client: Client, owner: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the objects with the owner's label, and a sentence for each group that could not be asked.

    Every kind that can be listed and deleted is asked once, in the version that the server prefers. Such a
    group is one whose own server, of an APIService, does not answer.
    """
    selector = f"{OWNER_LABEL}={owner},{MANAGER_LABEL}={MANAGER}"
    found: list[dict[str, Any]] = []
    silent: list[str] = []
    for base, version in _versions(client):
        objects, reason = _labelled_in(client, base, version, selector)
        found += objects
        silent += [f"{version} cannot be asked for objects of {owner}: {reason}"] if reason else []
    return _once(found), silent


def _labelled_in(client: Client, base: str, version: str, selector: str) -> tuple[list[dict[str, Any]], str]:
    """Return the objects of one version of a group, and why there may be more, or nothing."""
    found: list[dict[str, Any]] = []
    try:
        for kind, plural in _kinds(client, base):
            listed = client.request("GET", f"{base}/{plural}", {"labelSelector": selector})
            found += [{**item, "apiVersion": version, "kind": kind} for item in listed["items"]]
    except ApiError as error:
        if error.code < 500:
            raise
        return found, str(error)
    return found, ""


def release_nodes(client: Client, keys: dict[str, list[str]], *, check: bool) -> Iterator[Change]:
    """Remove annotations and labels from all Node objects, and yield the changes.

    keys: `annotations` and `labels`, names or patterns. Nodes themselves stay.
    """
    if not any(keys.values()):
        return
    for node in client.request("GET", _NODES)["items"]:
        metadata = node["metadata"]
        gone = {
            section: {
                key: None
                for key in metadata.get(section) or {}
                if any(fnmatchcase(key, pattern) for pattern in patterns)
            }
            for section, patterns in keys.items()
        }
        patch = {section: names for section, names in gone.items() if names}
        if patch:
            yield _patched(client, node, patch, check)


def _patched(client: Client, node: dict[str, Any], patch: dict[str, Any], check: bool) -> Change:
    name = node["metadata"]["name"]
    reference = Reference("v1", "Node", "", name)
    query = {"dryRun": "All"} if check else None
    try:
        after = client.request(
            "PATCH", f"{_NODES}/{name}", query, {"metadata": patch}, "application/merge-patch+json"
        )
    except ApiError as error:
        raise refused(reference, error) from error
    # What is listed does not say of what kind it is.
    before = {"apiVersion": "v1", "kind": "Node", **node}
    return Change(reference, "changed", normalised(before), normalised(after))


def _versions(client: Client) -> Iterator[tuple[str, str]]:
    """Yield (path, apiVersion) of all versions, of each group the preferred one first."""
    yield "/api/v1", "v1"
    for group in client.request("GET", "/apis")["groups"]:
        preferred = group["preferredVersion"]["groupVersion"]
        versions = [version["groupVersion"] for version in group["versions"]]
        for version in dict.fromkeys([preferred, *versions]):
            yield f"/apis/{version}", version


def _kinds(client: Client, base: str) -> Iterator[tuple[str, str]]:
    for resource in client.request("GET", base, busy_seconds=_PATIENCE_SECONDS).get("resources", []):
        # Names with a slash are subresources.
        if "/" not in resource["name"] and {"list", "delete"} <= {*resource.get("verbs", ())}:
            yield resource["kind"], resource["name"]


def _once(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each object once: one is listed in all versions, and in all groups, that have its kind."""
    return list({item["metadata"]["uid"]: item for item in reversed(found)}.values())
