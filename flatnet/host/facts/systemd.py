"""What others have told systemd and containerd on a host, and what of theirs lies where ours is to be."""

from __future__ import annotations

import json
import os
from typing import Any

from .local import names_in, read

# In the order in which systemd heeds them (systemd.unit(5), "Unit File Load Path").
UNIT_PATHS = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
# systemd-system.conf(5): the file, and drop-ins beside it.
MANAGER_PATHS = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd")
CNI_NETWORK = "flatnet"
CNI_ENDINGS = (".conf", ".conflist", ".json")
# What a file system that is mounted for the data has from its making (mke2fs(8)).
OF_FILE_SYSTEM = frozenset({"lost+found"})
# Where it stands what flatnet itself has put on the host.
RECORDS = "var/lib/flatnet/state"


def drop_ins(root: str = "/") -> dict[str, list[dict[str, Any]]]:
    """Return service -> {path, settings: their names} of the files with which others change it."""
    found: dict[str, list[dict[str, Any]]] = {}
    own, seen = _recorded(root), set()
    for folder in UNIT_PATHS:
        place = os.path.realpath(os.path.join(root, folder))
        if place in seen:
            # /lib is /usr/lib on most distributions.
            continue
        seen.add(place)
        for name in names_in(place):
            if name.endswith(".service.d"):
                for file in names_in(os.path.join(place, name)):
                    path = os.path.join(place, name, file)
                    if file.endswith(".conf") and json.dumps(path) not in own:
                        found.setdefault(name[:-2], []).append({"path": path, "settings": _settings(path)})
    return dict(sorted(found.items()))


def _settings(path: str) -> list[str]:
    lines = [line.strip() for line in read(path).splitlines()]
    return sorted({line.partition("=")[0].rstrip() for line in lines if "=" in line and line[0] not in "#;"})


def _recorded(root: str) -> str:
    """Return the records of what flatnet applied here; a path of its own is in them as JSON writes it."""
    folder = os.path.join(root, RECORDS)
    return "".join(read(os.path.join(folder, name)) for name in names_in(folder))


def default_environment(root: str = "/") -> list[str]:
    """Return the lines DefaultEnvironment= of the configuration of systemd, which every unit inherits."""
    paths = []
    for folder in MANAGER_PATHS:
        paths.append(os.path.join(root, folder, "system.conf"))
        inside = os.path.join(root, folder, "system.conf.d")
        paths += [os.path.join(inside, name) for name in names_in(inside) if name.endswith(".conf")]
    lines = [line.strip() for path in paths for line in read(path).splitlines()]
    return [line.partition("=")[2] for line in lines if line.startswith("DefaultEnvironment=")]


def cni_files(root: str = "/") -> list[str]:
    """Return the paths of others' CNI configurations; containerd takes the first of all by name.

    One that names flatnet's network or its file hands pods on to it, as Multus does, and is left out.
    """
    own, folder = _recorded(root), os.path.join(root, "etc/cni/net.d")
    paths = [os.path.join(folder, name) for name in names_in(folder) if name.endswith(CNI_ENDINGS)]
    return [path for path in paths if json.dumps(path) not in own and CNI_NETWORK not in read(path)]


def unrecorded_data(directories: list[str], root: str = "/") -> list[str]:
    """Return those of the directories that have something in them, and that flatnet has not made here."""
    own = _recorded(root)
    return [
        path
        for path in directories
        if set(names_in(os.path.join(root, path.lstrip("/")))) - OF_FILE_SYSTEM
        and json.dumps(path) not in own
    ]
