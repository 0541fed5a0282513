"""What renders templates of roles as Ansible does."""

from functools import cache
from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader

_FILTERS = Path(__file__).resolve().parents[2] / "filter_plugins"


@cache
def _begin() -> None:
    init_plugin_loader()


@cache
def loader(role: Path | None = None) -> DataLoader:
    """Return the loader, with the project's filters and those of a role where one is named."""
    _begin()
    for folder in (_FILTERS, role / "filter_plugins") if role else ():
        filter_loader.add_directory(str(folder))
    return DataLoader()
