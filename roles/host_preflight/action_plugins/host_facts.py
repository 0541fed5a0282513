"""Know a host in one plain remote call, or say in one message why it cannot be used."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from flatnet.errors import FlatnetError
from flatnet.pki.trust import Trusted, foreign_trust
from flatnet.state.preflight import NO_PYTHON, OLDEST_PYTHON, Answer, Node, no_root, problems, read_answer
from flatnet.state.remote import interpreter_of
from flatnet.state.unreachable import Target, explain, known_hosts_file

PROGRAM = Path(__file__).parents[1] / "files" / "host_facts.py"


class ActionModule(ActionBase):
    """Runs on the controller for each host."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the facts as ansible_facts.flatnet_facts. They are read in check mode as well."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        validate: Callable[..., tuple[object, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            {
                "kernel_features": {"type": "list", "elements": "str", "default": []},
                "commands": {"type": "list", "elements": "str", "default": []},
                "node": {"type": "bool", "default": False},
                "kubelet_configuration": {"type": "dict", "default": {}},
                "resolver_wanted": {"type": "bool", "default": False},
                "ipv6_forwarded": {"type": "bool", "default": False},
                "trusted": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "path": {"type": "path", "required": True},
                        "source": {"type": "path", "required": True},
                    },
                },
            }
        )
        variables = task_vars or {}
        target = self._target(variables)
        trusted = [Trusted(entry["path"], Path(entry["source"])) for entry in arguments.pop("trusted")]
        demands = [
            arguments.pop(name) for name in ("kubelet_configuration", "resolver_wanted", "ipv6_forwarded")
        ]
        node = Node(*demands) if arguments.pop("node") else None
        arguments["files"] = [entry.path for entry in trusted]
        try:
            facts = self._ask(target, arguments, variables)
            found = problems(target.title, target.user, facts, arguments["commands"], node)
            found += foreign_trust(target.title, facts.pop("files", {}), trusted)
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None
        if found:
            raise AnsibleActionFail("\n".join(found))
        return {**result, "changed": False, "ansible_facts": {"flatnet_facts": facts}}

    def _ask(self, target: Target, request: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        setting = constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        interpreter = interpreter_of(setting)
        command = (
            f"command -v {shlex.quote(interpreter)} >/dev/null 2>&1 || exit {NO_PYTHON}; "
            f"exec {shlex.quote(interpreter)} - {shlex.quote(json.dumps(request, sort_keys=True))}"
        )
        execute: Callable[..., dict[str, Any]] = self._low_level_execute_command
        try:
            ran = execute(command, in_data=_program())
        except AnsibleConnectionFailure as error:
            raise FlatnetError(explain(target, str(error))) from None
        except AnsibleError as error:
            # What is neither the connection nor the command is what stands between the two.
            raise FlatnetError(no_root(target.title, target.user, str(error))) from None
        answer = Answer(ran["rc"], ran["stdout"], ran["stderr"])
        return read_answer(target.title, interpreter, target.user, answer)

    def _target(self, variables: dict[str, Any]) -> Target:
        options = ("ssh_args", "ssh_common_args", "ssh_extra_args")
        words = " ".join(str(self._option(name) or "") for name in options)
        return Target(
            name=variables.get("inventory_hostname", "unknown"),
            address=str(self._option("host") or self._option("remote_addr") or "this machine"),
            port=int(str(self._option("port") or 22)),
            user=str(self._option("remote_user") or "the present user"),
            known_hosts=known_hosts_file(words),
        )

    def _option(self, name: str) -> object:
        # Not every connection has every option.
        return self._connection.get_option(name) if self._connection.has_option(name) else None


def _program() -> bytes:
    """Return what to hand to Python. An old one cannot read the program itself, but can tell its version."""
    text = PROGRAM.read_text()
    return (
        "import sys\n"
        f"if sys.version_info < {OLDEST_PYTHON}:\n"
        '    print(\'flatnet-facts {"python": "%d.%d"}\' % sys.version_info[:2])\n'
        "    sys.exit(0)\n"
        f"exec(compile({text!r}, 'host_facts.py', 'exec'))\n"
    ).encode()
