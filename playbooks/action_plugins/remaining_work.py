"""Tell whether plays would find every host as they want it; thin adapter over flatnet.remote.walk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from flatnet.errors import FlatnetError
from flatnet.remote.action import HostAction
from flatnet.remote.walk import Step, Walk
from flatnet.state.findings import copy_findings


class ActionModule(ActionBase):
    """Runs on the controller, once for all hosts."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return nothing_left, and with work left the first task that has some, as `left`.

        What cannot be told without a run is work: then the plays are run, and tell it themselves.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        validate: Callable[..., tuple[object, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate({"plays": {"type": "list", "elements": "path", "required": True}})
        walk = Walk(self._loader, (task_vars or {})["hostvars"])
        # Findings are used up by asking for them; those of the run are for its tasks.
        folder = Path(vars(constants)["DEFAULT_LOCAL_TMP"])
        with tempfile.TemporaryDirectory(dir=folder) as copies:
            copy_findings(folder, Path(copies))
            left = self._first_left(walk, arguments["plays"], Path(copies))
        return {**result, "changed": False, "nothing_left": not left, "left": left}

    def _first_left(self, walk: Walk, plays: list[str], folder: Path) -> str:
        base = Path(self._loader.get_basedir())
        try:
            for file in plays:
                for step in walk.steps(base / file):
                    if not self._is_done(step, folder):
                        return f"{step.host}: {step.task.get_name()}"
        except (AnsibleError, FlatnetError) as error:
            return str(error)
        return ""

    def _is_done(self, step: Step, folder: Path) -> bool:
        action = self._shared_loader_obj.action_loader.get(
            step.task.action,
            task=step.task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return isinstance(action, HostAction) and action.is_done(step.variables, folder)
