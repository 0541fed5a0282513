"""Findings: everything that is wrong with a plan, told at once."""

from typing import NamedTuple

from flatnet.errors import FlatnetError


class Finding(NamedTuple):
    """One broken rule: the rule's name, the value with its place, the reason, and what to do."""

    rule: str
    value: str
    reason: str
    fix: str

    def __str__(self) -> str:
        """Return the finding as one line for a person."""
        return f"[{self.rule}] {self.value}: {self.reason}. Fix: {self.fix}."


def split_error(error: FlatnetError, text: str) -> tuple[str, str]:
    """Return (reason, fix) of a parser's `'text' reason; fix`, for a finding that shows the value itself."""
    reason, _, fix = str(error).partition("; ")
    return reason.removeprefix(f"{text!r} "), fix


class Findings:
    """Collects findings (which refuse the plan) and warnings (which do not)."""

    def __init__(self) -> None:
        """Start without any."""
        self.found: list[Finding] = []
        self.warned: list[Finding] = []

    def add(self, rule: str, value: object, reason: str, fix: str) -> None:
        """Note something that refuses the plan."""
        self.found.append(Finding(rule, str(value), reason, fix))

    def warn(self, rule: str, value: object, reason: str, fix: str) -> None:
        """Note something that the user should know, without refusing the plan."""
        self.warned.append(Finding(rule, str(value), reason, fix))

    def warnings(self) -> list[str]:
        """Return the warnings as sorted lines."""
        return sorted(map(str, self.warned))

    def raise_if_any(self) -> None:
        """Raise one FlatnetError that lists every finding, sorted."""
        lines = sorted(set(map(str, self.found)))
        if lines:
            count = "1 finding" if len(lines) == 1 else f"{len(lines)} findings"
            raise FlatnetError(
                "\n".join([f"the network cannot be planned, {count}:", *(f"- {x}" for x in lines)])
            )
