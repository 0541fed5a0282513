"""Say what every known role makes on hosts; thin adapter over flatnet.contract."""

import json
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from flatnet.contract import find_contracts
from flatnet.errors import FlatnetError
from flatnet.remote.roles import roles_paths


class ActionModule(ActionBase):
    """Runs on the controller, once for all hosts."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return {contracts: role -> {kind, name, makes}}, of all modes and all roles on the roles path."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            found = find_contracts(roles_paths(self._loader))
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None
        contracts = {
            role: {"kind": one.kind, "name": one.name, "makes": asdict(one.all_makes())}
            for role, one in found.items()
        }
        return {**result, "changed": False, "contracts": json.loads(json.dumps(contracts))}
