"""Make objects as defined, or make them absent, and say what that changed."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

from .client import Client
from .definitions import custom_kinds, hidden, is_owned, normalised, ordered
from .discovery import Discovery, Reference, UnknownKindError
from .errors import ApiError, ObjectsError
from .wait import wait_until_gone

# A starting API server makes these itself, moments after it says that it is ready.
_SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_SETTLE_SECONDS = 15.0
_POLL_SECONDS = 0.1
_LEAVING_SECONDS = 120.0


class Change(NamedTuple):
    """What was done (in a check: would be) to an object; before and after are None where there is none."""

    reference: Reference
    action: str  # created, changed or deleted
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    def difference(self) -> dict[str, str]:
        """Return it for Ansible's diff, without the values of Secrets."""
        shown = hidden(self.before, self.after)
        before, after = (
            "" if item is None else json.dumps(item, indent=2, sort_keys=True) + "\n" for item in shown
        )
        header = str(self.reference)
        return {"before_header": header, "after_header": header, "before": before, "after": after}


class Applier:
    """Applies and removes objects; with check True the API server only tries, and stores nothing."""

    def __init__(self, client: Client, discovery: Discovery, field_manager: str, *, check: bool) -> None:
        """Remember how."""
        self._client = client
        self._discovery = discovery
        self._field_manager = field_manager
        self._check = check
        # In a check, namespaces that this run would make, where nothing can be tried.
        self._imagined: set[str] = set()
        self.stored: list[dict[str, Any]] = []

    def apply(self, objects: list[dict[str, Any]]) -> list[Change]:
        """Apply the objects server-side (KEP-555), taking over fields that others manage; return the changes.

        What is defined elsewhere in an object stays. An object is changed when what the API server stores,
        apart from its bookkeeping and the status, is. One that is being deleted is waited for, and made
        again. The objects as the API server has them then are in `stored`.
        """
        definitions = ordered(objects)
        kinds = custom_kinds(definitions)
        changes = []
        for item in definitions:
            reference = self._reference(item, kinds)
            if reference is None or reference.namespace in self._imagined:
                self.stored.append(item)
                changes.append(Change(reference or _unresolved(item), "created", None, normalised(item)))
                continue
            before = self._current_or_gone(reference)
            after = self._patched(reference, item)
            self.stored.append(after)
            change = _change(reference, before, after, check=self._check)
            if change is not None:
                changes.append(change)
        return changes

    def _current_or_gone(self, reference: Reference) -> dict[str, Any] | None:
        """Return the object; one that is being deleted is waited for (not in a check) and counts as gone."""
        before = self._current(reference)
        leaving = before is not None and bool(before["metadata"].get("deletionTimestamp"))
        if self._check:
            if reference.kind == "Namespace" and (before is None or leaving):
                self._imagined.add(reference.name)
        elif leaving:
            deadline = time.monotonic() + _LEAVING_SECONDS
            wait_until_gone(self._client, self._discovery, [reference], deadline, _LEAVING_SECONDS)
        return None if leaving else before

    def _patched(self, reference: Reference, item: dict[str, Any]) -> dict[str, Any]:
        query = {"fieldManager": self._field_manager, "force": "true"}
        if self._check:
            query["dryRun"] = "All"
        body = {**item, "metadata": {**item["metadata"]}}
        if reference.namespace:
            body["metadata"]["namespace"] = reference.namespace
        path = self._discovery.path(reference)
        give_up = time.monotonic() + _SETTLE_SECONDS
        while True:
            try:
                return self._client.request("PATCH", path, query, body, "application/apply-patch+yaml")
            except ApiError as error:
                expected = error.missing_namespace and reference.namespace in _SYSTEM_NAMESPACES
                if not expected or time.monotonic() >= give_up:
                    raise refused(reference, error) from error
            time.sleep(_POLL_SECONDS)

    def _reference(self, item: dict[str, Any], kinds: set[tuple[str, str]]) -> Reference | None:
        """Return the reference; None in a check for a kind that this run would have defined."""
        defined_here = (item["apiVersion"].rpartition("/")[0], item["kind"]) in kinds
        give_up = time.monotonic() + _SETTLE_SECONDS
        while True:
            try:
                return self._discovery.reference(item)
            except UnknownKindError:
                if defined_here and self._check:
                    return None
                if not defined_here or time.monotonic() >= give_up:
                    raise
            # A new kind is served a moment after its definition is stored.
            time.sleep(_POLL_SECONDS)

    def remove(
        self, objects: list[dict[str, Any]], propagation: str, owner: str = ""
    ) -> tuple[list[Change], list[Reference]]:
        """Delete the objects in the reverse order of making them; return changes and what is on its way out.

        propagation is Background or Foreground: whether what an object owns goes after or before it. What
        does not exist, or is being deleted already, is no change. owner: whose label an object must have to
        go, "" for any object.
        """
        changes, leaving = [], []
        for item in reversed(ordered(objects)):
            try:
                reference = self._discovery.reference(item)
            except UnknownKindError:
                continue
            before = self._current(reference)
            if before is None or (owner and not is_owned(before, owner)):
                continue
            leaving.append(reference)
            if before["metadata"].get("deletionTimestamp"):
                continue
            if not self._check:
                self._delete(reference, before, propagation)
            changes.append(Change(reference, "deleted", normalised(before), None))
        return changes, leaving

    def _delete(self, reference: Reference, before: dict[str, Any], propagation: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            # Never the object that somebody made again under the same name.
            "preconditions": {"uid": before["metadata"]["uid"]},
        }
        try:
            self._client.request("DELETE", self._discovery.path(reference), None, body)
        except ApiError as error:
            if error.code not in (404, 409):
                raise refused(reference, error) from error

    def _current(self, reference: Reference) -> dict[str, Any] | None:
        try:
            return self._client.request("GET", self._discovery.path(reference))
        except ApiError as error:
            if error.code == 404:
                return None
            raise refused(reference, error) from error


def _change(
    reference: Reference, before: dict[str, Any] | None, after: dict[str, Any], *, check: bool
) -> Change | None:
    if before is None:
        return Change(reference, "created", None, normalised(after))
    if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"] and not check:
        return None
    # Somebody may have written the status in between, so a new version alone is no change.
    old, new = normalised(before), normalised(after)
    return None if old == new else Change(reference, "changed", old, new)


def _unresolved(item: dict[str, Any]) -> Reference:
    metadata = item["metadata"]
    return Reference(item["apiVersion"], item["kind"], metadata.get("namespace", ""), metadata["name"])


def refused(reference: Reference, error: ApiError) -> ObjectsError:
    """Return what to tell of an object that the API server refused."""
    message = f"{reference}: {error}"
    if error.code == 422 and any(words in message for words in ("immutable", "may not change")):
        message += ": remove the object first (state: absent), then apply it again"
    return ApiError(message, error.code, error.status)
