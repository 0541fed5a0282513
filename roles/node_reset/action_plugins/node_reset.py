"""The controller's half of node_reset."""

from __future__ import annotations

from typing import Any

from flatnet.remote.action import HostAction
from flatnet.state.applied import forget, note_change

ARGUMENTS = {
    "owners": {"type": "list", "elements": "str", "required": True},
    "data": {"type": "dict", "default": {}},
    "chains": {"type": "dict", "default": {}},
    "interfaces": {"type": "list", "elements": "str", "default": []},
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
        request = {"reset": self.arguments(ARGUMENTS), "check": self._task.check_mode}
        if not self._task.check_mode:
            forget(self.host(variables), self.folder())
            note_change(self.folder())
        answer = self.ask(request, variables)
        if self._task.diff and answer.get("changed"):
            answer["diff"] = [{"prepared": answer["msg"] + "\n"}]
        return answer
