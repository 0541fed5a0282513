"""Whether plays have anything left to do is told by what they are, not by a run of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
# Stands for the look at a host: what was applied there is what the task is given.
SEEN = """
import time
from pathlib import Path

from ansible import constants
from ansible.plugins.action import ActionBase

from flatnet.host.state.asked import asked_for, digest
from flatnet.state.applied import remember
from flatnet.state.desired import parse
from flatnet.state.wire import to_wire


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        states = [asked_for(to_wire(parse(one)).state) for one in self._task.args["states"]]
        found = {state["name"]: digest(state) for state in states}
        folder = Path(vars(constants)["DEFAULT_LOCAL_TMP"])
        remember(task_vars["inventory_hostname"], folder, found, {}, time.time_ns())
        return {"changed": False}
"""
ONE = {"name": "one", "sysctls": {"net.ipv4.ip_forward": "1"}}
TWO = {"name": "two", "kernel_modules": ["br_netfilter"]}
APPLY_ONE = {"node_state": ONE}
# As a role has it: its own default, and a value of the host.
APPLY_TWO = {"node_state": {"name": "two", "kernel_modules": ["{{ two_modules }}"]}}


def ask(folder: Path, tasks: list[Any], seen: Mapping[str, list[Any]], hosts: str = "all") -> dict[str, Any]:
    """Return the answer about a play with `tasks`, on hosts where `seen` was found to hold."""
    asked = {"remaining_work": {"plays": ["after.yml"]}, "register": "answer"}
    before = [
        {"seen": {"states": "{{ applied }}"}},
        # Asking uses nothing up: the second answer counts.
        asked,
        asked,
        {
            "ansible.builtin.copy": {
                "dest": str(folder / "answer.json"),
                "content": "{{ answer | to_json }}",
                "mode": "0644",
            },
            "run_once": True,
        },
    ]
    play = {"hosts": "all", "gather_facts": False}
    role = folder / "roles/cni_two"
    files: dict[Path, Any] = {
        folder / "before.yml": [{**play, "tasks": before}],
        folder / "after.yml": [{**play, "hosts": hosts, "tasks": tasks}],
        folder / "hosts.yml": {
            "all": {"hosts": {host: {"applied": states} for host, states in seen.items()}}
        },
        role / "tasks/main.yml": [APPLY_TWO],
        role / "defaults/main.yml": {"two_modules": "br_netfilter"},
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / "plugins").mkdir()
    (folder / "plugins/seen.py").write_text(SEEN)
    plugins = [
        folder / "plugins",
        ROOT / "playbooks/action_plugins",
        ROOT / "roles/node_state/action_plugins",
    ]
    environment = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_ACTION_PLUGINS": ":".join(map(str, plugins)),
        "ANSIBLE_ROLES_PATH": str(folder / "roles"),
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    options = [
        "-i",
        str(folder / "hosts.yml"),
        "-c",
        "local",
        "-e",
        "ansible_python_interpreter=/usr/bin/python3",
    ]
    ran = subprocess.run(
        [program, *options, folder / "before.yml"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return answer


INCLUDED = {"ansible.builtin.include_role": {"name": "cni_{{ which | default('two') }}"}}
IMPORTED = {"ansible.builtin.import_role": {"name": "cni_two"}, "vars": {"two_modules": "br_netfilter"}}


def test_where_every_task_finds_what_it_wants_nothing_is_left(tmp_path: Path) -> None:
    others = {"ansible.builtin.command": {"cmd": "reboot"}, "when": "inventory_hostname == 'c'"}
    tasks = [APPLY_ONE, INCLUDED, others, {"ansible.builtin.meta": "flush_handlers"}]
    answer = ask(tmp_path, tasks, {"a": [ONE, TWO], "b": [ONE, TWO]})
    assert (answer["nothing_left"], answer["left"], answer["changed"]) == (True, "", False)


@pytest.mark.parametrize(
    ("tasks", "left"),
    [
        ([{"name": "Set", "node_state": {**ONE, "sysctls": {"a.b": "2"}}}], "a: Set"),
        (
            [{**APPLY_ONE, "name": "Set"}, {**INCLUDED, "vars": {"two_modules": "dummy"}}],
            "a: cni_two : node_state",
        ),
        ([{**IMPORTED, "vars": {"two_modules": "dummy"}}], "a: cni_two : node_state"),
        ([{"name": "Run", "ansible.builtin.command": {"cmd": "reboot"}, "run_once": True}], "a: Run"),
        ([{"node_state": {**ONE, "name": "{{ made_by_another_task }}"}}], "made_by_another_task"),
        ([{**APPLY_ONE, "loop": [1]}], "loop"),
        ([{"block": [APPLY_ONE], "rescue": [APPLY_ONE]}], "rescue"),
        ([{"ansible.builtin.include_tasks": "more.yml"}], "includes a file"),
    ],
    ids=["value", "included role", "imported role", "other module", "unknown", "loop", "rescue", "file"],
)
def test_what_differs_or_cannot_be_foreseen_is_left(tmp_path: Path, tasks: list[Any], left: str) -> None:
    answer = ask(tmp_path, tasks, {"a": [ONE, TWO]})
    assert not answer["nothing_left"]
    assert left in answer["left"]


def test_one_host_of_many_is_enough_and_is_named(tmp_path: Path) -> None:
    answer = ask(tmp_path, [{**APPLY_ONE, "name": "Set"}], {"a": [ONE], "b": []})
    assert answer["left"] == "b: Set"


def test_a_play_asks_its_own_hosts_alone(tmp_path: Path) -> None:
    assert ask(tmp_path, [APPLY_ONE], {"a": [ONE], "b": []}, hosts="a")["nothing_left"]
