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
        plan, node = self._task.args["plan"], self._task.args["node"]
        addresses = plan["nodes"][node]["addresses"]
        return self.ask({"units": units_of(plan, node), "addresses": addresses}, variables)
