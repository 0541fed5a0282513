"""Plan the switch of a running cluster's network on the controller: print it, refuse what cannot work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from flatnet.contract import find_contracts
    from flatnet.errors import FlatnetError
    from flatnet.plan_report import read_document
    from flatnet.remote.roles import roles_paths
    from flatnet.switch.ends import End
    from flatnet.switch.outline import Cluster
    from flatnet.switch.progress import read_progress
    from flatnet.switch.task import Asked, switch_task
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python package flatnet is not in the environment that runs Ansible ({error}); "
        "install it there with: pip install -e <the directory of ansible.cfg>"
    ) from error


class ActionModule(ActionBase):
    """Adapter of flatnet.switch.task; no host is contacted, and nothing is written."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the plays of the switch go by, see switch_task."""
        super().run(tmp, task_vars)
        validate: Callable[..., tuple[Any, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            argument_spec={
                "plan": {"type": "dict", "required": True},
                "deployed_path": {"type": "path", "required": True},
                "note_path": {"type": "path", "required": True},
                "cluster": {"type": "dict", "required": True},
                "confirmed": {"type": "str", "default": ""},
                "batch": {"type": "int", "default": 0},
                "ignored_budgets": {"type": "list", "elements": "str", "default": []},
                "image": {"type": "str", "default": ""},
            }
        )
        try:
            return self._planned(arguments, task_vars or {})
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None

    def _planned(self, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        plan = arguments["plan"]
        contracts = find_contracts(roles_paths(self._loader))
        document = contracts.with_known_mode(read_document(Path(arguments["deployed_path"])))
        asked = Asked(
            plan=plan,
            deployed=None if document is None else End.of_plan(document),
            found=read_progress(Path(arguments["note_path"])),
            hosts=[str(host) for host in variables["ansible_play_hosts"]],
            batch=arguments["batch"],
            ignored_budgets=arguments["ignored_budgets"],
            image=arguments["image"],
        )
        task = switch_task(asked, Cluster(**arguments["cluster"]))
        self._display.display(f"\n{task.text}")
        name = str(plan["cluster_name"])
        if task.data["is_needed"] and not self._task.check_mode and arguments["confirmed"] != name:
            raise AnsibleActionFail(
                f"this makes pods and services of cluster {name} unreachable for a while; nothing was "
                f"changed. To go on, add --extra-vars cluster_switch_confirmed={name}"
            )
        return {"changed": False, "msg": task.text, **task.data}
