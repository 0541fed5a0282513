"""The tasks that plays would run on hosts, in their order and with their values, and none of them is run.

Knows Ansible, as flatnet.remote.action does: what `ansible.playbook` loads and compiles is what a run takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.inventory.host import Host
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task import Task
from ansible.playbook.task_include import TaskInclude
from ansible.template import Templar
from ansible.vars.hostvars import HostVars

from flatnet.errors import FlatnetError

# What Ansible puts there itself: before a role its argument check, which changes nothing, and between the
# parts of a play what it calls a meta task.
_OF_ANSIBLE = frozenset({"meta", "ansible.builtin.meta", "ansible.builtin.validate_argument_spec"})


@dataclass(frozen=True)
class Step:
    """A task that a host would run: its arguments and the host it is delegated to are templated.

    task: a copy of the play's for whoever makes an action of it; variables: what it sees.
    """

    host: str
    task: Task
    variables: dict[str, Any]


class Walk:
    """Goes through plays with the variables that a run has at this moment."""

    def __init__(self, loader: DataLoader, hostvars: HostVars) -> None:
        """Hostvars: those of the run; with them come its inventory, limit included, and its variables."""
        self._loader = loader
        self._variables = hostvars._variable_manager
        self._inventory = hostvars._inventory
        self._roles: dict[tuple[str, str], list[Block]] = {}

    def steps(self, file: Path) -> Iterator[Step]:
        """Yield what the plays of a playbook come to, play after play and host after host.

        Conditions that do not hold leave their tasks out. Raises FlatnetError for what cannot be foreseen:
        loops, rescues, included files; AnsibleError for values that a run of tasks before would make.
        """
        for play in Playbook.load(str(file), self._variables, self._loader).get_plays():
            hosts = self._inventory.get_hosts(play.hosts, order=play.order)
            blocks = play.compile()
            for position, host in enumerate(hosts):
                for block in blocks:
                    yield from self._block(block, play, host, hosts, position == 0)

    def _block(self, block: Block, play: Play, host: Host, hosts: list[Host], first: bool) -> Iterator[Step]:
        if block.rescue or block.always:
            raise FlatnetError(f"{block} has a rescue or an always part")
        for one in block.block:
            if isinstance(one, Block):
                yield from self._block(one, play, host, hosts, first)
            elif one.action not in _OF_ANSIBLE and (first or not one.run_once):
                yield from self._task(one, play, host, hosts, first)

    def _task(self, task: Task, play: Play, host: Host, hosts: list[Host], first: bool) -> Iterator[Step]:
        names = [one.name for one in hosts]
        variables = self._variables.get_vars(play=play, host=host, task=task, _hosts=names, _hosts_all=names)
        templar = Templar(self._loader, variables)
        if task.loop is not None or task.loop_with:
            raise FlatnetError(f"{task} is a loop")
        if not all(templar.evaluate_conditional(condition) for condition in task.when):
            return
        given: Mapping[str, Any] = templar.template(task.args)
        if isinstance(task, IncludeRole):
            for block in self._role(task, str(given["name"]), str(given.get("tasks_from", "main")), play):
                yield from self._block(block, play, host, hosts, first)
            return
        if isinstance(task, TaskInclude):
            raise FlatnetError(f"{task} includes a file")
        # Ansible's own copy goes as deep as the values of the role's variables.
        step = copy(task)
        step.args = dict(given)
        step.delegate_to = templar.template(task.delegate_to)
        yield Step(host.name, step, variables)

    def _role(self, include: IncludeRole, name: str, tasks: str, play: Play) -> list[Block]:
        key = (f"{include._uuid} {name}", tasks)
        if key not in self._roles:
            role = copy(include)
            role._role_name, role._from_files = name, {"tasks": tasks}
            self._roles[key], _ = role.get_block_list(play, self._variables, self._loader)
        return self._roles[key]
