"""What docs/backends.md tells somebody who adds a backend or an engine is so."""

import re
from pathlib import Path

import yaml
from documented_roles import PAGE, documented_files, write_documented_roles

from flatnet.contract import find_contracts

ROOT = Path(__file__).resolve().parents[2]
WIRING = yaml.safe_load((ROOT / "playbooks/vars/wiring.yml").read_text())


def test_the_contracts_of_the_page_are_sound(tmp_path: Path) -> None:
    write_documented_roles(tmp_path)
    found = find_contracts([tmp_path, ROOT / "roles"])
    assert found.backend("example").modes == ("default",)
    assert found.policy_engine("example").role == "policy_example"


def test_the_page_shows_the_files_that_every_backend_has() -> None:
    shown = {name.partition("/")[2] for name in documented_files() if name.startswith("cni_")}
    assert shown == {
        "defaults/main.yml",
        "meta/argument_specs.yml",
        "meta/contract.yml",
        "tasks/main.yml",
        "tasks/preflight.yml",
        "tasks/remove.yml",
    }
    for role in [*(ROOT / "roles").glob("cni_*"), *(ROOT / "tests/outside/roles").iterdir()]:
        assert [name for name in sorted(shown) if not (role / name).is_file()] == [], role


def test_the_page_removes_a_role_as_every_role_is_removed() -> None:
    shown = documented_files()["cni_example/tasks/remove.yml"]
    assert shown == (ROOT / "roles/cni_kubenet/tasks/remove.yml").read_text()


def test_the_page_names_every_input_that_is_handed_on() -> None:
    told = re.findall(r"They are:\n((?: *`\w+`,?\n?)+)", PAGE.read_text())
    assert [re.findall(r"`(\w+)`", one) for one in told] == [
        list(WIRING["cni_backend"]),
        list(WIRING["policy_engine"]),
    ]


def test_the_page_opens_with_the_choice() -> None:
    assert re.findall(r"^## (.*)$", PAGE.read_text(), re.MULTILINE)[0] == "Which one should I take?"
