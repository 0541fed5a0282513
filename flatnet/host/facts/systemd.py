"""What others have told systemd and containerd on a host: drop-ins, defaults, networks of their own."""

from __future__ import annotations

import os

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


def drop_ins(root: str = "/") -> dict[str, list[str]]:
    """Return service -> paths of the files that change it, each directory reached by one name alone."""
    found: dict[str, list[str]] = {}
    seen = set()
    for folder in UNIT_PATHS:
        place = os.path.realpath(os.path.join(root, folder))
        if place in seen:
            # /lib is /usr/lib on most distributions.
            continue
        seen.add(place)
        for name in _names(place):
            if name.endswith(".service.d"):
                paths = [os.path.join(place, name, file) for file in _names(os.path.join(place, name))]
                found.setdefault(name[:-2], []).extend(path for path in paths if path.endswith(".conf"))
    return {name: paths for name, paths in sorted(found.items()) if paths}


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
    """Return the paths of the CNI configurations; containerd takes the first by name."""
    folder = os.path.join(root, "etc/cni/net.d")
    return [os.path.join(folder, name) for name in _names(folder) if name.endswith(CNI_ENDINGS)]


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
