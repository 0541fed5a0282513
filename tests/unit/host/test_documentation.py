"""What `ansible-doc` says of the actions that call hosts."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from plugin_loader import load_plugin

ROLES = Path(__file__).parents[3] / "roles"


@pytest.mark.parametrize("name", ["cluster_objects", "node_reset"])
def test_the_documentation_describes_the_options_as_they_are(name: str) -> None:
    documentation = load_plugin(ROLES / name / "library" / f"{name}.py")
    arguments: dict[str, Any] = load_plugin(ROLES / name / "action_plugins" / f"{name}.py").ARGUMENTS
    documented = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    assert documented.keys() == arguments.keys()
    for option, argument in arguments.items():
        for key in ("type", "required", "default", "elements", "choices"):
            assert documented[option].get(key) == argument.get(key), (option, key)
        suboptions = documented[option].get("suboptions", {})
        assert suboptions.keys() == argument.get("options", {}).keys()
        for inner, suboption in argument.get("options", {}).items():
            for key in ("type", "required", "default", "elements"):
                assert suboptions[inner].get(key) == suboption.get(key), (option, inner, key)
    assert {"changes"} <= set(yaml.safe_load(documentation.RETURN))
    for task in yaml.safe_load(documentation.EXAMPLES):
        assert task[name].keys() < documented.keys()


def test_the_documentation_of_the_probe_names_what_its_action_takes() -> None:
    documentation = load_plugin(ROLES / "network_check" / "library" / "network_probe.py")
    action = load_plugin(ROLES / "network_check" / "action_plugins" / "network_probe.py").ActionModule
    assert yaml.safe_load(documentation.DOCUMENTATION)["options"].keys() == action._VALID_ARGS


def test_the_role_has_a_default_for_every_input_that_is_not_required() -> None:
    role = ROLES / "cluster_objects"
    specification = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    options = specification["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}
    assert {
        name for name, option in options.items() if option.get("required")
    } == options.keys() - defaults.keys()
