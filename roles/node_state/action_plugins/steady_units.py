"""The controller's half of steady_units: ask the host about the units that were started there, if any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.remote.action import HostAction
from flatnet.state.started import take_started


class ActionModule(HostAction):
    """Runs on the controller for each host."""

    module = "flatnet.host.state.steady"
    root_needed = True

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return that nothing changed. Raises FlatnetError for a unit that does not stay up."""
        self.arguments({})
        host = self.host(variables)
        units = take_started(host, self.folder())
        if units:
            problems = self.ask({"units": units}, variables)["problems"]
            if problems:
                raise FlatnetError(f"{self.target(variables).title}: " + "\n".join(problems))
        return {"changed": False}

    def is_done(self, variables: dict[str, Any], folder: Path) -> bool:
        """Tell whether no unit was started so far."""
        return not take_started(self.host(variables), folder)
