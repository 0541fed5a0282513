"""Measure on the controller how long connections fail while a network is switched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase

from flatnet.switch.interruption import told
from flatnet.switch.meter import INTERVAL_SECONDS, start, stop
from flatnet.switch.probe import targets

_PATIENCE_SECONDS = 30.0


class ActionModule(ActionBase):
    """Adapter of flatnet.switch.meter."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Start, or stop and return the `seconds` of each way."""
        super().run(tmp, task_vars)
        validate: Callable[..., tuple[Any, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            argument_spec={
                "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
                "objects": {"type": "list", "elements": "dict", "default": []},
                "address": {"type": "str", "default": ""},
            }
        )
        # Ansible gives itself this constant while it starts, and removes the folder when it ends.
        folder = Path(vars(constants)["DEFAULT_LOCAL_TMP"]) / "switch-meter"
        if arguments["state"] == "started":
            # A worker's parent is the run.
            asked = targets(arguments["objects"], arguments["address"])
            start(folder, asked, os.getppid(), _PATIENCE_SECONDS)
            return {"changed": False}
        seconds = stop(folder, _PATIENCE_SECONDS)
        text = told(seconds, INTERVAL_SECONDS)
        self._display.display(f"\n{text}")
        return {"changed": False, "msg": text, "seconds": seconds}
