"""Where the allocations, certificates and records of a cluster are kept: in one folder, whatever the run."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.plan.names import is_cluster_name, listed_names

SETTING = "cluster_state_directory"
REPORTS = "cluster_reports_directory"
# What tells that a folder is kept: the files in it that every run reads.
_KEPT = ("network_allocations.yml", "network_deployed.json")
_FIX = f"set {SETTING} to the folder that keeps the state of this cluster"


def state_directory(given: object, is_given: bool, folders: Sequence[tuple[str, Path | None]]) -> Path:
    """Return the absolute path of the folder; it need not exist.

    given: the value of the setting, if it `is_given`; `~` and environment variables are replaced, and a
    relative path is one beside the inventory. folders: each host of the cluster with the folder of the
    inventory file that defines it, or None where no file does.
    Raises FlatnetError where the folder cannot be told, since in any other one all nodes would be new.
    """
    if not is_given:
        return _beside(folders)
    if not isinstance(given, str) or not given.strip():
        raise FlatnetError(f"{SETTING} {given!r} names no folder; name one, or leave it out")
    path = Path(os.path.expandvars(given.strip())).expanduser()
    if not path.is_absolute():
        path = _beside(folders, f"{SETTING} {given!r} is relative") / path
    path = Path(os.path.normpath(path))
    if path == Path(path.anchor):
        raise FlatnetError(f"{SETTING} {given!r} is the root of the file system; {_FIX}")
    if path.exists() and not path.is_dir():
        raise FlatnetError(f"{SETTING} {given!r} is no folder; {_FIX}")
    return path


def reports_directory(given: str, state: Path, cluster: str) -> Path:
    """Return the absolute path of the folder for reports; it need not exist.

    given: the value of the setting, empty: in the state directory. The last part is the cluster's name, so
    that clusters with one folder do not overwrite each other's; a name that is none is refused elsewhere.
    """
    folder = state / Path(os.path.expandvars(given.strip() or "reports")).expanduser()
    return Path(os.path.normpath(folder)) / (cluster if is_cluster_name(cluster) else "cluster")


def _beside(folders: Sequence[tuple[str, Path | None]], reason: str = "") -> Path:
    """Return the one folder of the hosts' inventory files, or of several the one that keeps state already."""
    hosts: dict[Path, list[str]] = {}
    for host, folder in folders:
        if folder is not None:
            hosts.setdefault(folder, []).append(host)
    because = f"{reason}, and " if reason else ""
    if not hosts:
        raise FlatnetError(
            f"{because}no file defines the hosts, which the state could be kept beside; {_FIX}"
        )
    if len(hosts) == 1:
        return next(iter(hosts))
    kept = _keeping(hosts)
    if len(kept) == 1:
        return kept[0]
    listed = "; ".join(f"{listed_names(names, 3)} in {path}" for path, names in sorted(hosts.items()))
    why = f"{' and '.join(map(str, kept))} keep state" if kept else "none of them keeps state yet"
    raise FlatnetError(f"{because}the hosts are defined in several folders ({listed}), and {why}; {_FIX}")


def _keeping(folders: Collection[Path]) -> list[Path]:
    return sorted(folder for folder in folders if any((folder / name).exists() for name in _KEPT))
