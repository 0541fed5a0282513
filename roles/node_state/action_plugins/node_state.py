"""The controller's half of node_state: validate, pack, call the host once, bring blobs only when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError

from flatnet.errors import FlatnetError
from flatnet.remote.action import HostAction
from flatnet.state.desired import parse
from flatnet.state.exchange import explain_refusal, require_sources
from flatnet.state.foreseen import foresee, foreseen_on
from flatnet.state.wire import Package, to_wire

STAGING = "/var/lib/flatnet/staging"


class ActionModule(HostAction):
    """Runs on the controller for each host."""

    module = "flatnet.host.state.serve"
    root_needed = True
    advice = "What it was doing is recorded there: apply again, and that is completed"

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what the host did, without anything of the state itself."""
        package = to_wire(parse(self._task.args))
        answer = self._call(package, variables)
        if answer["missing"]:
            require_sources(answer["missing"], package.sources)
        if answer["missing"] and not self._task.check_mode:
            self._transfer(answer["missing"], package)
            answer = self._call(package, variables)
            explain_refusal(answer["missing"], package.sources)
        answer.pop("missing")
        foresee(self._host(variables), self._folder(), answer.pop("foreseen", {}))
        return answer

    def _host(self, variables: dict[str, Any]) -> str:
        return str(variables.get("inventory_hostname", ""))

    def _folder(self) -> Path:
        """Return a folder that Ansible removes when it ends."""
        # Ansible gives itself this constant while it starts.
        return Path(vars(constants)["DEFAULT_LOCAL_TMP"])

    def _call(self, package: Package, variables: dict[str, Any]) -> dict[str, Any]:
        request = {
            "state": package.state,
            "check": self._task.check_mode,
            "diff": self._task.diff,
            "transfer_user": self._transfer_user(),
            "foreseen": foreseen_on(self._host(variables), self._folder()) if self._task.check_mode else {},
        }
        return {"missing": [], **self.ask(request, variables)}

    def _transfer_user(self) -> str:
        """Return who logs in, when the program runs as somebody else: it is he who brings files."""
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
