"""The action node_state, whose calls are answered by a host in a directory; for its tests."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from node_state_host import FakeHost
from plugin_loader import load_plugin

from flatnet.host.state import serve
from flatnet.remote import action, program

PLUGIN = Path(__file__).parents[2] / "roles" / "node_state" / "action_plugins" / "node_state.py"


class Connection:
    """Brings files to a host in a directory."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.brought: list[tuple[str, str]] = []
        self.broken = False
        self._shell = SimpleNamespace(tmpdir=None)
        self.become: object = None
        self.transport = "rope"
        self.has_pipelining = True

    def has_option(self, name: str) -> bool:
        return name in ("host", "remote_user")

    def get_option(self, name: str) -> str:
        return {"host": "192.0.2.11", "remote_user": "admin"}[name]

    def put_file(self, source: str, target: str) -> None:
        if self.broken:
            raise AnsibleError("No space left on device")
        self.brought.append((source, target))
        (self.host.root / target.lstrip("/")).write_bytes(Path(source).read_bytes())


class Rig:
    """An action whose calls are answered by a host in a directory."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = FakeHost(root)
        self.connection = Connection(self.host)
        self.sent: list[bytes] = []
        self.requests: list[dict[str, Any]] = []
        self.module = load_plugin(PLUGIN)
        monkeypatch.setattr(action, "program", self.note)
        monkeypatch.setattr(serve, "Host", lambda: self.host)
        run = self.folder = root.with_name("run")
        run.mkdir()
        monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(run))
        remote = {"_low_level_execute_command": lambda _self, *given, **named: self.execute(*given, **named)}
        self.plugin = type("Action", (self.module.ActionModule,), remote)

    def run(self, **arguments: object) -> dict[str, Any]:
        task = SimpleNamespace(
            args={"name": "example", **arguments},
            check_mode=self.in_check_mode,
            async_val=0,
            diff=False,
            action="node_state",
            delegate_to=self.delegate_to,
        )
        plugin: ActionBase = self.plugin(task, self.connection, SimpleNamespace(), None, None, None)
        result: dict[str, Any] = plugin.run(task_vars=self.variables)
        return result

    ran: dict[str, Any] | Exception | None = None

    def note(self, module: str, request: dict[str, Any], root_needed: bool) -> bytes:
        assert (module, root_needed) == ("flatnet.host.state.serve", True)
        self.requests.append(request)
        self.sent.append(program.program(module, request, root_needed))
        return self.sent[-1]

    def execute(self, command: str, in_data: bytes) -> dict[str, Any]:
        assert (command, in_data) == (program.command("/usr/bin/python3.9"), self.sent[-1])
        if isinstance(self.ran, Exception):
            raise self.ran
        if self.ran is not None:
            return self.ran
        outcome = serve.answer(self.requests[-1])
        return {"rc": 0, "stdout": f"Welcome!\nflatnet-answer {json.dumps(outcome)}\n", "stderr": ""}

    in_check_mode = False
    delegate_to = None
    variables: ClassVar = {
        "inventory_hostname": "node-1",
        "ansible_python_interpreter": "/usr/bin/python3.9",
    }
