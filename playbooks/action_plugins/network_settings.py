"""Read the settings of the inventory; thin adapter over flatnet.settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from flatnet.settings import SETTINGS, check_variables, fault_lines, read_settings

ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(ActionBase):
    """Runs on the controller, once for all hosts: what is cluster-wide is the same for each."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return {settings: every setting by its variable}.

        Fails for variables that are meant otherwise and for values that a setting cannot have, all in one
        message, and warns of variables that nothing reads.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        validate: Callable[..., tuple[object, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate({"wiring": {"type": "path", "required": True}})
        variables = task_vars or {}
        refused = self._check_names(variables, yaml.safe_load(Path(arguments["wiring"]).read_text()))
        given = {
            one.variable: self._templar.template(variables[one.variable])
            for one in SETTINGS
            if one.variable in variables
        }
        settings, faults = read_settings(given)
        if refused or faults:
            raise AnsibleActionFail("\n".join([*refused, *fault_lines(faults)]))
        return {**result, "changed": False, "settings": settings.data}

    def _check_names(self, variables: dict[str, Any], wiring: dict[str, Any]) -> list[str]:
        """Return sentences about variables that are meant otherwise, and warn of those that nothing reads."""
        # Without what roles bring, whose defaults the variables of a task have as well.
        given = set(variables["hostvars"].raw_get(variables["inventory_hostname"]))
        # After another playbook of the same run, the wiring is among them and was checked before.
        if any(name.startswith("__cluster_") for name in given):
            return []
        findings = check_variables(given, load_extra_vars(self._loader), wiring, _inputs())
        if findings.refused:
            return [*findings.refused, *findings.unknown]
        for sentence in findings.unknown:
            Display().warning(sentence)
        return []


def _inputs() -> set[str]:
    """Return the inputs of those roles whose names begin as settings do."""
    found: set[str] = set()
    for path in ROLES.glob("cluster_*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found.update(entry.get("options") or {})
    return found
