"""Counts what a run really asked of each host, and prints it beside Ansible's recap."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ansible.executor.stats import AggregateStats
from ansible.playbook.play import Play
from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: remote_calls
type: aggregate
short_description: Count the remote calls of a run
description:
  - Prints, for each host, how many modules and raw commands ran there and how many files were sent there.
  - An action that never leaves the controller counts nothing; an action that runs three modules counts three.
  - A call that is delegated counts for the host that does the work.
requirements:
  - Listed in C(callbacks_enabled).
"""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Method = Callable[Concatenate[ActionBase, _Arguments], _Result]


class CallbackModule(CallbackBase):
    """Adapter: the workers count, this prints."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "remote_calls"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Install the counters before the first worker is forked, so that every worker inherits them."""
        super().__init__()
        handle, name = tempfile.mkstemp(prefix="flatnet-remote-calls-")
        os.close(handle)
        self._tally = Path(name)
        self._names: dict[str, str] = {}
        _count_in_workers(self._tally)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Learn which address belongs to which host of the inventory."""
        manager = play.get_variable_manager()
        for host in manager._inventory.get_hosts():
            variables = manager.get_vars(host=host, play=play, include_hostvars=False)
            self._names[str(variables.get("ansible_host", host.name))] = host.name

    def v2_playbook_on_stats(self, _stats: AggregateStats) -> None:
        """Print one line per host that was called."""
        calls: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for line in self._tally.read_text().splitlines():
            kind, address = line.split("\t")
            (files if kind == "file" else calls)[self._names.get(address, address)] += 1
        self._tally.unlink()
        if not calls:
            return
        self._display.banner("REMOTE CALLS")
        for host in sorted(calls):
            self._display.display(f"{host:<26} : calls={calls[host]:<4} files_sent={files[host]}")


def _count_in_workers(tally: Path) -> None:
    """Wrap the ways an action reaches a host; each use appends a line to the tally.

    Ansible has no hook for this: a task's result does not tell how many calls its action made.
    """
    running_module = False

    def note(action: ActionBase, kind: str) -> None:
        if action._connection.transport == "local" or running_module:
            return
        with tally.open("a") as stream:
            stream.write(f"{kind}\t{action._connection.get_option('host')}\n")

    def counted(method: _Method[_Arguments, _Result], kind: str) -> _Method[_Arguments, _Result]:
        def wrapper(self: ActionBase, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            nonlocal running_module
            note(self, kind)
            before, running_module = running_module, running_module or kind == "module"
            try:
                return method(self, *args, **kwargs)
            finally:
                running_module = before

        return wrapper

    for name, kind in (
        ("_execute_module", "module"),
        ("_low_level_execute_command", "raw"),
        ("_transfer_file", "file"),
    ):
        setattr(ActionBase, name, counted(getattr(ActionBase, name), kind))
