"""Load a file of Ansible's kind, which lies in no package, as a module."""

import importlib.util
from pathlib import Path
from types import ModuleType


def load_plugin(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
