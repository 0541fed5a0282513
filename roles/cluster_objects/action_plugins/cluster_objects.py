"""The controller's half of cluster_objects."""

from __future__ import annotations

from typing import Any

from flatnet.remote.action import HostAction

ARGUMENTS = {
    "credentials": {
        "type": "dict",
        "required": True,
        "options": {
            "host": {"type": "str"},
            "server": {"type": "str", "required": True},
            "ca": {"type": "path", "required": True},
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "required": True},
        },
    },
    "objects": {"type": "list", "elements": "dict", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "owner": {"type": "str", "default": ""},
    "field_manager": {"type": "str", "default": "flatnet"},
    "propagation": {
        "type": "str",
        "choices": ["background", "foreground", "orphan"],
        "default": "background",
    },
    "wait_ready_seconds": {"type": "int", "default": 0},
    "wait_gone_seconds": {"type": "int", "default": 0},
    "wait_for_nodes": {
        "type": "dict",
        "options": {
            "names": {"type": "list", "elements": "str", "required": True},
            "seconds": {"type": "int", "default": 120},
        },
    },
    "wait_for_pods": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str", "required": True},
            "label_selector": {"type": "str", "required": True},
            "count": {"type": "int"},
            "seconds": {"type": "int", "default": 120},
            "advice": {"type": "str", "default": ""},
        },
    },
    "return_objects": {"type": "bool", "default": False},
    "return_pods": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str", "required": True},
            "label_selector": {"type": "str", "default": ""},
        },
    },
}


class ActionModule(HostAction):
    """Runs on the controller for each host."""

    module = "flatnet.host.objects.serve"
    judged = True
    advice = "Apply again: what was applied already stays as it is"

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what changed in the cluster."""
        request = {
            "parameters": self.arguments(ARGUMENTS),
            "check": self._task.check_mode,
            "diff": self._task.diff,
        }
        return self.ask(request, variables)
