"""The controller's half of node_state: validate, pack, call the module once, bring blobs only when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from flatnet.errors import FlatnetError
from flatnet.state.desired import parse
from flatnet.state.exchange import explain_refusal, explain_silence, require_sources
from flatnet.state.wire import Package, pack

STAGING = "/var/lib/flatnet/staging"


class ActionModule(ActionBase):
    """Runs on the controller for each host."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the module returns, without anything of the state itself."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            package = pack(parse(self._task.args))
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
        return {**result, **answer}

    def _call(self, package: Package, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="node_state",
            module_args={"payload": package.text, "transfer_user": self._transfer_user()},
            task_vars=task_vars,
        )
        answer.pop("invocation", None)
        if "module_stdout" in answer:
            raise FlatnetError(explain_silence(answer.get("rc"), str(answer.get("module_stderr", ""))))
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
