"""The role accepts what the catalog has, and its files agree with each other."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flatnet.programs.catalog import ARCHITECTURES, SOURCES, load_catalog

ROLE = Path(__file__).parents[2] / "roles/node_programs"


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


def test_the_choices_of_the_role_are_those_of_the_catalog(options: dict[str, Any]) -> None:
    assert options["node_programs_images"]["choices"] == sorted(load_catalog().images)
    assert options["node_programs_source"]["choices"] == list(SOURCES)
    assert options["node_programs_architecture"]["choices"] == list(ARCHITECTURES)


def test_every_input_has_the_same_default_in_both_files(options: dict[str, Any]) -> None:
    assert {name: option["default"] for name, option in options.items()} == mapping("defaults/main.yml")


def test_the_look_up_before_the_first_change_asks_for_the_same_as_the_role() -> None:
    look_up = tasks("main.yml")[0]["program_catalog"]
    early = tasks("preflight.yml")[0]["program_catalog"]
    assert {**early, "download": look_up["download"]} == {**look_up, "missing": "report"}


def test_a_host_is_reached_once() -> None:
    local = {"program_catalog", "ansible.builtin.set_fact"}
    actions = [next(key for key in task if key not in ("name", "register")) for task in tasks("main.yml")]
    assert [action for action in actions if action not in local] == ["node_state"]
