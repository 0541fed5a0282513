"""The controller's half of l2_uplink: have the host begin, come back by a new connection, and agree."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from flatnet.errors import FlatnetError
from flatnet.remote.action import HostAction
from flatnet.segment.trial import Attempt, outcome
from flatnet.state.applied import note_change

ARGUMENTS = {
    "program": {"type": "path", "required": True},
    "file": {"type": "path", "required": True},
    "uplink": {"type": "str", "required": True},
    "bridge": {"type": "str", "required": True},
    "rollback_seconds": {"type": "int", "required": True},
    "moves": {"type": "list", "elements": "str", "required": True},
}
# Longer than the host waits before it begins, so that a connection is of afterwards.
BEGIN_SECONDS = 2
STEP_SECONDS = 1


class ActionModule(HostAction):
    """Runs on the controller for each host."""

    module = "flatnet.host.uplink.serve"
    root_needed = True
    advice = "What it began is taken back by the host itself; run again then"

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what was moved. Raises FlatnetError where the host took it back."""
        arguments = self.arguments(ARGUMENTS)
        moves = arguments["moves"]
        result = {"changed": bool(moves), "moves": moves, "msg": "\n".join(moves) or "as wanted"}
        if self._task.diff:
            result["diff"] = [{"prepared": "".join(f"move {one}\n" for one in moves)}] if moves else []
        if self._task.check_mode or not moves:
            return result
        request = {"program": arguments["program"], "file": arguments["file"], "token": str(time.time_ns())}
        begun = self.ask({**request, "begin": True}, variables)
        # Whatever becomes of it.
        note_change(self.folder())
        if begun.get("failed"):
            raise FlatnetError(f"{self.target(variables).title}: the move cannot begin: {begun['msg']}")
        title = self.target(variables).title
        self._come_back(
            Attempt(title, arguments["uplink"], arguments["bridge"], arguments["rollback_seconds"]),
            {**request, "begin": False},
            variables,
        )
        return result

    def _come_back(self, attempt: Attempt, request: dict[str, Any], variables: dict[str, Any]) -> None:
        """Connect anew until the host says how it ended. Raises FlatnetError where not well."""
        began, said = time.monotonic(), ""
        time.sleep(BEGIN_SECONDS)
        while True:
            # A connection of before may live on in what the kernel knows of it, and prove nothing.
            self._connection.reset()
            try:
                answer = self.ask(request, variables)
            except (AnsibleConnectionFailure, FlatnetError) as error:
                answer, said = {"phase": "unreachable"}, str(error)
            said = answer.get("msg", said)
            if outcome(attempt, answer, said, time.monotonic() - began):
                return
            time.sleep(STEP_SECONDS)
