"""What others have told systemd and containerd on a host: drop-ins, defaults, networks of their own."""

from __future__ import annotations

import json
import os
from typing import Any

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
CNI_ENDINGS = (".conf", ".conflist", ".json")
# The slice that systemd runs it in, with either version of cgroups.
NETWORKD = (
    "sys/fs/cgroup/system.slice/systemd-networkd.service",
    "sys/fs/cgroup/systemd/system.slice/systemd-networkd.service",
)


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
        for name in _names(place):
            if name.endswith(".service.d"):
                for file in _names(os.path.join(place, name)):
                    path = os.path.join(place, name, file)
                    if file.endswith(".conf") and json.dumps(path) not in own:
                        found.setdefault(name[:-2], []).append({"path": path, "settings": _settings(path)})
    return dict(sorted(found.items()))


def _settings(path: str) -> list[str]:
    lines = [line.strip() for line in _text(path).splitlines()]
    return sorted({line.partition("=")[0].rstrip() for line in lines if "=" in line and line[0] not in "#;"})


def _recorded(root: str) -> str:
    """Return the records of what flatnet applied here; a path of its own is in them as JSON writes it."""
    folder = os.path.join(root, RECORDS)
    return "".join(_text(os.path.join(folder, name)) for name in _names(folder))


def default_environment(root: str = "/") -> list[str]:
    """Return the lines DefaultEnvironment= of the configuration of systemd, which every unit inherits."""
    paths = []
    for folder in MANAGER_PATHS:
        paths.append(os.path.join(root, folder, "system.conf"))
        inside = os.path.join(root, folder, "system.conf.d")
        paths += [os.path.join(inside, name) for name in _names(inside) if name.endswith(".conf")]
    lines = [line.strip() for path in paths for line in _text(path).splitlines()]
    return [line.partition("=")[2] for line in lines if line.startswith("DefaultEnvironment=")]


def cni_files(root: str = "/") -> list[str]:
    """Return the paths of others' CNI configurations; containerd takes the first of all by name."""
    own, folder = _recorded(root), os.path.join(root, "etc/cni/net.d")
    paths = [os.path.join(folder, name) for name in _names(folder) if name.endswith(CNI_ENDINGS)]
    return [path for path in paths if json.dumps(path) not in own]


def has_networkd(root: str = "/") -> bool:
    """Tell whether systemd-networkd runs, which removes routes that it did not make when it restarts."""
    return any(os.path.isdir(os.path.join(root, path)) for path in NETWORKD)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
