"""A stand-in for the parts of the Compute API that flatnet uses, which takes nothing that the API would not.

Every request is held against what the API documents: its path, its query, each field of its body. What is
not as it should be is answered as the API does, and kept in `faults`, so that a test that passes has sent
nothing wrong.
"""

from __future__ import annotations

import ipaddress
import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
ROUTE_FIELDS: dict[str, type] = {
    "name": str,
    "network": str,
    "destRange": str,
    "nextHopIp": str,
    "priority": int,
    "tags": list,
    "description": str,
}
REQUIRED = {"name", "network", "destRange", "nextHopIp", "priority", "description"}
ALWAYS = {"$alt": "json;enum-encoding=int"}


class RefusedError(Exception):
    """A request that the API would not take."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass
class Project:
    """What a project has, and what was asked of it."""

    name: str = "example-project"
    mtus: dict[str, int] = field(default_factory=lambda: {"default": 1460})
    routes: dict[str, dict[str, Any]] = field(default_factory=dict)
    instances: list[dict[str, Any]] = field(default_factory=list)
    failing: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Route -> (code, message) with which the operation on it ends."""
    pending: int = 1
    """How often a wait is answered before an operation has ended."""
    page: int = 2
    """How many routes a page of a list has."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_instance(self, name: str, address: str, forwards: bool = True, network: str = "default") -> None:
        """Make a machine."""
        where = f"https://www.googleapis.com/compute/v1/projects/{self.name}/global/networks/{network}"
        self.instances.append(
            {
                "name": name,
                "canIpForward": forwards,
                "networkInterfaces": [{"name": "nic0", "network": where, "networkIP": address}],
            }
        )

    def add_route(self, name: str, **fields: object) -> None:
        """Make a route, of somebody else unless its fields say otherwise."""
        network = f"https://www.googleapis.com/compute/v1/projects/{self.name}/global/networks/default"
        self.routes[name] = {
            "name": name,
            "network": network,
            "destRange": "0.0.0.0/0",
            "priority": 1000,
            **fields,
        }


class ComputeServer:
    """Serves a project on a port of this machine while it is entered."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(project))

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(project: Project) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def do_DELETE(self) -> None:
            self._answer("DELETE")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base's)
            """Say nothing."""

        def _answer(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            url = urlsplit(self.path)
            project.requests.append((method, url.path))
            try:
                if "Authorization" in self.headers:
                    raise RefusedError(400, "invalid", "credentials were sent without encryption")
                query = {
                    key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()
                }
                status, answer = 200, _answer(project, method, url.path, query, body)
            except RefusedError as error:
                status = error.status
                project.faults.append(f"{method} {self.path} {body}: {error}")
                said = {"message": str(error), "domain": "global", "reason": error.reason}
                answer = {"error": {"code": status, "message": str(error), "errors": [said]}}
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler


def _answer(project: Project, method: str, path: str, query: dict[str, str], body: str) -> dict[str, Any]:
    found = re.fullmatch(r"/compute/v1/projects/([^/]+)/(.+)", path)
    if not found or found[1] != project.name:
        raise RefusedError(404, "notFound", f"{path} was not found")
    what = found[2].split("/")
    match (method, *what):
        case ("GET", "global", "routes"):
            return _list(project, query)
        case ("POST", "global", "routes"):
            _demand(query, "requestId")
            return _insert(project, query, body)
        case ("DELETE", "global", "routes", name):
            _demand(query, "requestId")
            return _delete(project, query, name, body)
        case ("GET", "global", "networks", name):
            _demand(query)
            if name not in project.mtus:
                raise RefusedError(404, "notFound", f"The resource 'networks/{name}' was not found")
            return {"name": name, "mtu": project.mtus[name], "autoCreateSubnetworks": True}
        case ("GET", "aggregated", "instances"):
            _demand(query)
            half = len(project.instances) // 2
            return {
                "items": {
                    "zones/europe-west1-b": {"instances": project.instances[:half]},
                    "zones/europe-west1-c": {"instances": project.instances[half:]},
                    "zones/europe-west1-d": {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
                }
            }
        case ("POST", "global", "operations", name, "wait"):
            _demand(query)
            return _wait(project, name)
    raise RefusedError(404, "notFound", f"{method} {path} is nothing that the API has")


def _demand(query: dict[str, str], *needed: str) -> None:
    # The client says with every request how it wants enumerations.
    given = {key: value for key, value in query.items() if key not in ALWAYS}
    if set(given) != set(needed):
        raise RefusedError(
            400, "invalidParameter", f"the query {given} is not {', '.join(needed) or 'empty'}"
        )


def _identity(query: dict[str, str]) -> None:
    try:
        value = uuid.UUID(query["requestId"])
    except ValueError:
        value = uuid.UUID(int=0)
    if value.int == 0:
        raise RefusedError(400, "invalid", f"requestId {query['requestId']} is no valid UUID")


def _list(project: Project, query: dict[str, str]) -> dict[str, Any]:
    _demand({key: value for key, value in query.items() if key != "pageToken"})
    start = int(query.get("pageToken", "0"))
    routes = [project.routes[name] for name in sorted(project.routes)]
    page = {"items": routes[start : start + project.page]} if routes else {}
    more = {"nextPageToken": str(start + project.page)} if start + project.page < len(routes) else {}
    return {**page, **more}


def _insert(project: Project, query: dict[str, str], body: str) -> dict[str, Any]:
    _identity(query)
    try:
        route = json.loads(body)
    except ValueError:
        raise RefusedError(400, "parseError", "the body is not JSON") from None
    for key, value in route.items():
        kind = ROUTE_FIELDS.get(key)
        if kind is None:
            raise RefusedError(400, "invalid", f"Unknown name {key!r} at 'route_resource'")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RefusedError(400, "invalid", f"{key}: {value!r} is no {kind.__name__}")
    if missing := REQUIRED - set(route):
        raise RefusedError(400, "required", f"Required field {min(missing)!r} not specified")
    _check_values(project, route)
    if route["name"] in project.routes:
        raise RefusedError(409, "alreadyExists", f"The resource 'routes/{route['name']}' already exists")
    return _operation(project, "insert", route["name"], route)


def _check_values(project: Project, route: dict[str, Any]) -> None:
    prefix = f"projects/{project.name}/global/networks/"
    tags = route.get("tags", [])
    checks = {
        "name": NAME.fullmatch(route["name"]),
        "network": route["network"].startswith(prefix) and route["network"][len(prefix) :] in project.mtus,
        "destRange": _is_network(route["destRange"]),
        "nextHopIp": _is_address(route["nextHopIp"]),
        "priority": 0 <= route["priority"] <= 65535,
        "tags": all(isinstance(tag, str) and NAME.fullmatch(tag) for tag in tags)
        and len(set(tags)) == len(tags),
        "description": len(route["description"]) <= 2048,
    }
    for key, is_right in checks.items():
        if not is_right:
            raise RefusedError(
                400, "invalid", f"Invalid value for field 'resource.{key}': {route.get(key)!r}"
            )
    owners = [
        one
        for one in project.instances
        for interface in one["networkInterfaces"]
        if interface["networkIP"] == route["nextHopIp"] and interface["network"].endswith(route["network"])
    ]
    if not owners:
        raise RefusedError(400, "invalid", f"Next hop {route['nextHopIp']} is in no subnet of the network")


def _is_network(text: str) -> bool:
    try:
        return str(ipaddress.IPv4Network(text)) == text
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(text)) == text
    except ValueError:
        return False


def _delete(project: Project, query: dict[str, str], name: str, body: str) -> dict[str, Any]:
    _identity(query)
    if body not in ("", "{}"):
        raise RefusedError(400, "invalid", "a deletion has no body")
    if name not in project.routes:
        raise RefusedError(404, "notFound", f"The resource 'routes/{name}' was not found")
    return _operation(project, "delete", name, None)


def _operation(project: Project, kind: str, name: str, route: dict[str, Any] | None) -> dict[str, Any]:
    operation = {
        "name": f"operation-{len(project.operations) + 1}",
        "operationType": kind,
        "status": "RUNNING",
    }
    project.operations[operation["name"]] = {**operation, "left": project.pending, "of": name, "route": route}
    return operation


def _wait(project: Project, name: str) -> dict[str, Any]:
    kept = project.operations.get(name)
    if kept is None:
        raise RefusedError(404, "notFound", f"The resource 'operations/{name}' was not found")
    answer = {key: kept[key] for key in ("name", "operationType")}
    kept["left"] -= 1
    if kept["left"] > 0:
        return answer | {"status": "RUNNING"}
    if kept["of"] in project.failing:
        code, message = project.failing[kept["of"]]
        return answer | {"status": "DONE", "error": {"errors": [{"code": code, "message": message}]}}
    if kept["route"] is None:
        project.routes.pop(kept["of"], None)
    else:
        # The API answers with the whole address of the network.
        network = f"https://www.googleapis.com/compute/v1/{kept['route']['network']}"
        project.routes[kept["of"]] = {**kept["route"], "network": network}
    return answer | {"status": "DONE"}
