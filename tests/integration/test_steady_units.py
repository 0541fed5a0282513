"""A daemon that ends again and again on a real host is named with its own last words, and nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from host_shell import on_host
from playbook import ROOT, Answer, run_playbook

from tests.container_hosts import hosts, state
from tests.container_hosts.spec import make_cluster

PREFIX = "flatnet-up"
ADDRESS = "10.211.22.11"
on_node = partial(on_host, PREFIX, "node-1")
UNIT = """\
[Service]
ExecStart=/bin/sh -c '{script}'
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""
# It runs well past the moment in which a start is judged.
CRASHES = "sleep 1; echo no certificate in /etc/example; echo giving up >&2; exit 3"
# As one that waits for another daemon, and ends where that does not answer yet.
COMES_UP = "test -e /run/came || {{ touch /run/came; sleep 1; exit 1; }}; exec sleep infinity"
STAYS = "exec sleep infinity"


@pytest.fixture(scope="module", autouse=True)
def _host() -> Iterator[None]:
    hosts.create(make_cluster(PREFIX, ["10.211.22.0/24"], {"node-1": [ADDRESS]}), lambda _: None)
    yield
    hosts.destroy(PREFIX)


def start(folder: Path, **scripts: str) -> Answer:
    """Start units of these names and look at them later, as a provision does."""
    units = [
        {"name": f"{name}.service", "content": UNIT.format(script=script.format()), "state": "started"}
        for name, script in scripts.items()
    ]
    tasks = [
        {"node_state": {"name": "example", "units": units}},
        {"ansible.builtin.pause": {"seconds": 3}},
        {"steady_units": None},
    ]
    play = folder / "start.yml"
    play.write_text(yaml.safe_dump([{"hosts": "node-1", "gather_facts": False, "tasks": tasks}]))
    inventory = folder / "hosts.yml"
    reached = {
        "ansible_host": ADDRESS,
        "ansible_user": "root",
        "ansible_ssh_common_args": f"-F {state.state_directory(PREFIX) / 'ssh_config'}",
        "ansible_control_path_dir": str(folder / "c"),
    }
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"node-1": reached}}}))
    return run_playbook(os.path.relpath(play, ROOT / "playbooks"), inventory)


def test_one_that_ends_again_and_again_is_named_with_its_last_words(tmp_path: Path) -> None:
    answer = start(tmp_path, stays=STAYS, crashes=CRASHES)
    assert answer.code == 2, answer
    assert "unit crashes.service does not stay up: systemd has started it again" in answer.message
    assert "no certificate in /etc/example" in answer.message
    assert "giving up" in answer.message
    assert "stays.service" not in answer.message
    # It is as it was started: what is wrong with it is to be seen on the host.
    assert "crashes.service" in on_node("systemctl list-units --all --plain crashes.service")


def test_one_that_comes_up_at_the_second_try_is_well(tmp_path: Path) -> None:
    answer = start(tmp_path, stays=STAYS, comes=COMES_UP)
    assert answer.code == 0, answer
    assert on_node("systemctl show --value --property=NRestarts comes.service").strip() == "1"
    # What is not wanted any more is gone, and looked at by nobody.
    assert "loaded" not in on_node("systemctl list-units --all --plain --no-legend crashes.service || true")
