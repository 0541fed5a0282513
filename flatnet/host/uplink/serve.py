"""The host's half of l2_uplink: begins a move that outlives this call, and agrees to it in another one."""

from __future__ import annotations

import json
from typing import Any

from ..state.host import Host, Ran

UNIT = "flatnet-l2-bridge-try"
# Until then the answer is on its way. The way is about to change.
DELAY_SECONDS = 1


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return how far the move is: phase, and reason and left where it was taken back.

    request: begin (bool: whether to start, else to agree to what was started), program and file, which says
    what to move, and token, which tells this attempt from those before.
    """
    return answer_on(Host(), request)


def answer_on(host: Host, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a host."""
    words = [request["program"], "try" if request["begin"] else "confirm", request["file"], request["token"]]
    if request["begin"]:
        timer = [f"--on-active={DELAY_SECONDS}", "--timer-property=AccuracySec=100ms", f"--unit={UNIT}"]
        ran = host.run(["systemd-run", *timer, "--collect", "--quiet", *words])
        return _failure(ran) if ran.status else {"phase": "begun"}
    ran = host.run(words)
    if ran.status:
        return _failure(ran)
    shown: dict[str, Any] = json.loads(
        host.run([request["program"], "look", request["file"]], changes=False).output
    )
    return shown if shown.get("token") == request["token"] else {"phase": "begun"}


def _failure(ran: Ran) -> dict[str, Any]:
    return {"failed": True, "msg": ran.complaint}
