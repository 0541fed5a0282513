"""The action network_node_state: what a node is like as far as its pods' network depends on it."""

from typing import Any

from flatnet.check.hosts.node import units_of
from flatnet.remote.action import HostAction


class ActionModule(HostAction):
    """Adapter of flatnet.host.probe.state."""

    module = "flatnet.host.probe.state"
    judged = True
    _VALID_ARGS = frozenset({"plan", "node"})

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the state; nothing is changed."""
        units = units_of(self._task.args["plan"], self._task.args["node"])
        return self.ask({"units": units}, variables)
