"""The role as a playbook runs it, against a cluster that an action of the tests stands for."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from check_example import plan, pods, services
from cluster_objects_server import FakeApi, Json

from flatnet.check.guard import identity
from flatnet.host.objects.claim import ANNOTATION

ROOT = Path(__file__).parents[3]
# Stands for the API server: remembers what it was asked, and answers from a file.
CLUSTER_OBJECTS = """
import json, os, pathlib, time

from ansible.plugins.action import ActionBase

here = pathlib.Path({here!r})


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        given = self._task.args
        waits = bool(given.get("wait_for_pods"))
        (here / "main").write_text(str(os.getppid()))
        with (here / "calls").open("a") as calls:
            calls.write(json.dumps([given.get("state", "present"), len(given["objects"]), waits]) + chr(10))
        while (here / "hold").exists():
            time.sleep(0.05)
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


NAMESPACE = "/api/v1/namespaces/flatnet-check"


@pytest.fixture(autouse=True)
def api_server(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The API server whose namespace is claimed; all else the action of the tests answers."""
    api.answers["GET", "/readyz"] = lambda: (200, "ok", {})
    monkeypatch.setitem(CREDENTIALS, "given", api.parameters()["credentials"])
    return api


CREDENTIALS: Json = {}


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
        "network_check_api_credentials": {**CREDENTIALS["given"], "host": "node-0"},
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


def _claim(run: str, **who: object) -> Json:
    claim = {"run": run, "since": time.time() - 60, "until": time.time() + 600, "controller": "other", **who}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "flatnet-check", "annotations": {ANNOTATION: json.dumps(claim)}},
    }


def test_a_network_that_another_run_checks_is_left_alone(
    tmp_path: Path, port: int, api_server: FakeApi
) -> None:
    theirs = api_server.put(NAMESPACE, _claim("abc123"))
    status, output = _run(tmp_path, port)
    assert status == 2
    assert "another check of this network runs since" in output
    # Nothing of the other run is removed, and no report says anything.
    assert not (tmp_path / "calls").exists()
    assert not (tmp_path / "reports").exists()
    assert api_server.objects[NAMESPACE] == theirs


def test_what_a_killed_run_of_this_controller_left_is_removed_first(
    tmp_path: Path, port: int, api_server: FakeApi
) -> None:
    ended = subprocess.Popen(["sleep", "60"])
    who = identity(ended.pid)
    ended.kill()
    ended.wait()
    theirs = api_server.put(NAMESPACE, _claim("abc123", **who))
    status, output = _run(tmp_path, port)
    assert status == 0, output
    mine = api_server.objects[NAMESPACE]
    assert mine["metadata"]["uid"] != theirs["metadata"]["uid"]
    # The namespace is what the action of the tests did not remove.
    assert "abc123" not in mine["metadata"]["annotations"][ANNOTATION]


def test_an_api_server_that_does_not_answer_is_asked_once_and_reported(
    tmp_path: Path, port: int, api_server: FakeApi
) -> None:
    api_server.answers["GET", "/readyz"] = lambda: (500, "[-]etcd failed: reason withheld", {})
    everything = '{"network_check_classes": [], "__network_check_api_seconds": 1}'
    status, output = _run(tmp_path, port, "--extra-vars", everything)
    assert status == 2
    assert "the API server does not answer: " in output
    assert "is not ready after 1 s: etcd" in output
    assert not (tmp_path / "calls").exists()


def test_probes_that_stay_are_given_back(tmp_path: Path, port: int, api_server: FakeApi) -> None:
    status, output = _run(tmp_path, port, "--extra-vars", '{"network_check_cleanup_enabled": false}')
    assert status == 0, output
    # The service of this check alone goes.
    assert _calls(tmp_path) == [("present", 10, True), ("absent", 1, False)]
    assert api_server.objects[NAMESPACE]["metadata"]["annotations"] == {}


def test_a_run_that_is_killed_leaves_no_probes(tmp_path: Path, port: int, api_server: FakeApi) -> None:
    (tmp_path / "hold").write_text("")
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(_run, tmp_path, port)
        while not (tmp_path / "calls").exists():
            time.sleep(0.05)
        assert NAMESPACE in api_server.objects
        os.kill(int((tmp_path / "main").read_text()), signal.SIGKILL)
        (tmp_path / "hold").unlink()
        status, _ = running.result()
    assert status == -signal.SIGKILL
    end = time.monotonic() + 20
    while NAMESPACE in api_server.objects:
        assert time.monotonic() < end, "the namespace stays"
        time.sleep(0.1)
