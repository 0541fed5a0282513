import configparser
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from flatnet.contract import find_contracts

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in (ROOT / "roles").glob("*/tasks/main.yml"))
NAMES = [role.name for role in ROLES]
SAME_FILES = ["README.md", "defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml"]

by_name = pytest.mark.parametrize("role", ROLES, ids=NAMES)


@cache
def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    return content


def options(role: Path) -> dict[str, dict[str, Any]]:
    specification = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]
    found: dict[str, dict[str, Any]] = specification.get("options", {})
    return found


@by_name
def test_a_role_has_the_same_files_as_every_other(role: Path) -> None:
    assert [name for name in SAME_FILES if not (role / name).is_file()] == []


@by_name
def test_a_role_names_itself_in_its_metadata(role: Path) -> None:
    information = load(role / "meta/main.yml")["galaxy_info"]
    assert information["role_name"] == role.name
    assert information["description"]


@by_name
def test_every_default_is_specified(role: Path) -> None:
    assert sorted(set(load(role / "defaults/main.yml")) - set(options(role))) == []


@by_name
def test_every_input_has_a_default_or_is_required_or_optional_by_its_words(role: Path) -> None:
    defaults = load(role / "defaults/main.yml")
    loose = [
        name
        for name, option in options(role).items()
        if name not in defaults and not option.get("required") and "default" in option
    ]
    assert loose == []


@by_name
def test_specification_and_defaults_agree(role: Path) -> None:
    defaults = load(role / "defaults/main.yml")
    differing = {
        name: (option["default"], defaults[name])
        for name, option in options(role).items()
        if "default" in option and "{{" not in str(defaults[name]) and option["default"] != defaults[name]
    }
    assert differing == {}


@by_name
def test_every_input_is_described_and_typed(role: Path) -> None:
    assert [
        name
        for name, option in options(role).items()
        if not (option.get("description") and option.get("type"))
    ] == []


def test_every_role_with_a_contract_is_removed_in_the_same_way() -> None:
    tasks = {path.parent.parent.name: path for path in (ROOT / "roles").glob("*/meta/contract.yml")}
    contents = {(ROOT / "roles" / name / "tasks/remove.yml").read_text() for name in tasks}
    assert tasks
    assert len(contents) == 1


def test_every_role_is_given_the_credentials_of_the_api_in_the_same_way() -> None:
    described = {
        name: option
        for role in ROLES
        for name, option in options(role).items()
        if name.endswith("_api_credentials")
    }
    assert len(described) > 1
    first = next(iter(described.values()))
    assert {name for name, option in described.items() if option != first} == set()


@by_name
def test_variables_carry_the_name_of_their_role(role: Path) -> None:
    public = set(load(role / "defaults/main.yml")) | set(options(role))
    internal = {name for path in (role / "vars").glob("main.yml") for name in load(path)}
    assert [name for name in public if not name.startswith(f"{role.name}_")] == []
    assert [name for name in internal if not name.startswith(f"__{role.name}_")] == []


@by_name
def test_a_role_reads_no_variable_of_another(role: Path) -> None:
    inputs = {name: other.name for other in ROLES if other != role for name in options(other)}
    texts = [
        path.read_text()
        for folder in ("tasks", "defaults", "vars", "templates", "handlers")
        for path in (role / folder).rglob("*")
        if path.is_file()
    ]
    used = {word for text in texts for word in re.findall(r"\b[a-z_0-9]+\b", text)}
    assert {name: inputs[name] for name in sorted(used & set(inputs))} == {}


@by_name
def test_task_names_are_imperative_sentences_without_a_full_stop(role: Path) -> None:
    tasks = [task for path in (role / "tasks").glob("*.yml") for task in yaml.safe_load(path.read_text())]
    names = [task.get("name", "") for task in tasks]
    assert [name for name in names if not re.fullmatch(r"[A-Z][^.]*[^.\s]", name)] == []


def test_every_plugin_folder_of_a_role_is_named_in_the_configuration() -> None:
    configuration = configparser.ConfigParser()
    configuration.read(ROOT / "ansible.cfg")
    named = {
        entry
        for key in ("library", "action_plugins", "callback_plugins", "filter_plugins")
        for entry in configuration["defaults"][key].split(":")
    }
    present = {
        str(path.relative_to(ROOT))
        for kind in ("library", "action_plugins")
        for path in (ROOT / "roles").glob(f"*/{kind}")
    }
    assert present - named == set()
    assert {entry for entry in named if not (ROOT / entry).is_dir()} == set()


def test_drop_ins_are_looked_for_of_every_unit_that_roles_run() -> None:
    known = load(ROOT / "roles/host_preflight/defaults/main.yml")["host_preflight_units"]
    components = find_contracts([ROOT / "roles"]).components.values()
    assert known == sorted({unit for component in components for unit in component.in_mode().units})
