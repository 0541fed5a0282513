"""flatnet.host as a whole: what its modules may need, and that those that a call needs are found."""

import ast
import sys
from pathlib import Path

import pytest

import flatnet.host
from flatnet.remote.program import needed_modules

HOME = Path(flatnet.host.__file__).parent
SOURCES = sorted(HOME.rglob("*.py"))
ENTRIES = sorted(f"flatnet.host.{path.parent.name}.serve" for path in HOME.glob("*/serve.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(HOME))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_host_needs_nothing_but_the_standard_library_of_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imported.add(node.module.split(".")[0])
    assert imported <= sys.stdlib_module_names


def resolved(name: str, is_package: bool, node: ast.ImportFrom) -> set[str]:
    """Return the modules of ours that an import statement of the module names."""
    above = name.split(".")[: len(name.split(".")) - node.level + is_package]
    base = ".".join([*above, *([node.module] if node.module else [])])
    places = {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {
        place for place in places if (HOME.parents[1] / Path(*place.split("."))).with_suffix(".py").is_file()
    }


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_call_brings_all_that_its_modules_import_and_nothing_else(entry: str) -> None:
    needed = needed_modules(entry)
    imported = {entry}
    for name, source in needed.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.level:
                is_package = HOME.parents[1].joinpath(*name.split(".")).is_dir()
                imported |= resolved(name, is_package, node)
    packages = {name for name in needed if HOME.parents[1].joinpath(*name.split(".")).is_dir()}
    assert needed.keys() - packages == imported
    assert packages == {
        name.rsplit(".", count)[0] for name in imported for count in range(1, name.count(".") + 1)
    }


def test_what_a_call_does_not_need_stays_here() -> None:
    facts, state = needed_modules("flatnet.host.facts.serve"), needed_modules("flatnet.host.state.serve")
    assert not [name for name in facts if ".state" in name]
    assert not [name for name in state if ".reset" in name or ".objects" in name or ".probe" in name]
