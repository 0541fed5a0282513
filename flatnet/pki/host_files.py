"""Certificates and keys as files of a host."""

from collections.abc import Mapping, Sequence
from typing import Any

from flatnet.errors import FlatnetError


def pki_files(names: Sequence[str] | Mapping[str, str], source: str, directory: str) -> list[dict[str, Any]]:
    """Return files of node_state that bring certificates and keys from the controller to a host.

    names: of files that have the same name in both directories, or name on the host -> name on the
    controller. source: directory on the controller; directory: that on the host, an absolute path. Private
    keys (`*.key`) are for root alone and never shown. Raises FlatnetError for a name that is a path, and for
    a host's directory that is not absolute.
    """
    pairs = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    for name in (*pairs, *pairs.values()):
        if not name or "/" in name:
            raise FlatnetError(f"pki_files: {name!r} is not a file name; give names without a directory")
    if not directory.startswith("/"):
        raise FlatnetError(f"pki_files: the host's directory {directory!r} is not an absolute path")
    return [
        {
            "path": f"{directory}/{name}",
            "source": f"{source}/{origin}",
            **({"mode": "0600", "sensitive": True} if name.endswith(".key") else {"mode": "0644"}),
        }
        for name, origin in pairs.items()
    ]
