"""The role accepts what the catalog has, and its files agree with each other."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from plugin_loader import load_plugin

from flatnet.errors import FlatnetError
from flatnet.programs.catalog import ARCHITECTURES, SOURCES

ROLE = Path(__file__).parents[3] / "roles/node_programs"


def mapping(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROLE / name).read_text())
    return content


def tasks(name: str) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = yaml.safe_load((ROLE / "tasks" / name).read_text())
    return content


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    options: dict[str, Any] = mapping("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return options


@pytest.fixture(scope="module", name="program_catalog")
def load_action() -> ModuleType:
    return load_plugin(ROLE / "action_plugins/program_catalog.py")


def test_the_choices_of_the_role_are_those_of_the_catalog(options: dict[str, Any]) -> None:
    assert options["node_programs_source"]["choices"] == list(SOURCES)
    assert options["node_programs_architecture"]["choices"] == list(ARCHITECTURES)


def test_every_input_has_the_same_default_in_both_files(options: dict[str, Any]) -> None:
    assert {name: option["default"] for name, option in options.items()} == mapping("defaults/main.yml")


def test_what_is_read_of_every_host_is_what_the_role_takes(
    options: dict[str, Any], program_catalog: ModuleType
) -> None:
    inputs = {name.removeprefix("node_programs_"): option for name, option in options.items()}
    del inputs["download_enabled"]
    assert {name: option["default"] for name, option in inputs.items()} == {
        name: option["default"] for name, option in program_catalog.INPUTS.items()
    }
    assert tasks("look_up.yml")[0]["program_catalog"]["inputs"] == {
        name: f"{{{{ node_programs_{name} }}}}" for name in inputs
    }


def test_programs_are_looked_up_once_and_a_host_is_reached_once() -> None:
    (look_up,), (transfer,) = tasks("look_up.yml"), tasks("transfer.yml")
    assert look_up["run_once"] is True
    assert "node_state" in transfer
    parts = [task["ansible.builtin.import_tasks"] for task in tasks("main.yml")]
    assert parts == ["look_up.yml", "transfer.yml"]


def test_a_host_asks_for_what_its_variables_say_and_else_for_the_defaults(
    program_catalog: ModuleType,
) -> None:
    asked = program_catalog.request("a", {"node_programs_names": ["etcd"], "colour": "red"})
    assert asked == {
        "names": ["etcd"],
        "images": [],
        "files": [],
        "source": "release",
        "exceptions": {},
        "directory": "",
        "releases": "",
        "architecture": "amd64",
    }


def test_a_wrong_input_is_told_with_its_host(program_catalog: ModuleType) -> None:
    with pytest.raises(FlatnetError) as refused:
        program_catalog.request("node-7", {"node_programs_architecture": "s390x"})
    assert str(refused.value) == (
        "host node-7: node_programs inputs: value of architecture must be one of: amd64, arm64, got: s390x; "
        "see ansible-doc -t role node_programs"
    )


def test_inputs_that_only_the_play_has_are_refused(program_catalog: ModuleType) -> None:
    seen, own = (program_catalog.request("a", {"node_programs_names": names}) for names in ([], ["etcd"]))
    program_catalog.check_scope("a", own, own)
    program_catalog.check_scope("a", None, own)
    with pytest.raises(FlatnetError) as refused:
        program_catalog.check_scope("a", seen, own)
    assert str(refused.value) == (
        "host a: node_programs_names is set for the play or the role alone; "
        "set it in the inventory, or with include_vars"
    )
