"""Workers inherit the Jinja plugins from the process that forks them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILTERS = """
import os, pathlib
with pathlib.Path({record!r}).open("a") as stream:
    stream.write(f"{{os.getpid()}}\\n")
class FilterModule:
    def filters(self):
        return {{"example_filter": str}}
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks: [{debug: {msg: "{{ 1 | example_filter }}"}}, {debug: {msg: "{{ 2 | example_filter }}"}}]
"""


@pytest.mark.parametrize(("callbacks", "processes"), [("plugins_loaded", 1), ("run_cost", 4)])
def test_a_file_of_filters_is_read_once_and_not_by_every_worker(
    tmp_path: Path, callbacks: str, processes: int
) -> None:
    record = tmp_path / "processes"
    (tmp_path / "filter_plugins").mkdir()
    (tmp_path / "filter_plugins/example.py").write_text(FILTERS.format(record=str(record)))
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "a,b", "playbook.yml"],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "playbooks/callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": callbacks,
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
        },
        capture_output=True,
        check=True,
    )
    assert len(record.read_text().splitlines()) == processes
