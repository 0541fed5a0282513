"""Which files of variables nothing reads, since no group or host has their name, or they lie too deep."""

import re
from collections.abc import Iterable
from pathlib import Path

from flatnet.inventory.groups import meant_group

_GROUPS, _HOSTS = "group_vars", "host_vars"
# ansible-core, plugins/vars/host_group_vars.py, _valid_extensions.
_EXTENSIONS = (".yml", ".yaml", ".json")
# How far below a folder of inventories others are looked for.
_DEPTHS = ("*", "*/*")


def file_findings(sources: Iterable[str], groups: Iterable[str], hosts: Iterable[str]) -> list[str]:
    """Return a sentence for each file or folder of variables beside the sources that is meant to be read.

    A file for a group or host that is not there may well be another inventory's, or a former host's. One
    whose name differs from the right one by capitals and separators alone, or nearly is a group of the field,
    is not.
    """
    found = []
    known = {_GROUPS: frozenset(groups), _HOSTS: frozenset(hosts)}
    plain = {kind: {_plain(name): name for name in names} for kind, names in known.items()}
    paths = [Path(source) for source in sources if Path(source).exists()]
    for folder in sorted({path if path.is_dir() else path.parent for path in paths}):
        for kind, names in known.items():
            for path in _entries(folder / kind):
                name = path.stem if path.suffix in _EXTENSIONS else path.name
                if name in names:
                    continue
                meant = plain[kind].get(_plain(name)) or (meant_group(name) if kind == _GROUPS else "")
                if meant:
                    what = kind.removesuffix("_vars")
                    found.append(
                        f"{path} is read by nothing, as there is no {what} {name}; do you mean {meant}?"
                    )
    for folder in sorted({path for path in paths if path.is_dir()}):
        found += [
            f"{path} is read by nothing: variables are read from beside what -i names alone; move it to "
            f"{folder}, or give {path.parent} with -i as well"
            for depth in _DEPTHS
            for kind in known
            for path in sorted(folder.glob(f"{depth}/{kind}"))
            if _entries(path) and path.parent not in paths
        ]
    return found


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]", "", name).lower()
