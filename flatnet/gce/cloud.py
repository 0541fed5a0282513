"""The routes of a VPC network in the cloud itself, through Google's client library google-cloud-compute.

The library is an extra of its own (`pip install 'flatnet[gce]'`), and is asked for only here.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flatnet.errors import FlatnetError
from flatnet.gce.routes import Changes, Instance, VpcRoute

# The API answers a wait after two minutes at the latest.
_SECONDS = 130.0
_DONE = "DONE"
_Answer = TypeVar("_Answer")


class Cloud:
    """A project's networks, routes and instances. Every call raises FlatnetError with what the API said."""

    def __init__(self, project: str, endpoint: str = "") -> None:
        """Take the credentials of the environment (Application Default Credentials).

        endpoint: where the API is, if not where the library looks; one of plain http is given no credentials.
        Raises FlatnetError where the library or the credentials are missing.
        """
        try:
            from google.api_core import exceptions
            from google.auth import credentials
            from google.auth import exceptions as auth_exceptions
            from google.cloud import compute_v1
        except ImportError as error:
            raise FlatnetError(
                f"google-cloud-compute is not in the environment that runs Ansible ({error}); install it "
                "there with: pip install 'flatnet[gce]'"
            ) from None
        self._api: Any = compute_v1
        self._errors = (exceptions.GoogleAPICallError, exceptions.RetryError, auth_exceptions.GoogleAuthError)
        self._project = project
        self._endpoint = endpoint
        self._anonymous: Any = credentials.AnonymousCredentials
        self._routes = self._client("Routes")
        self._operations = self._client("GlobalOperations")

    def _client(self, service: str) -> Any:  # noqa: ANN401 (the library is not there where types are checked)
        client = getattr(self._api, f"{service}Client")
        if not self._endpoint:
            return self._asked("credentials for the Compute API", client)
        scheme, host = urlsplit(self._endpoint)[:2]
        if scheme not in ("http", "https") or not host:
            raise FlatnetError(
                f"gce_routes_api_endpoint {self._endpoint!r} is no address; write it like https://host"
            )
        if scheme == "https":
            options = {"api_endpoint": host}
            return self._asked("credentials for the Compute API", lambda: client(client_options=options))
        transport = client.get_transport_class("rest")
        return client(transport=transport(host=host, credentials=self._anonymous(), url_scheme="http"))

    def _asked(self, what: str, ask: Callable[[], _Answer]) -> _Answer:
        try:
            return ask()
        except self._errors as error:
            raise FlatnetError(f"{what} of project {self._project}: {error}") from None

    def network_mtu(self, network: str) -> int:
        """Return the MTU of a network in bytes."""
        client = self._client("Networks")
        found = self._asked(
            f"the network {network}", lambda: client.get(project=self._project, network=network)
        )
        return int(found.mtu)

    def routes(self) -> list[VpcRoute]:
        """Return the routes of all networks of the project."""
        return self._asked(
            "the routes", lambda: [_read_route(one) for one in self._routes.list(project=self._project)]
        )

    def instances(self) -> list[Instance]:
        """Return the instances of all zones, once for each of their interfaces."""
        client = self._client("Instances")
        return self._asked(
            "the instances",
            lambda: [
                one
                for _, scoped in client.aggregated_list(project=self._project)
                for instance in scoped.instances
                for one in _read_instance(instance)
            ],
        )

    def carry_out(self, changes: Changes) -> None:
        """Insert what is new, and then delete what is not wanted any more.

        What was done stays when something fails: the next run goes on from there.
        """
        self._all("insert", changes.inserted, self._insert)
        self._all("delete", changes.deleted, self._delete)

    def _all(self, verb: str, routes: Sequence[VpcRoute], begin: Callable[[VpcRoute], Any]) -> None:
        begun = [
            (route, self._asked(f"{verb} route {route.name}", partial(begin, route))) for route in routes
        ]
        for route, operation in begun:
            self._wait(f"{verb} route {route.name}", operation)

    def _insert(self, route: VpcRoute) -> Any:  # noqa: ANN401 (as above)
        resource = self._api.Route(
            name=route.name,
            network=route.network,
            dest_range=route.destination,
            next_hop_ip=route.next_hop_ip,
            priority=route.priority,
            tags=list(route.tags),
            description=route.description,
        )
        request = self._api.InsertRouteRequest(
            project=self._project, route_resource=resource, request_id=str(uuid.uuid4())
        )
        return self._routes.insert_unary(request=request)

    def _delete(self, route: VpcRoute) -> Any:  # noqa: ANN401 (as above)
        request = self._api.DeleteRouteRequest(
            project=self._project, route=route.name, request_id=str(uuid.uuid4())
        )
        return self._routes.delete_unary(request=request)

    def _wait(self, what: str, operation: Any) -> None:  # noqa: ANN401 (as above)
        """Wait for the end of an operation: the API answers a wait after two minutes, ended or not."""
        for _ in range(5):
            if operation.status.name == _DONE:
                break
            ask = partial(self._operations.wait, project=self._project, operation=operation.name)
            operation = self._asked(what, partial(ask, timeout=_SECONDS))
        if operation.status.name != _DONE:
            raise FlatnetError(f"{what} of project {self._project}: it has not ended; run again")
        if operation.error.errors:
            said = "; ".join(f"{one.code}: {one.message}" for one in operation.error.errors)
            raise FlatnetError(f"{what} of project {self._project}: {said}")


def _path(url: str) -> str:
    """Return what comes after the address of the API, which differs from one way to it to another."""
    return url[url.index("projects/") :] if "projects/" in url else url


def _read_route(one: Any) -> VpcRoute:  # noqa: ANN401 (as above)
    return VpcRoute(
        name=one.name,
        network=_path(one.network),
        destination=one.dest_range,
        next_hop_ip=one.next_hop_ip,
        priority=one.priority,
        tags=tuple(one.tags),
        description=one.description,
    )


def _read_instance(one: Any) -> Iterator[Instance]:  # noqa: ANN401 (as above)
    for interface in one.network_interfaces:
        yield Instance(one.name, interface.network_i_p, _path(interface.network), one.can_ip_forward)
