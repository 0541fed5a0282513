"""The action plugin: how many calls it makes, what it transfers, and what it never says."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from node_state_host import FakeHost, converge, decode
from plugin_loader import load_plugin

from flatnet.state.digest import file_digest

PLUGIN = Path(__file__).parents[2] / "roles" / "node_state" / "action_plugins" / "node_state.py"


class Connection:
    """Brings files to a host in a directory."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.brought: list[tuple[str, str]] = []
        self.broken = False
        self._shell = SimpleNamespace(tmpdir=None)
        self.become: object = None

    def get_option(self, name: str) -> str:
        assert name == "remote_user"
        return "admin"

    def put_file(self, source: str, target: str) -> None:
        if self.broken:
            raise AnsibleError("No space left on device")
        self.brought.append((source, target))
        (self.host.root / target.lstrip("/")).write_bytes(Path(source).read_bytes())


class Rig:
    """An action whose module runs on a host in a directory."""

    def __init__(self, root: Path) -> None:
        self.host = FakeHost(root)
        self.connection = Connection(self.host)
        self.arguments: list[dict[str, Any]] = []
        module = load_plugin(PLUGIN)
        remote = {"_execute_module": lambda _self, **arguments: self.module(**arguments)}
        self.plugin = type("Action", (module.ActionModule,), remote)

    def run(self, **arguments: object) -> dict[str, Any]:
        task = SimpleNamespace(
            args={"name": "example", **arguments},
            check_mode=self.in_check_mode,
            async_val=0,
            diff=False,
            action="node_state",
        )
        action: ActionBase = self.plugin(task, self.connection, SimpleNamespace(), None, None, None)
        result: dict[str, Any] = action.run(task_vars={})
        return result

    silence: dict[str, Any] | None = None

    def module(self, module_name: str, module_args: dict[str, Any], task_vars: object) -> dict[str, Any]:
        del task_vars
        assert module_name == "node_state"
        self.arguments.append(module_args)
        if self.silence is not None:
            return self.silence
        outcome = converge(self.host, decode(module_args["payload"]), check=self.in_check_mode)
        return {**outcome, "invocation": {"module_args": module_args}}

    in_check_mode = False


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    return Rig(tmp_path / "host")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"program" * 1000)
    return path


def test_the_steady_state_costs_one_call(rig: Rig) -> None:
    state = {"files": [{"path": "/etc/f", "content": "x"}]}
    assert rig.run(**state)["changed"] is True
    assert rig.run(**state)["changed"] is False
    assert len(rig.arguments) == 2


def test_a_program_is_brought_once_and_then_never_again(rig: Rig, program: Path) -> None:
    state = {"programs": [{"path": "/usr/local/bin/p", "source": str(program)}]}
    result = rig.run(**state)
    staged = f"/var/lib/flatnet/staging/{file_digest(program)}"
    assert rig.connection.brought == [(str(program), staged)]
    assert result["changed"] is True
    assert "missing" not in result
    assert rig.run(**state)["changed"] is False
    assert (len(rig.connection.brought), len(rig.arguments)) == (1, 3)


def test_check_mode_brings_nothing_but_makes_sure_that_it_could(rig: Rig, program: Path) -> None:
    rig.in_check_mode = True
    state = {"programs": [{"path": "/usr/local/bin/p", "source": str(program)}]}
    assert rig.run(**state)["changed"] is True
    assert rig.connection.brought == []
    absent = {"path": "/usr/local/bin/p", "source": "/not/built/yet", "sha256": "ab" * 32}
    with pytest.raises(AnsibleActionFail, match=r"^the host misses /not/built/yet \(sha256 abab"):
        rig.run(programs=[absent])


def test_a_program_of_another_digest_than_pinned_is_refused_with_both(rig: Rig, program: Path) -> None:
    pinned = "ab" * 32
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run(programs=[{"path": "/usr/local/bin/p", "source": str(program), "sha256": pinned}])
    assert caught.value.message == (
        f"{program} has sha256 {file_digest(program)}, but {pinned} is asked for; "
        "fetch the right file, or correct the sha256"
    )
    assert not (rig.host.root / "usr/local").exists()


def test_a_transfer_that_fails_names_the_file(rig: Rig, program: Path) -> None:
    rig.connection.broken = True
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run(programs=[{"path": "/usr/local/bin/p", "source": str(program)}])
    assert caught.value.message == f"{program} could not be brought to the host: No space left on device"


def test_a_bad_entry_is_refused_before_any_call(rig: Rig) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run(files=[{"path": "f", "content": "x"}])
    assert caught.value.message == (
        "node_state example: files[0] f: path 'f' is relative, but has to begin with /"
    )
    assert rig.arguments == []


def test_nothing_secret_is_in_the_call_in_clear_or_in_the_result(rig: Rig) -> None:
    result = rig.run(files=[{"path": "/etc/key", "content": "SECRET", "mode": "0600"}])
    assert "SECRET" not in str(result)
    assert "SECRET" not in str(rig.arguments)
    assert "invocation" not in result


def test_who_brings_files_is_told_only_when_the_module_runs_as_somebody_else(rig: Rig) -> None:
    rig.run()
    rig.connection.become = object()
    rig.run()
    assert [arguments["transfer_user"] for arguments in rig.arguments] == ["", "admin"]


def test_a_module_that_was_killed_is_explained_with_what_to_do(rig: Rig) -> None:
    rig.silence = {"failed": True, "rc": 137, "module_stdout": "", "module_stderr": "Killed\n"}
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run()
    assert caught.value.message == (
        "the module ended on the host without an answer (status 137): Killed. "
        "What it was doing is recorded there: apply again, and that is completed"
    )
