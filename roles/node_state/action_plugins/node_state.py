"""The controller's half of node_state: validate, pack, call the host once, bring blobs only when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from flatnet.errors import FlatnetError
from flatnet.state.desired import parse
from flatnet.state.exchange import explain_refusal, explain_silence, require_sources
from flatnet.state.foreseen import foresee, foreseen_on
from flatnet.state.remote import answer_in, command, program
from flatnet.state.wire import Package, to_wire

ROLE = Path(__file__).parents[1]
SCRIPT = ROLE / "files" / "remote.py"
PACKAGE = ROLE / "module_utils" / "flatnet_node"
STAGING = "/var/lib/flatnet/staging"


class ActionModule(ActionBase):
    """Runs on the controller for each host."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returns, without anything of the state itself."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            package = to_wire(parse(self._task.args))
            answer = self._call(package, task_vars)
            if answer["missing"]:
                require_sources(answer["missing"], package.sources)
            if answer["missing"] and not self._task.check_mode:
                self._transfer(answer["missing"], package)
                answer = self._call(package, task_vars)
                explain_refusal(answer["missing"], package.sources)
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None
        answer.pop("missing")
        foresee(self._host(task_vars), self._folder(), answer.pop("foreseen", {}))
        return {**result, **answer}

    def _host(self, task_vars: dict[str, Any] | None) -> str:
        return str((task_vars or {}).get("inventory_hostname", ""))

    def _folder(self) -> Path:
        """Return a folder that Ansible removes when it ends."""
        # Ansible gives itself this constant while it starts.
        return Path(vars(constants)["DEFAULT_LOCAL_TMP"])

    def _call(self, package: Package, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        if not self._connection.has_pipelining:
            raise FlatnetError(
                f"the connection {self._connection.transport} cannot hand a program to Python on the host; "
                "use ssh"
            )
        request = {
            "state": package.state,
            "check": self._task.check_mode,
            "diff": self._task.diff,
            "transfer_user": self._transfer_user(),
            "foreseen": foreseen_on(self._host(task_vars), self._folder()) if self._task.check_mode else {},
        }
        setting = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        execute: Callable[..., dict[str, Any]] = self._low_level_execute_command
        ran = execute(command(setting), in_data=program(SCRIPT, PACKAGE, "serve", request))
        answer = answer_in(ran["stdout"])
        if answer is None:
            raise FlatnetError(explain_silence(ran["rc"], ran["stderr"]))
        return {"missing": [], **answer}

    def _transfer_user(self) -> str:
        """Return who logs in, when the module runs as somebody else: it is he who brings files."""
        if self._connection.become is None:
            return ""
        user: Callable[[], str | None] = self._get_remote_user
        return user() or "unknown"

    def _transfer(self, missing: list[str], package: Package) -> None:
        for sha256 in missing:
            source = package.sources[sha256]
            try:
                self._connection.put_file(source, f"{STAGING}/{sha256}")
            except AnsibleError as error:
                raise FlatnetError(f"{source} could not be brought to the host: {error}") from None
