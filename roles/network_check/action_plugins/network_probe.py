"""The action network_probe: one node's part of the network check, and what reaches it from the controller."""

import importlib
import importlib.util
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from flatnet.check.facts import cluster_from
from flatnet.check.matrix import part
from flatnet.check.model import Check, Json, Settings
from flatnet.errors import FlatnetError


class ActionModule(ActionBase):
    """Adapter of flatnet.check.matrix; the module of the same name makes the checks on the node."""

    _VALID_ARGS = frozenset({"plan", "pods", "services", "nodes", "node", "settings", "message", "limits"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the results of the node's checks and their evidence; both ways are made at the same time."""
        super().run(tmp, task_vars)
        arguments = self._task.args
        try:
            checks = self._part()
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None
        inside = [check for check in checks if check["source"]["kind"] != "controller"]
        outside = [check for check in checks if check["source"]["kind"] == "controller"]
        limits = dict(arguments.get("limits") or {})
        started, clock = time.time(), time.monotonic()
        with ThreadPoolExecutor(max_workers=1) as pool:
            from_here = pool.submit(_run_here, outside, **limits)
            result: dict[str, Any] = self._execute_module(
                module_name="network_probe",
                module_args={"checks": inside, **limits},
                task_vars=task_vars,
            )
            result["results"] = [*(result.get("results") or []), *from_here.result()]
        result.update(started=started, seconds=time.monotonic() - clock)
        return result

    def _part(self) -> list[Check]:
        arguments = self._task.args
        return part(cluster_from(arguments), Settings.of(arguments.get("settings") or {}), arguments["node"])


def _run_here(checks: list[Check], **limits: float) -> list[Json]:
    """Make the checks with the module's own code: the controller asks in the same way as the nodes."""
    home = Path(__file__).parent.parent / "module_utils" / "flatnet_probe"
    if "flatnet_probe" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "flatnet_probe", home / "__init__.py", submodule_search_locations=[str(home)]
        )
        if spec is None:
            raise AnsibleActionFail(f"{home} cannot be loaded; the checkout of flatnet is incomplete")
        sys.modules["flatnet_probe"] = importlib.util.module_from_spec(spec)
    results: list[Json] = importlib.import_module("flatnet_probe.checks").run(checks, **limits)
    return results
