import ast
import sys
from pathlib import Path
from types import ModuleType

import ansible.module_utils
import pytest
import yaml
from plugin_loader import load_plugin

ROOT = Path(__file__).parents[4]
PACKAGE = ROOT / "roles" / "node_state" / "module_utils" / "flatnet_objects"
ROLE = ROOT / "roles" / "cluster_objects"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """Load the module the way Ansible's loader finds its utilities."""
    ansible.module_utils.__path__ = [*ansible.module_utils.__path__, str(PACKAGE.parent)]
    path = ROLE / "library" / "cluster_objects.py"
    return load_plugin(path)


def test_the_documentation_describes_the_options_as_they_are(module: ModuleType) -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert documented.keys() == module.ARGUMENTS.keys()
    for name, option in module.ARGUMENTS.items():
        for key in ("type", "required", "default", "elements", "choices"):
            assert documented[name].get(key) == option.get(key), (name, key)
        suboptions = documented[name].get("suboptions", {})
        assert suboptions.keys() == option.get("options", {}).keys()
        for inner, suboption in option.get("options", {}).items():
            for key in ("type", "required", "default", "elements"):
                assert suboptions[inner].get(key) == suboption.get(key), (name, inner, key)
    assert set(yaml.safe_load(module.RETURN)) == {"changes", "objects", "pods"}
    for task in yaml.safe_load(module.EXAMPLES):
        assert task["cluster_objects"].keys() < documented.keys()


def test_the_role_has_a_default_for_every_input_that_is_not_required() -> None:
    specification = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())
    options = specification["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert defaults == {name: option["default"] for name, option in options.items() if "default" in option}
    assert {
        name for name, option in options.items() if option.get("required")
    } == options.keys() - defaults.keys()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_a_host_needs_nothing_but_the_standard_library_of_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {
        str(node.module).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 0
    }
    assert imported <= sys.stdlib_module_names
