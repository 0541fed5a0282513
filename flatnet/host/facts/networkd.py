"""Whether systemd-networkd runs on a host, and which links it is told to take (systemd.network(5))."""

from __future__ import annotations

import os
from typing import Any

from .local import names_in, read

# The slice that systemd runs it in, with either version of cgroups.
NETWORKD = (
    "sys/fs/cgroup/system.slice/systemd-networkd.service",
    "sys/fs/cgroup/systemd/system.slice/systemd-networkd.service",
)
# A file takes the place of one of the same name in a later folder.
FOLDERS = (
    "etc/systemd/network",
    "run/systemd/network",
    "usr/local/lib/systemd/network",
    "usr/lib/systemd/network",
    "lib/systemd/network",
)


def has_networkd(root: str = "/") -> bool:
    """Tell whether systemd-networkd runs, which removes routes that it did not make when it restarts."""
    return any(os.path.isdir(os.path.join(root, path)) for path in NETWORKD)


def network_files(root: str = "/") -> list[dict[str, Any]]:
    """Return {path, match, unmanaged} of each file *.network that counts, in the order in which they do.

    match: key -> words of the section Match; a link is the first file's that it fits. A file without the
    section is none.
    """
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for name in names_in(os.path.join(root, folder)):
            if name.endswith(".network"):
                found.setdefault(name, os.path.join(root, folder, name))
    files = []
    for _, path in sorted(found.items()):
        sections = parse(read(path))
        unmanaged = sections.get("Link", {}).get("Unmanaged", [""])[-1].lower()
        if sections.get("Match"):
            files.append(
                {
                    "path": path,
                    "match": sections["Match"],
                    "unmanaged": unmanaged in ("1", "yes", "y", "true", "t", "on"),
                }
            )
    return files


def parse(text: str) -> dict[str, dict[str, list[str]]]:
    """Return section -> key -> words of a file of systemd; an empty value takes back those before it."""
    sections: dict[str, dict[str, list[str]]] = {}
    here: dict[str, list[str]] = {}
    for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
        if line.startswith("["):
            here = sections.setdefault(line.strip("[]"), {})
        elif "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            words = value.split()
            here[key.rstrip()] = here.get(key.rstrip(), []) + words if words else []
    return sections
