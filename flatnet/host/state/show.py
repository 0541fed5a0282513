"""What --diff shows, and what it must not."""

from __future__ import annotations

import os
import stat
from typing import Any

from .host import Host
from .plan import Change
from .wanted import WantedFile

SHOWN_SIZE = 64 * 1024


def content_diff(
    host: Host, wanted: WantedFile, found: os.stat_result | None, hidden: bool
) -> dict[str, Any]:
    """Return one entry of Ansible's diff list: both texts; a line if they are secret, large or binary."""
    if hidden:
        return {"prepared": f"{wanted.kind} {wanted.path}: content differs (sensitive, not shown)\n"}
    after = _text(wanted.data)
    before: str | None = ""
    if found is not None and stat.S_ISREG(found.st_mode):
        before = _text(host.read(wanted.path)) if found.st_size <= SHOWN_SIZE else None
    elif found is not None and stat.S_ISLNK(found.st_mode):
        before = f"(link to {host.target(wanted.path)})\n"
    if before is None or after is None:
        line = (
            f"{wanted.kind} {wanted.path}: content differs (too long, or no text), wanted {wanted.sha256}\n"
        )
        return {"prepared": line}
    return {"before_header": wanted.path, "after_header": wanted.path, "before": before, "after": after}


def change_lines(changes: list[Change]) -> dict[str, Any]:
    """Return one entry of Ansible's diff list, a line for each change: modes, values, routes, restarts."""
    return {"prepared": "".join(f"{change}\n" for change in changes)}


def _text(data: bytes | None) -> str | None:
    if data is None or len(data) > SHOWN_SIZE or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
