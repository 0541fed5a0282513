"""The controller moves a node's own address, and finds the host as it was where it cannot come back.

The action plugin runs as it is, and its calls run in the node's namespace. A call gets there where the
neighbour reaches the node: it stands for the controller.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from l2_uplink_hosts import NODE, PROGRAM, REAL_IP, Node, answers, cabled, names_with, run
from plugin_loader import load_plugin

from flatnet.remote import action

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "roles/cni_l2_bridge/action_plugins/l2_uplink.py"
MOVES = ["192.0.2.11/24 from eth0 to br-pods", "eth0 into br-pods"]
# What a call does on the host, with the programs of the test before the host's own.
CALL = """
import json, sys
from flatnet.host.state import host
host.SEARCH_PATH = sys.argv[1]
from flatnet.host.uplink.serve import answer
print("flatnet-answer " + json.dumps(answer(json.load(sys.stdin))))
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("nft")),
    reason="network namespaces need root, ip and nft",
)


class Connection:
    """Counts how often a new one is asked for."""

    transport = "rope"
    has_pipelining = True
    become = None
    _shell = SimpleNamespace(tmpdir=None)

    def __init__(self) -> None:
        self.resets = 0

    def has_option(self, name: str) -> bool:
        return name in ("host", "remote_user")

    def get_option(self, name: str) -> str:
        return {"host": "192.0.2.11", "remote_user": "admin"}[name]

    def reset(self) -> None:
        self.resets += 1


class Controller:
    """The action, and its way to the host."""

    def __init__(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node = node
        self.connection = Connection()
        self.request: dict[str, Any] = {}
        self.program = node.folder / "bin/flatnet-l2-uplink"
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {PROGRAM} "$@"\n')
        self.program.chmod(0o755)
        (node.folder / "clock_runs").touch()
        monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(node.folder))
        monkeypatch.setattr(action, "program", self.note)
        remote = {"_low_level_execute_command": lambda _self, *given, **named: self.execute(*given, **named)}
        self.plugin = type("Action", (load_plugin(PLUGIN).ActionModule,), remote)

    def note(self, module: str, request: dict[str, Any], root_needed: bool) -> bytes:
        assert (module, root_needed) == ("flatnet.host.uplink.serve", True)
        self.request = request
        return b""

    def execute(self, command: str, in_data: bytes) -> dict[str, Any]:
        assert (bool(command), in_data) == (True, b"")
        if not answers("192.0.2.11"):
            raise AnsibleConnectionFailure("Failed to connect to the host via ssh: Connection timed out")
        path = self.node.environment["PATH"]
        words = [REAL_IP, "netns", "exec", NODE, sys.executable, "-c", CALL, path]
        ran = subprocess.run(
            words,
            input=json.dumps(self.request),
            env={**self.node.environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        return {"rc": ran.returncode, "stdout": ran.stdout, "stderr": ran.stderr}

    def move(
        self, moves: list[str] | None = None, check: bool = False, **arguments: object
    ) -> dict[str, Any]:
        task = SimpleNamespace(
            args={
                "program": str(self.program),
                "file": str(self.node.config),
                "uplink": "eth0",
                "bridge": "br-pods",
                "rollback_seconds": 4,
                "moves": MOVES if moves is None else moves,
                **arguments,
            },
            check_mode=check,
            async_val=0,
            diff=True,
            action="l2_uplink",
            delegate_to=None,
        )
        plugin = self.plugin(task, self.connection, SimpleNamespace(), None, None, None)
        result: dict[str, Any] = plugin.run(task_vars={"inventory_hostname": "node-1"})
        return result


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    with cabled(tmp_path) as node:
        config = json.loads(node.config.read_text())
        node.config.write_text(json.dumps({**config, "rollback_seconds": 4}))
        yield Controller(node, monkeypatch)


def break_the_way() -> None:
    """Have the node drop all that comes by the bridge, as a packet filter does that names interfaces."""
    rules = 'table inet broken { chain in { type filter hook input priority 0; iifname "br-pods" drop; }; }'
    run(REAL_IP, "netns", "exec", NODE, "nft", rules)


def test_a_move_is_agreed_to_by_a_new_connection(controller: Controller) -> None:
    result = controller.move()
    assert result["changed"]
    assert result["moves"] == MOVES
    assert controller.connection.resets >= 1
    assert controller.node.phase() == "moved"
    time.sleep(5)
    assert names_with("192.0.2.11") == ["br-pods"]
    assert answers("192.0.2.11")


def test_a_host_that_cannot_be_reached_by_the_bridge_is_as_it_was(controller: Controller) -> None:
    break_the_way()
    before = controller.node.state()
    with pytest.raises(AnsibleActionFail) as caught:
        controller.move()
    said = str(caught.value)
    assert (
        "host node-1 (192.0.2.11, port 22): the node's address was to move from eth0 to br-pods, and is back"
        in said
    )
    assert "nobody connected anew within 4 seconds" in said
    assert "Connection timed out" in said
    assert "Fix: look for what lets no packet in or out by br-pods" in said
    assert answers("192.0.2.11")
    assert answers("2001:db8::11")
    assert controller.node.state() == before


def test_after_the_cause_is_mended_the_next_run_moves(controller: Controller) -> None:
    break_the_way()
    with pytest.raises(AnsibleActionFail):
        controller.move()
    run(REAL_IP, "netns", "exec", NODE, "nft", "delete table inet broken")
    assert controller.move()["changed"]
    assert controller.node.phase() == "moved"


def test_check_mode_tells_and_touches_nothing(controller: Controller) -> None:
    before = controller.node.state()
    result = controller.move(check=True)
    assert result["changed"]
    assert result["diff"] == [{"prepared": "".join(f"move {one}\n" for one in MOVES)}]
    assert controller.node.state() == before
    assert controller.request == {}


def test_without_anything_to_move_nobody_is_asked(controller: Controller) -> None:
    result = controller.move([])
    assert (result["changed"], result["diff"], controller.request) == (False, [], {})
