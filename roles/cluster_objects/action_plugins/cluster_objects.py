"""The controller's half of cluster_objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flatnet.contract import find_contracts
from flatnet.host.objects.applied import digest
from flatnet.remote.action import API_CREDENTIALS, HostAction
from flatnet.remote.roles import roles_paths
from flatnet.state.applied import holds_objects, note_change

ARGUMENTS = {
    "credentials": API_CREDENTIALS,
    "objects": {"type": "list", "elements": "dict", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "owner": {"type": "str", "default": ""},
    "node_annotations": {"type": "list", "elements": "str", "default": []},
    "node_labels": {"type": "list", "elements": "str", "default": []},
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
    "return_kinds": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "api_version": {"type": "str", "required": True},
            "kind": {"type": "str", "required": True},
            "namespace": {"type": "str", "default": ""},
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
        parameters, check, diff = self.arguments(ARGUMENTS), self._task.check_mode, self._task.diff
        if parameters["owner"] and parameters["state"] == "absent" and not parameters["objects"]:
            self._add_keys(parameters)
        if holds_objects(self.host(variables), self.folder(), parameters["owner"], digest(parameters)):
            return {"changed": False, "changes": [], **({"diff": []} if diff else {})}
        answer: dict[str, Any] = {}
        try:
            answer = self.ask({"parameters": parameters, "check": check, "diff": diff}, variables)
        finally:
            # Without an answer, whatever it did in the cluster.
            if not check and (not answer or answer.get("changed") or answer.get("failed")):
                note_change(self.folder())
        return answer

    def is_done(self, variables: dict[str, Any], folder: Path) -> bool:
        """Tell whether a look in this run has shown that the objects are as wanted."""
        parameters = self.arguments(ARGUMENTS)
        return holds_objects(self.host(variables), folder, parameters["owner"], digest(parameters))

    def _add_keys(self, parameters: dict[str, Any]) -> None:
        """Add what the owner's contract, if it has one, says that its programs write into Node objects."""
        contract = find_contracts(roles_paths(self._loader)).get(parameters["owner"])
        if contract:
            makes = contract.all_makes()
            parameters["node_annotations"] += makes.node_annotations
            parameters["node_labels"] += makes.node_labels
