"""The role as a playbook runs it, against a cluster that an action of the tests stands for."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from check_example import plan, pods, services

ROOT = Path(__file__).parents[3]
# Stands for the API server: remembers what it was asked, and answers from a file.
CLUSTER_OBJECTS = """
import json, pathlib

from ansible.plugins.action import ActionBase

here = pathlib.Path({here!r})


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        given = self._task.args
        waits = bool(given.get("wait_for_pods"))
        with (here / "calls").open("a") as calls:
            calls.write(json.dumps([given.get("state", "present"), len(given["objects"]), waits]) + chr(10))
        answer = json.loads((here / "cluster.json").read_text())
        if waits and answer["trouble"]:
            return dict(failed=True, msg=answer["trouble"])
        return dict(changed=True, pods=answer["pods"], objects=answer["objects"], found=answer["found"])
"""


class _Node(BaseHTTPRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"server-0" if self.path == "/hostname" else b"127.0.0.1:4711")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Node) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def _run(
    directory: Path,
    port: int,
    *arguments: str,
    pod: str = "10.200.0.11",
    trouble: str = "",
    found: Sequence[dict[str, object]] = (),
) -> tuple[int, str]:
    """Run the role for a node whose node ports lead to the test's server; return exit status and output."""
    network = plan(1)
    network["nodes"]["node-0"]["addresses"] = ["127.0.0.1"]
    probes = [{**item, "ips": [pod]} if item["name"] == "client-0" else item for item in pods(1)]
    offered = services()
    for service in offered[2:]:
        service["spec"]["ports"][0]["nodePort"] = port
    actions = directory / "actions"
    actions.mkdir()
    (actions / "cluster_objects.py").write_text(CLUSTER_OBJECTS.format(here=str(directory)))
    (directory / "cluster.json").write_text(
        json.dumps({"pods": probes, "objects": offered, "found": list(found), "trouble": trouble})
    )
    inputs = {
        "network_check_plan": network,
        "network_check_nodes": ["node-0"],
        "network_check_image": "registry.example/agnhost:1",
        "network_check_api_credentials": {
            "host": "node-0",
            "server": "https://127.0.0.1:6443",
            "ca": "ca.crt",
            "certificate": "admin.crt",
            "key": "admin.key",
        },
        "network_check_classes": ["planned_address", "node_port"],
        "network_check_node_probe_port": port,
        "network_check_deadline_seconds": 0,
        "network_check_report_directory": str(directory / "reports"),
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    playbook = directory / "verify.yml"
    role = {"role": "network_check"}
    playbook.write_text(
        yaml.safe_dump([{"hosts": "node-0", "gather_facts": False, "vars": inputs, "roles": [role]}])
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "node-0,", playbook, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_ACTION_PLUGINS": f"{actions}:{ROOT / 'roles/network_check/action_plugins'}",
            "ANSIBLE_LOCAL_TEMP": str(directory / "temporary"),
            "ANSIBLE_REMOTE_TEMP": str(directory / "temporary"),
            "COLUMNS": "200",
        },
    )
    return done.returncode, done.stdout + done.stderr


def _calls(directory: Path) -> list[tuple[str, int, bool]]:
    return [tuple(json.loads(line)) for line in (directory / "calls").read_text().splitlines()]


def test_a_proven_network_is_reported_and_leaves_nothing_changed(tmp_path: Path, port: int) -> None:
    status, output = _run(tmp_path, port)
    assert status == 0, output
    assert "4 of 4 checks passed" in output
    assert "changed=0" in output
    assert _calls(tmp_path) == [("present", 10, True), ("absent", 3, False)]
    report = json.loads((tmp_path / "reports" / "network_check.json").read_text())
    assert (report["passed"], report["failed"]) == (4, 0)
    local = next(check for check in report["checks"] if check["id"].startswith("node_port/ipv4/http/local"))
    assert (local["expected"], local["observed"]) == (["127.0.0.1"], "127.0.0.1")
    assert (tmp_path / "reports" / "network_check.xml").exists()


def test_a_failure_fails_the_play_with_its_cause_after_the_probes_are_removed(
    tmp_path: Path, port: int
) -> None:
    status, output = _run(tmp_path, port, pod="10.88.0.5", trouble="pods do not become ready: client-0")
    assert status == 2
    assert "1 of 4 checks of the pod network failed." in output
    assert "pods of node-0 get addresses outside its pod network 10.200.0.0/24" in output
    # Probes that do not become ready are no reason to prove nothing: those that run are asked for once more.
    assert _calls(tmp_path) == [("present", 10, True), ("present", 10, False), ("absent", 3, False)]


def test_a_run_without_a_single_check_proves_nothing_and_fails(tmp_path: Path, port: int) -> None:
    # A host port is called from other nodes, and there is one node.
    status, output = _run(tmp_path, port, "--extra-vars", '{"network_check_classes": ["host_port"]}')
    assert status == 2
    assert "no check was made, so nothing is proven" in output
    assert not (tmp_path / "reports").exists()


def test_policies_that_nobody_enforces_fail_the_play_with_their_names(tmp_path: Path, port: int) -> None:
    policy: dict[str, object] = {"kind": "NetworkPolicy", "metadata": {"namespace": "shop", "name": "deny"}}
    chosen = '{"network_check_classes": ["planned_address", "network_policies"]}'
    status, output = _run(tmp_path, port, "--extra-vars", chosen, found=[policy])
    assert status == 2
    assert "nobody enforces the NetworkPolicy objects in this cluster: shop/deny" in output


def test_check_mode_asks_nobody(tmp_path: Path, port: int) -> None:
    status, _ = _run(tmp_path, port, "--check")
    assert status == 0
    assert not (tmp_path / "calls").exists()
