"""How long connections failed, out of attempts at regular times."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Attempt(NamedTuple):
    """One connection: when it began, in seconds of a monotonic clock, and whether it was answered."""

    at: float
    answered: bool


def interruption(attempts: Sequence[Attempt]) -> float | None:
    """Return the seconds from the first attempt that failed to the first of those that did not fail again.

    What failed before the first answer does not count: the way was not open yet. 0 without a failure; None
    where none was answered before or after, as that is no interruption to measure.
    """
    opened = next((index for index, attempt in enumerate(attempts) if attempt.answered), len(attempts))
    failed = [index for index, attempt in enumerate(attempts) if index > opened and not attempt.answered]
    if opened == len(attempts):
        return None
    if not failed:
        return 0.0
    after = failed[-1] + 1
    return attempts[after].at - attempts[failed[0]].at if after < len(attempts) else None


def told(measured: Mapping[str, float | None], interval: float) -> str:
    """Return the interruptions as a sentence. measured: as `interruption` has them, by the name of the way.

    interval: seconds between attempts, which is as exact as it gets.
    """
    words = {"outside": "from outside to a NodePort", "pods": "from pod to pod of another node"}
    parts = [
        f"{text} {'not measured' if measured[way] is None else f'{measured[way]:.1f} s'}"
        for way, text in words.items()
        if way in measured
    ]
    return f"Interruption, to within {interval:g} s: {', '.join(parts)}"
