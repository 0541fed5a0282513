"""Keep the note of a switch that is under way, on the controller."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from flatnet.errors import FlatnetError
from flatnet.switch.progress import (
    STEPS,
    forget_progress,
    parse_progress,
    read_progress,
    save_progress,
)


class ActionModule(ActionBase):
    """Adapter of flatnet.switch.progress."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write, move or remove the note; what a switch changes on the controller is no change of a host.

        The callback switch_state reads where it is.
        """
        super().run(tmp, task_vars)
        validate: Callable[..., tuple[Any, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            argument_spec={
                "path": {"type": "path", "required": True},
                "begin": {"type": "str", "default": ""},
                "hosts": {"type": "list", "elements": "str", "default": []},
                "step": {"type": "str", "choices": [*STEPS]},
                "end": {"type": "bool", "default": False},
            }
        )
        if not self._task.check_mode:
            try:
                self._keep(Path(arguments["path"]), arguments)
            except FlatnetError as error:
                raise AnsibleActionFail(str(error)) from None
        return {"changed": False, "switch_note": arguments["path"]}

    def _keep(self, path: Path, arguments: dict[str, Any]) -> None:
        if arguments["end"]:
            forget_progress(path)
        elif arguments["begin"]:
            save_progress(path, parse_progress(json.loads(arguments["begin"])))
        elif arguments["hosts"]:
            progress = read_progress(path)
            if progress is None:
                raise FlatnetError(f"the note of the switch in {path} has gone; run the switch again")
            save_progress(path, progress.moved(arguments["hosts"], arguments["step"]))
