"""The action network_probe: one node's part of the network check, and what reaches it from the controller."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from flatnet.check.facts import cluster_from
from flatnet.check.hosts.node import units_of
from flatnet.check.matrix import part
from flatnet.check.model import Check, Json, Settings
from flatnet.check.policy.matrix import policy_cluster, policy_part
from flatnet.host.probe.checks import run
from flatnet.remote.action import HostAction


class ActionModule(HostAction):
    """Adapter of flatnet.check.matrix; flatnet.host.probe makes the checks, here as on the node."""

    module = "flatnet.host.probe.serve"
    judged = True
    _VALID_ARGS = frozenset(
        {"plan", "pods", "services", "nodes", "node", "settings", "message", "found", "limits", "policy"}
    )

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the results of the node's checks and their evidence; both ways are made at the same time."""
        checks = self._part()
        inside = [check for check in checks if check["source"]["kind"] != "controller"]
        outside = [check for check in checks if check["source"]["kind"] == "controller"]
        limits = dict(self._task.args.get("limits") or {})
        started, clock = time.time(), time.monotonic()
        with _Outside(inside), ThreadPoolExecutor(max_workers=1) as pool:
            from_here = pool.submit(run, cast(list[Json], outside), **limits)
            result = self.ask({"checks": inside, "limits": limits, "units": self._units()}, variables)
            result["results"] = [*(result.get("results") or []), *from_here.result()]
        result.update(started=started, seconds=time.monotonic() - clock)
        return result

    def _units(self) -> list[str]:
        return units_of(self._task.args["plan"], self._task.args["node"])

    def _part(self) -> list[Check]:
        arguments = self._task.args
        cluster, settings = cluster_from(arguments), Settings.of(arguments.get("settings") or {})
        policy = arguments.get("policy")
        if not policy:
            return part(cluster, settings, arguments["node"])
        policies = policy_cluster(cluster, policy["pods"], policy.get("message") or "")
        return policy_part(policies, settings, arguments["node"], policy["step"])


class _Outside:
    """A server of the controller that tells each caller its own address, while the checks run."""

    def __init__(self, checks: list[Check]) -> None:
        """Tell the checks of class pod_to_outside where to call; without any of them nothing is opened."""
        self._calls = [
            check for check in checks if check["class"] == "pod_to_outside" and "host" in check["how"]
        ]
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> None:
        if not self._calls:
            return
        self._server = _Server(("::", 0), _TellCaller)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        for check in self._calls:
            check["how"].update(host=_address_towards(check["expected"][0]), port=self._server.server_port)

    def __exit__(self, *_: object) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def server_bind(self) -> None:
        # One socket for both families (RFC 3493, section 5.3); IPv4 callers appear as ::ffff:a.b.c.d.
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _TellCaller(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that http.server asks for
        address = self.client_address[0].removeprefix("::ffff:")
        body = f"{f'[{address}]' if ':' in address else address}:{self.client_address[1]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the report tells who called."""


def _address_towards(node: str) -> str:
    """Return this machine's address as the node's network sees it; no packet is sent."""
    with socket.socket(socket.AF_INET6 if ":" in node else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((node, 9))
        address: str = probe.getsockname()[0]
    return address
