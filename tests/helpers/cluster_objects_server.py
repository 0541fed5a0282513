"""A small API server over TLS in this process: discovery, server-side apply, dry runs and watches."""

import copy
import json
import ssl
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parents[2] / "roles" / "node_state" / "module_utils"))

from flatnet.host.objects.client import Client
from flatnet.pki import CertificateSpec, Usage, reconcile

Json = dict[str, Any]
Answer = tuple[int, Json | str, dict[str, str]]

_KINDS = {
    "/api/v1": [
        ("namespaces", "Namespace", False),
        ("nodes", "Node", False),
        ("configmaps", "ConfigMap", True),
        ("secrets", "Secret", True),
        ("pods", "Pod", True),
        ("pods/status", "Pod", True),
        ("events", "Event", True),
    ],
    "/apis/apps/v1": [
        ("deployments", "Deployment", True),
        ("deployments/scale", "Scale", True),
        ("daemonsets", "DaemonSet", True),
    ],
    "/apis/apiextensions.k8s.io/v1": [("customresourcedefinitions", "CustomResourceDefinition", False)],
}


def certificates(directory: Path) -> None:
    """Issue a CA, a server certificate for 127.0.0.1 and a client certificate, and a CA of somebody else."""
    specs = [
        CertificateSpec(name, name, name, frozenset({Usage.CA}), lifetime_days=99)
        for name in ("ca", "other-ca")
    ]
    address = frozenset({ip_address("127.0.0.1")})
    specs.append(CertificateSpec("server", "server", "ca", frozenset({Usage.SERVER}), addresses=address))
    specs.append(CertificateSpec("admin", "admin", "ca", frozenset({Usage.CLIENT})))
    reconcile(directory, specs, datetime.now(UTC))


class FakeApi:
    """Objects by path. `answers` overrides the answer of a method and path: a status, a body, and headers."""

    def __init__(self, directory: Path) -> None:
        self.objects: dict[str, Json] = {}
        self.answers: dict[tuple[str, str], Callable[[], Answer | None]] = {}
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        self.missing_namespaces: set[str] = set()
        self.close_after_answer = False
        self.watch_ends_after: float | None = None
        self.kinds = copy.deepcopy(_KINDS)
        self.changed = threading.Condition()
        self.events: list[Json] = []
        self.version = 100
        self.directory = directory
        api = self

        class Handler(_Handler):
            state = api

        self.http = _Server(("127.0.0.1", 0), Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=directory / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_cert_chain(directory / "server.crt", directory / "server.key")
        self.http.socket = context.wrap_socket(
            self.http.socket, server_side=True, do_handshake_on_connect=False
        )
        self.http.daemon_threads = True
        self.url = f"https://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        """Stop answering."""
        with self.changed:
            self.watch_ends_after = 0
            self.changed.notify_all()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def client(self, certificate: str = "admin", ca: str = "ca") -> Client:
        """Return a client with these files."""
        files = (
            self.directory / f"{ca}.crt",
            self.directory / f"{certificate}.crt",
            self.directory / f"{certificate}.key",
        )
        return Client(self.url, *(str(path) for path in files))

    def parameters(self, **changes: object) -> Json:
        """Return parameters of the module, as Ansible hands them over."""
        return {
            "credentials": {
                "host": "control-plane",
                "server": self.url,
                "ca": str(self.directory / "ca.crt"),
                "certificate": str(self.directory / "admin.crt"),
                "key": str(self.directory / "admin.key"),
            },
            "objects": [],
            "owner": "",
            "node_annotations": [],
            "node_labels": [],
            "state": "present",
            "field_manager": "flatnet",
            "propagation": "background",
            "wait_ready_seconds": 0,
            "wait_gone_seconds": 0,
            "wait_for_nodes": None,
            "wait_for_pods": None,
            "return_objects": False,
            "return_pods": None,
            "return_kinds": [],
            **changes,
        }

    def patch(self, path: str, change: Json, *, dry: bool) -> tuple[int, Json]:
        """Merge a change as RFC 7386 has it; null removes."""
        if path not in self.objects:
            return 404, status(f"{path} not found")
        # A version that is given has to be the present one.
        version = change["metadata"].get("resourceVersion")
        if version not in (None, self.objects[path]["metadata"]["resourceVersion"]):
            return 409, status(f"{path} has been modified")
        merged = _merged(self.objects[path], change)
        for section, values in change["metadata"].items():
            if not isinstance(values, dict):
                continue
            merged["metadata"][section] = {
                key: value
                for key, value in merged["metadata"][section].items()
                if values.get(key, value) is not None
            }
        return 200, merged if dry else self.put(path, merged)

    def create(self, path: str, item: Json) -> tuple[int, Json]:
        """Store an object that is not there yet."""
        if path in self.objects:
            return 409, status(f"{path} already exists")
        return 201, self.put(path, item)

    def groups(self) -> list[Json]:
        """Return the groups of the API, each with its versions, the first one preferred."""
        names: dict[str, list[Json]] = {}
        for path in self.kinds:
            if path.startswith("/apis/"):
                group, _, version = path.removeprefix("/apis/").partition("/")
                names.setdefault(group, []).append({"groupVersion": f"{group}/{version}", "version": version})
        return [
            {"name": name, "versions": versions, "preferredVersion": versions[0]}
            for name, versions in names.items()
        ]

    def put(self, path: str, item: Json) -> Json:
        """Store an object as a controller would, and tell the watchers."""
        with self.changed:
            self.version += 1
            known = self.objects.get(path)
            stored = copy.deepcopy(item)
            stored["metadata"]["resourceVersion"] = str(self.version)
            stored["metadata"].setdefault("uid", known["metadata"]["uid"] if known else f"uid-{self.version}")
            stored["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
            self.objects[path] = stored
            self._tell(path, "MODIFIED" if known else "ADDED", stored)
            return stored

    def drop(self, path: str) -> None:
        """Remove an object and tell the watchers."""
        with self.changed:
            self.version += 1
            self._tell(path, "DELETED", self.objects.pop(path))

    def _tell(self, path: str, kind: str, item: Json) -> None:
        self.events.append({"version": self.version, "path": path, "event": {"type": kind, "object": item}})
        self.changed.notify_all()

    def apply(self, path: str, wanted: Json, *, dry: bool) -> tuple[int, Json]:
        """Apply server-side: what is not in the definition stays; an apply without effect stores nothing."""
        namespace = wanted["metadata"].get("namespace")
        if namespace in self.missing_namespaces:
            return 404, status(
                f'namespaces "{namespace}" not found', {"name": namespace, "kind": "namespaces"}
            )
        known = self.objects.get(path)
        merged = _merged(known or {}, wanted)
        if known is not None and merged == known:
            return 200, known
        if dry:
            merged["metadata"].setdefault("uid", "uid-dry-run")
            return 200, merged
        return 200 if known else 201, self.put(path, merged)


def status(message: str, details: Json | None = None) -> Json:
    """Return a Status object."""
    return {"kind": "Status", "status": "Failure", "message": message, "details": details or {}}


def pod(name: str, *, ready: bool = True, labels: Json | None = None, **fields: object) -> Json:
    """Return a pod of app web on node1."""
    condition = {"type": "Ready", "status": str(ready)}
    if not ready:
        condition |= {"reason": "ContainersNotReady", "message": "containers with unready status: [web]"}
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": labels or {"app": "web"}},
        "spec": {"nodeName": "node1"},
        "status": {
            "phase": "Running",
            "podIP": "10.200.0.5",
            "podIPs": [{"ip": "10.200.0.5"}],
            "conditions": [condition],
            **fields,
        },
    }


def _merged(known: Json, wanted: Json) -> Json:
    merged = copy.deepcopy(known)
    for key, value in wanted.items():
        merged[key] = _merged(merged.get(key, {}), value) if isinstance(value, dict) else copy.deepcopy(value)
    return merged


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that refuse its certificate or go away, which is what some tests are about."""

    def handle_error(self, *_: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    """Answers for a FakeApi."""

    protocol_version = "HTTP/1.1"
    state: FakeApi
    # Otherwise delayed acknowledgements cost 40 ms each.
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.state.connections += 1

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        self.state.requests.append((self.command, self.path))
        override = self.state.answers.get((self.command, url.path))
        answer = override() if override else None
        if answer is not None:
            self._send(*answer)
        elif query.get("watch"):
            self._watch(url.path, query)
        else:
            code, content = self._answer(url.path, query, body)
            self._send(code, content, {})

    def _answer(self, path: str, query: dict[str, str], body: Json) -> tuple[int, Json]:
        state = self.state
        if path == "/apis":
            return 200, {"kind": "APIGroupList", "groups": state.groups()}
        if path in state.kinds:
            verbs = ["delete", "get", "list", "patch", "watch"]
            names = [
                {"name": name, "kind": kind, "namespaced": namespaced, "verbs": verbs}
                for name, kind, namespaced in state.kinds[path]
            ]
            return 200, {"kind": "APIResourceList", "resources": names}
        with state.changed:
            if self.command == "POST":
                return state.create(f"{path}/{body['metadata']['name']}", body)
            if self.headers.get("Content-Type") == "application/merge-patch+json":
                return state.patch(path, body, dry="dryRun" in query)
            if self.command == "PATCH":
                return state.apply(path, body, dry="dryRun" in query)
            if path in state.objects:
                found = state.objects[path]
                if self.command == "DELETE":
                    state.drop(path)
                return 200, found
            if path.rpartition("/")[2] in {name for kinds in state.kinds.values() for name, _, _ in kinds}:
                items = [item for key, item in state.objects.items() if self._fits(path, query, key, item)]
                return 200, {"items": items, "metadata": {"resourceVersion": str(state.version)}}
        return 404, status(f"{path} not found")

    @staticmethod
    def _fits(collection: str, query: dict[str, str], path: str, item: Json) -> bool:
        folder, _, plural = collection.rpartition("/")
        inside = path.rpartition("/")[0]
        everywhere = inside.startswith(f"{folder}/namespaces/") and inside.endswith(f"/{plural}")
        if inside != collection and not everywhere:
            return False
        for selector in filter(None, query.get("labelSelector", "").split(",")):
            key, _, value = selector.partition("=")
            if (item["metadata"].get("labels") or {}).get(key) != value:
                return False
        for selector in filter(None, query.get("fieldSelector", "").split(",")):
            key, _, value = selector.partition("=")
            found: Any = item
            for part in key.split("."):
                found = found.get(part, {})
            if found != value:
                return False
        return True

    def _watch(self, path: str, query: dict[str, str]) -> None:
        state, sent = self.state, int(query["resourceVersion"])
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        begin = time.monotonic()
        while True:
            with state.changed:
                ends_after = min(float(query["timeoutSeconds"]), state.watch_ends_after or 1e9)
                if state.watch_ends_after == 0 or time.monotonic() - begin >= ends_after:
                    break
                pending = [entry for entry in state.events if entry["version"] > sent]
                if not pending:
                    state.changed.wait(0.01)
            for entry in pending:
                sent = entry["version"]
                if self._fits(path, query, entry["path"], entry["event"]["object"]):
                    # In two chunks, as a network may deliver it.
                    line = json.dumps(entry["event"]).encode() + b"\n"
                    for part in (line[:7], line[7:]):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                        self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _send(self, code: int, content: Json | str, headers: dict[str, str]) -> None:
        text = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()
        # Closed without a word, as a server does with an idle connection.
        self.close_connection = self.state.close_after_answer
