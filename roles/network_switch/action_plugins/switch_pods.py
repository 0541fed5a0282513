"""The controller's half of switch_pods."""

from __future__ import annotations

from typing import Any

from flatnet.remote.action import API_CREDENTIALS, HostAction
from flatnet.state.applied import note_change

ARGUMENTS = {
    "credentials": API_CREDENTIALS,
    "look": {"type": "bool", "default": False},
    "close": {"type": "list", "elements": "str", "default": []},
    "open": {"type": "list", "elements": "str", "default": []},
    "before": {"type": "list", "elements": "dict"},
    "seconds": {"type": "int", "default": 180},
}


class ActionModule(HostAction):
    """Runs on the controller, once for the cluster."""

    module = "flatnet.host.switch.serve"
    judged = True
    advice = "Run the switch again, which goes on from there"

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return `found`, and the nodes and pods that something was done to."""
        request = self.arguments(ARGUMENTS)
        nothing: dict[str, Any] = {"changed": False, "found": {}, "closed": [], "opened": [], "deleted": []}
        if self._task.check_mode:
            request = {**request, "close": [], "open": []}
        if not any(request[name] for name in ("look", "close", "open")):
            return nothing
        answer = self.ask(request, variables)
        if answer["changed"] or answer.get("failed"):
            note_change(self.folder())
        return answer
