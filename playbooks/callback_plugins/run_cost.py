"""Prints what a run asked of each host and where its time went, beside Ansible's recap."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ansible.executor.stats import AggregateStats
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.connection.ssh import Connection as SshConnection

DOCUMENTATION = """
name: run_cost
type: aggregate
short_description: What a run cost, in remote calls and in seconds
description:
  - Prints, for each host, how many modules and raw commands ran there and how many files were sent there.
  - An action that never leaves the controller counts nothing; an action that runs three modules counts three.
  - A call that is delegated counts for the host that does the work.
  - Then the slowest tasks, each from its start on the first host to the start of the next task.
requirements:
  - Listed in C(callbacks_enabled).
"""

_SLOWEST = 8

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Self = TypeVar("_Self")
_Method = Callable[Concatenate[_Self, _Arguments], _Result]


class CallbackModule(CallbackBase):
    """Adapter: the workers count, this prints."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "run_cost"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Install the counters before the first worker is forked, so that every worker inherits them."""
        super().__init__()
        handle, name = tempfile.mkstemp(prefix="flatnet-remote-calls-")
        os.close(handle)
        self._tally = Path(name)
        self._play: Play | None = None
        self._begun: list[tuple[float, str]] = []
        _count_in_workers(self._tally)

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        """Note when a task began."""
        del is_conditional  # Ansible passes it by name.
        self._begun.append((time.monotonic(), task.get_name()))

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Remember the play, which knows the hosts' variables."""
        self._play = play

    def v2_playbook_on_stats(self, _stats: AggregateStats) -> None:
        """Print one line per host that was called."""
        # A run of several playbooks ends several times; each counts its own.
        text = self._tally.read_text() if self._tally.exists() else ""
        self._tally.unlink(missing_ok=True)
        called = [line.split("\t") for line in text.splitlines()]
        if not called:
            return
        names = self._names()
        calls: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for kind, address in called:
            (files if kind == "file" else calls)[names.get(address, address)] += 1
        self._display.banner("REMOTE CALLS")
        for host in sorted(calls):
            self._display.display(f"{host:<26} : calls={calls[host]:<4} files_sent={files[host]}")
        self._print_slowest()

    def _names(self) -> dict[str, str]:
        """Return address -> host of the inventory, which takes a while: without calls there is no need."""
        if self._play is None:
            return {}
        manager = self._play.get_variable_manager()
        found = {}
        # A call may be delegated to a host outside of --limit.
        for host in manager._inventory.get_hosts(ignore_limits=True, ignore_restrictions=True):
            variables = manager.get_vars(host=host, play=self._play, include_hostvars=False)
            found[str(variables.get("ansible_host", host.name))] = host.name
        return found

    def _print_slowest(self) -> None:
        ends = [*(begun for begun, _ in self._begun[1:]), time.monotonic()]
        taken = [(end - begun, name) for (begun, name), end in zip(self._begun, ends, strict=True)]
        whole = sum(seconds for seconds, _ in taken)
        self._display.banner(f"SLOWEST TASKS OF {whole:.1f} S")
        for seconds, name in sorted(taken, reverse=True)[:_SLOWEST]:
            self._display.display(f"{seconds:6.1f} s  {name}")


def _count_in_workers(tally: Path) -> None:
    """Wrap the ways an action reaches a host; each use appends a line to the tally.

    Ansible has no hook for this: a task's result does not tell how many calls its action made.
    """
    running_module = False

    def note(connection: ConnectionBase, kind: str) -> None:
        if connection.transport == "local" or running_module:
            return
        with tally.open("a") as stream:
            stream.write(f"{kind}\t{connection.get_option('host')}\n")

    def counted(
        kind: str,
        connection_of: Callable[[_Self], ConnectionBase],
        method: _Method[_Self, _Arguments, _Result],
    ) -> _Method[_Self, _Arguments, _Result]:
        def wrapper(self: _Self, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            nonlocal running_module
            note(connection_of(self), kind)
            before, running_module = running_module, running_module or kind == "module"
            try:
                return method(self, *args, **kwargs)
            finally:
                running_module = before

        return wrapper

    def of_action(action: ActionBase) -> ConnectionBase:
        return action._connection

    def of_connection(connection: ConnectionBase) -> ConnectionBase:
        return connection

    for owner, name, kind, connection_of in (
        (ActionBase, "_execute_module", "module", of_action),
        (ActionBase, "_low_level_execute_command", "raw", of_action),
        (SshConnection, "put_file", "file", of_connection),
    ):
        setattr(owner, name, counted(kind, connection_of, getattr(owner, name)))
