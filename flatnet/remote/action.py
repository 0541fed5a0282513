"""What the action plugins that call a host have in common; the one module here that knows Ansible."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from flatnet.errors import FlatnetError
from flatnet.remote.failures import Called, Ran, no_become_message, read_answer
from flatnet.remote.program import command, interpreter_of, packed_modules, program
from flatnet.remote.unreachable import Target, explain, known_hosts_file

_PATH = {"type": "path", "required": True}
# How the API server is reached, as an argument: what a task says of it.
API_CREDENTIALS = {
    "type": "dict",
    "required": True,
    "options": {
        "host": {"type": "str"},
        "server": {"type": "str", "required": True},
        **dict.fromkeys(("ca", "certificate", "key"), _PATH),
    },
}


class HostAction(ActionBase):
    """An action that is done by one module of flatnet.host. Subclasses say which, and define `act`."""

    # Its `answer` is called on the host, where `ask` is not told of another one of `others`.
    module: ClassVar[str]
    others: ClassVar[tuple[str, ...]] = ()
    root_needed: ClassVar[bool] = False
    # Whether a FlatnetError is a result, which failed_when of the task can judge; what is raised it cannot.
    judged: ClassVar[bool] = False
    # Ends the message about a program that ended before it could answer.
    advice: ClassVar[str] = ""

    _supports_check_mode = True
    _supports_diff = True

    def __init_subclass__(cls) -> None:
        """Pack the modules once: workers are forked from the process that loads the plugin."""
        super().__init_subclass__()
        for module in (cls.module, *cls.others):
            packed_modules(module)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what `act` returns. A FlatnetError is the failure of the task, in its own words."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            return {**result, **self.act(task_vars or {})}
        except FlatnetError as error:
            if self.judged:
                return {**result, "failed": True, "msg": str(error)}
            raise AnsibleActionFail(str(error)) from None

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the task. Raises FlatnetError."""
        raise NotImplementedError

    def is_done(self, variables: dict[str, Any], folder: Path) -> bool:
        """Tell whether `act` would find all as it wants it, without a call; False where only the host knows.

        folder: what this run knows of the hosts so far; may be changed, as by `act`.
        """
        del variables, folder
        return False

    def arguments(self, specification: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the task with their defaults. Raises AnsibleError for what does not fit."""
        validate: Callable[..., tuple[object, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(specification)
        return arguments

    def host(self, variables: Mapping[str, Any]) -> str:
        """Return the name of the host that does the work."""
        return str(self._task.delegate_to or variables.get("inventory_hostname", "unknown"))

    def folder(self) -> Path:
        """Return a folder that Ansible removes when it ends."""
        # Ansible gives itself this constant while it starts.
        return Path(vars(constants)["DEFAULT_LOCAL_TMP"])

    def ask(self, request: Mapping[str, Any], variables: dict[str, Any], module: str = "") -> dict[str, Any]:
        """Return what the host answers to one call.

        Raises FlatnetError when it does not, AnsibleConnectionFailure when it cannot be reached.
        """
        target = self.target(variables)
        delegate = self._task.delegate_to
        if delegate:
            variables = variables.get("ansible_delegated_vars", {}).get(delegate, variables)
        if not self._connection.has_pipelining:
            raise FlatnetError(
                f"the connection {self._connection.transport} cannot hand a program to Python on the host; "
                "use ssh"
            )
        setting = constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        execute: Callable[..., dict[str, Any]] = self._low_level_execute_command
        try:
            ran = execute(command(setting), in_data=program(module or self.module, request, self.root_needed))
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(explain(target, str(error))) from None
        except AnsibleError as error:
            # What is neither the connection nor the command is what stands between the two.
            raise FlatnetError(no_become_message(target.title, target.user, str(error))) from None
        called = Called(target.title, interpreter_of(setting), target.user)
        return read_answer(called, Ran(ran["rc"], ran["stdout"], ran["stderr"]), self.advice)

    def target(self, variables: Mapping[str, Any]) -> Target:
        """Return how the host is reached, for messages."""
        options = ("ssh_args", "ssh_common_args", "ssh_extra_args")
        words = " ".join(str(self._option(option) or "") for option in options)
        return Target(
            name=self.host(variables),
            address=str(self._option("host") or self._option("remote_addr") or "this machine"),
            port=int(str(self._option("port") or 22)),
            user=str(self._option("remote_user") or "the present user"),
            known_hosts=known_hosts_file(words),
        )

    def _option(self, name: str) -> object:
        # Not every connection has every option.
        return self._connection.get_option(name) if self._connection.has_option(name) else None
