"""A desired state as it was asked for, with digests in place of contents: what a record can be held against.

The controller makes it of what it would send, the host keeps it of what it applied.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

# Of these the order is that in which they are set, at boot as well; that of the others means nothing.
_IN_ORDER = ("routes", "nftables")
_KEYS = {
    "directories": "path",
    "files": "path",
    "links": "path",
    "units": "name",
}
_LISTS = (*_KEYS, "absent", "kernel_modules", *_IN_ORDER)

Asked = dict[str, Any]


def asked_for(wire: dict[str, Any]) -> Asked:
    """Return a state as it travels, without contents of files, and with equal states being equal."""
    asked: Asked = {"name": wire["name"], "present": wire["present"], "sysctls": wire["sysctls"]}
    asked.update({name: wire[name] for name in _IN_ORDER})
    asked.update({name: sorted(wire[name]) for name in ("absent", "kernel_modules")})
    for name, key in _KEYS.items():
        asked[name] = sorted(wire[name], key=lambda entry: str(entry[key]))
    asked["files"] = [_without_content(entry) for entry in asked["files"]]
    # What was put right by a restart is no part of the state.
    asked["units"] = [
        {**unit, "restart_on": sorted(unit["restart_on"]), "restart_reasons": []} for unit in asked["units"]
    ]
    return asked


def is_empty(asked: Asked) -> bool:
    """Tell whether nothing is wanted, not even that something is absent."""
    return not asked["sysctls"] and not any(asked[name] for name in _LISTS)


def digest(asked: Asked) -> str:
    """Return the sha256 of it."""
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_content(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key not in ("text", "base64")}
    if "text" in entry:
        kept["sha256"] = hashlib.sha256(entry["text"].encode()).hexdigest()
    elif "base64" in entry:
        kept["sha256"] = hashlib.sha256(base64.b64decode(entry["base64"])).hexdigest()
    return kept
