"""How a move of the node's own interface under the pods' bridge ended, from what the host answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flatnet.errors import FlatnetError

# To bring everything back, and to be reached again: a switch may have to learn where the host is.
_GRACE_SECONDS = 60
_JOURNAL = "`journalctl -u 'flatnet-l2-bridge*'`"
_AT_BOOT = "at boot it has what its own network configuration says"


@dataclass(frozen=True)
class Attempt:
    """A move. title: the host as messages name it; rollback_seconds: after which the host takes it back."""

    title: str
    uplink: str
    bridge: str
    rollback_seconds: int


def outcome(attempt: Attempt, answer: Mapping[str, Any], said: str, seconds: float) -> bool:
    """Tell whether the host agreed that all is moved; False while that may still come.

    answer: with its phase, `unreachable` where there was none; said: why there was none the last time it was
    so; seconds: since the move began. Raises FlatnetError, with the fix, where it ended otherwise.
    """
    phase = answer.get("phase", "begun")
    if phase == "moved":
        return True
    where = f"{attempt.title}: the node's address was to move from {attempt.uplink} to {attempt.bridge}"
    heard = f" The last that was heard: {said.rstrip('.')}." if said else ""
    if phase == "refused":
        raise FlatnetError(f"{where}, and nothing was changed: {answer['reason']}")
    if phase == "rolled back":
        raise FlatnetError(
            f"{where}, and is back, with all of {attempt.uplink} as it was: {answer['reason']}.{heard} Fix: "
            f"{_fix(attempt, said)}; then run again"
        )
    if phase == "failed":
        raise FlatnetError(
            f"{where}, and could not be brought back whole: {'; '.join(answer['left'])} "
            f"({answer['reason']}). Fix: see {_JOURNAL} there and set what is missing by hand, or boot the "
            f"host: {_AT_BOOT}"
        )
    if seconds < attempt.rollback_seconds + _GRACE_SECONDS:
        return False
    if phase == "unreachable":
        raise FlatnetError(
            f"{where}, and does not answer, though its time to take that back is over.{heard} Fix: see "
            f"on its console what `ip address` and {_JOURNAL} say; {_AT_BOOT}"
        )
    raise FlatnetError(
        f"{where}, and has not told how that ended after {seconds:.0f} seconds.{heard} Fix: see {_JOURNAL} "
        "there, and run again"
    )


def _fix(attempt: Attempt, said: str) -> str:
    if not said:
        return "mend what the reason names"
    return (
        f"look for what lets no packet in or out by {attempt.bridge}, such as packet filter rules that name "
        f"{attempt.uplink} (`nft list ruleset`), or a switch that lets one hardware address pass each port; "
        f"or give the way back longer than {attempt.rollback_seconds} s in cni_l2_bridge_rollback_seconds"
    )
