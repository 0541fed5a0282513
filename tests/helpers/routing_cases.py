"""An entry of `ip rule`, as the facts of a host have it."""

from typing import Any


def rule(priority: int, table: str = "101", **values: object) -> dict[str, Any]:
    """Return a rule that takes all packets but for what is given."""
    base = dict.fromkeys(("source", "destination", "mark", "input", "output", "action"), "")
    return {
        "family": "ipv4",
        "priority": priority,
        "table": table,
        "inverted": False,
        "picky": False,
        "suppressed": -1,
        **base,
        **values,
    }
