"""The host's half of network_probe."""

from __future__ import annotations

from typing import Any

from .checks import run
from .host import evidence_of
from .state import state_of


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the results of the checks, and the host's evidence where one of them failed.

    request: checks, limits (the other arguments of checks.run), units whose states are evidence.
    """
    checks = request["checks"]
    results = run(checks, **request["limits"])
    wrong = {result["id"] for result in results if not result["ok"]}
    failed = [check for check in checks if check["id"] in wrong]
    evidence = {**evidence_of(failed), **state_of(request["units"])} if failed else {}
    return {"changed": False, "results": results, "evidence": evidence}
