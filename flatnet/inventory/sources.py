"""Which inventory sources were not read, or not as a whole."""

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

# Ansible's own default, which need not exist: ansible-core, inventory/manager.py, parse_source.
_DEFAULT = "/etc/ansible/hosts"
# What is kept beside an inventory and is none; ansible.cfg says so too, for those who use it.
OURS = frozenset(
    {"network_allocations.yml", "network_deployed.json", "network_switch.json", "pki", "reports"}
)
# How Ansible's warnings begin that tell that it left something of an inventory out: ansible-core,
# plugins/inventory/yaml.py and toml.py, inventory/data.py, _internal/_yaml/_constructor.py.
_LEFT_OUT = (
    "Skipping unexpected key (",
    "Skipping key (",
    "Skipping '",
    "Found duplicate mapping key ",
    "Found both group and host with same name",
)
_WARNING = "[WARNING]: "
# Of a warning's lines: what is wrong, and where.
_PLACE = "Origin: "


def source_findings(
    sources: Iterable[str],
    read: Collection[str | None],
    is_ignored: Callable[[str], bool],
    warnings: Iterable[str],
) -> list[str]:
    """Return a sentence for each source, or part of one, that Ansible did not understand.

    sources: files, folders and lists of hosts, as given with -i. read: what Ansible could parse.
    is_ignored: tells of a file's name whether Ansible passes it over in a folder. warnings: what Ansible has
    warned of.
    """
    found = [
        f"{path} is no inventory that Ansible can read, which says why above; put it right, or take it away"
        if Path(path).exists()
        else f"there is no inventory {path}; name one that exists"
        for source in sources
        for path in _unread(source, frozenset(read), is_ignored)
    ]
    # What Ansible then warns of is theirs.
    ours = sorted(path for path in read if path and Path(path).name in OURS)
    found += [
        f"{path} is no inventory and was read as one; have ansible.cfg ignore it, as flatnet's does with "
        "ignore_patterns, or give the files of the inventory in place of their folder"
        for path in ours
    ]
    left_out = [] if ours else _left_out(warnings)
    return found + [f"a part of the inventory was left out: {text}" for text in left_out]


def _unread(source: str, read: frozenset[str | None], is_ignored: Callable[[str], bool]) -> list[str]:
    """Return the files of a source that were not read; a folder is read as Ansible reads it, in depth."""
    if Path(source).is_dir():
        return [
            path
            for entry in sorted(Path(source).iterdir())
            if not is_ignored(entry.name) and entry.name not in OURS
            for path in _unread(str(entry), read, is_ignored)
        ]
    if "," not in source:
        # Under which name Ansible reads it; to follow links, as Path does, would give another one.
        source = os.path.abspath(source)  # noqa: PTH100
    if source in read or (source == _DEFAULT and not Path(source).exists()):
        return []
    return [source]


def _left_out(warnings: Iterable[str]) -> list[str]:
    """Return what those warnings say that speak of something left out, and where it stands."""
    found = []
    for warning in warnings:
        first, *others = warning.removeprefix(_WARNING).splitlines() or [""]
        if first.startswith(_LEFT_OUT):
            place = [line.removeprefix(_PLACE) for line in others if line.startswith(_PLACE)]
            found.append(" ".join([first.rstrip("."), *(f"({where})" for where in place[:1])]))
    return sorted(found)
