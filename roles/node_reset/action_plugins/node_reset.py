"""The controller's half of node_reset."""

from __future__ import annotations

from typing import Any

from flatnet.contract import find_contracts
from flatnet.remote.action import HostAction
from flatnet.remote.roles import roles_paths
from flatnet.removal import removal
from flatnet.state.applied import awaits, follow_change

ARGUMENTS = {
    "owners": {"type": "list", "elements": "str", "required": True},
    "programs_directory": {"type": "path", "default": "/usr/local/bin"},
    "cni_programs_directory": {"type": "path", "default": "/opt/cni/bin"},
}


class ActionModule(HostAction):
    """Runs on the controller for each host."""

    module = "flatnet.host.reset.serve"
    root_needed = True
    advice = "What it had begun is recorded there: reset again, and that is completed"

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what the host lost."""
        arguments = self.arguments(ARGUMENTS)
        owners = removal(find_contracts(roles_paths(self._loader)), arguments.pop("owners"))
        host, folder, check = self.host(variables), self.folder(), self._task.check_mode
        request = {"reset": {**arguments, **owners}, "check": check, "look": awaits(host, folder)}
        try:
            answer = self.ask(request, variables)
        except Exception:
            # Whatever it did on the host.
            self._changed(host, {})
            raise
        if answer.get("changed") or answer.get("failed"):
            self._changed(host, answer.pop("applied", {}))
        if self._task.diff and answer.get("changed"):
            answer["diff"] = [{"prepared": answer["msg"] + "\n"}]
        return answer

    def _changed(self, host: str, applied: dict[str, str]) -> None:
        """Take note of a change of the host; applied: what another look after it found."""
        if not self._task.check_mode:
            follow_change(host, self.folder(), applied)
