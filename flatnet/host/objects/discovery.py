"""Where objects of a kind live: asked from the API server, once for each group and version."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from .client import Client
from .errors import ApiError, ObjectsError


class Resource(NamedTuple):
    """A kind of the API: path of its group and version, its plural, whether it lives in namespaces."""

    base: str
    plural: str
    namespaced: bool


class UnknownKindError(ObjectsError):
    """The API server serves no such kind (yet)."""


class Reference(NamedTuple):
    """Which object is meant."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return it as people name it, such as Deployment kube-system/coredns."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Discovery:
    """The resources of an API server, by group and version."""

    def __init__(self, client: Client) -> None:
        """Ask nothing yet."""
        self._client = client
        self._groups: dict[str, dict[str, Resource]] = {}

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return where the kind lives. Raises UnknownKindError, after which the next call asks again."""
        resources = self._groups.get(api_version) or self._ask(api_version)
        if kind not in resources:
            self._groups.pop(api_version, None)
            raise UnknownKindError(
                f"{kind} in {api_version}: the API server has no such kind: correct apiVersion and kind, or"
                " apply its CustomResourceDefinition too"
            )
        return resources[kind]

    def _ask(self, api_version: str) -> dict[str, Resource]:
        base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        try:
            listing = self._client.request("GET", base)
        except ApiError as error:
            if error.code == 404:
                return {}
            raise
        # Names with a slash are subresources, whose kind may be that of something else (such as Scale).
        resources = {
            item["kind"]: Resource(base, item["name"], bool(item["namespaced"]))
            for item in listing.get("resources", [])
            if "/" not in item["name"]
        }
        self._groups[api_version] = resources
        return resources

    def reference(self, wanted: dict[str, Any]) -> Reference:
        """Return which object a definition means; namespaced ones without a namespace live in `default`."""
        metadata = wanted["metadata"]
        resource = self.resource(wanted["apiVersion"], wanted["kind"])
        namespace = metadata.get("namespace", "")
        if namespace and not resource.namespaced:
            raise ObjectsError(
                f"{wanted['kind']} {metadata['name']}: the kind has no namespace: remove metadata.namespace"
            )
        if resource.namespaced:
            namespace = namespace or "default"
        return Reference(wanted["apiVersion"], wanted["kind"], namespace, metadata["name"])

    def collection(self, api_version: str, kind: str, namespace: str) -> str:
        """Return the path of all objects of the kind in the namespace, of all namespaces for ""."""
        resource = self.resource(api_version, kind)
        inside = f"/namespaces/{quote(namespace, safe='')}" if resource.namespaced and namespace else ""
        return f"{resource.base}{inside}/{resource.plural}"

    def path(self, reference: Reference) -> str:
        """Return the path of one object."""
        collection = self.collection(reference.api_version, reference.kind, reference.namespace)
        return f"{collection}/{quote(reference.name, safe='')}"
