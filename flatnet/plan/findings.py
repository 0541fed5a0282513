"""Findings: everything that is wrong with a plan, told at once."""

from collections.abc import Iterable
from typing import NamedTuple

from flatnet.errors import FlatnetError
from flatnet.plan.catalog import RULES
from flatnet.plan.names import listed_names

# Of hosts with the same fault and different values, so many are shown with theirs.
_SHOWN = 5


class Finding(NamedTuple):
    """One broken rule: the rule's name, the value with its place, the reason, and what to do."""

    rule: str
    value: str
    reason: str
    fix: str
    host: str = ""
    """The host that the value belongs to; hosts with the same fault are told in one line."""


class PlanError(FlatnetError):
    """The plan is refused; `findings` are the reasons as data."""

    def __init__(self, message: str, findings: tuple[Finding, ...]) -> None:
        """Keep the findings beside the message that lists them."""
        super().__init__(message)
        self.findings = findings


def split_error(error: FlatnetError, text: str) -> tuple[str, str]:
    """Return (reason, fix) of a parser's `'text' reason; fix`, for a finding that shows the value itself."""
    reason, _, fix = str(error).partition("; ")
    return reason.removeprefix(f"{text!r} "), fix


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return one sorted line per finding, and one for all hosts that share rule, reason and fix."""
    groups: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    lines: set[str] = set()
    for finding in findings:
        if finding.host:
            key = (finding.rule, finding.reason, finding.fix)
            groups.setdefault(key, set()).add((finding.host, finding.value))
        else:
            lines.add(_line(finding.rule, finding.value, finding.reason, finding.fix))
    for (rule, reason, fix), members in groups.items():
        lines.add(_line(rule, _shared_value(sorted(members)), reason, fix))
    return sorted(lines)


def _line(rule: str, value: str, reason: str, fix: str) -> str:
    return f"[{rule}] {value}: {reason}. Fix: {fix}."


def _shared_value(members: list[tuple[str, str]]) -> str:
    if len({value for _, value in members}) == 1:
        value = members[0][1]
        hosts = listed_names(host for host, _ in members)
        return f"{hosts}: {value}" if value else hosts
    shown = "; ".join(f"{host}: {value}" for host, value in members[:_SHOWN])
    rest = {host for host, _ in members[_SHOWN:]}
    return shown + (f"; and the same for {listed_names(rest)}" if rest else "")


class Findings:
    """Collects findings (which refuse the plan) and warnings (which do not)."""

    def __init__(self) -> None:
        """Start without any."""
        self.found: list[Finding] = []
        self.warned: list[Finding] = []

    def add(self, rule: str, value: object, reason: str, fix: str, host: str = "") -> None:
        """Note something that refuses the plan."""
        self.found.append(_finding(rule, value, reason, fix, host))

    def warn(self, rule: str, value: object, reason: str, fix: str, host: str = "") -> None:
        """Note something that the user should know, without refusing the plan."""
        self.warned.append(_finding(rule, value, reason, fix, host))

    def warnings(self) -> list[str]:
        """Return the warnings as sorted lines."""
        return finding_lines(self.warned)

    def raise_if_any(self) -> None:
        """Raise one PlanError that lists every finding, sorted."""
        lines = finding_lines(self.found)
        if lines:
            count = "1 finding" if len(lines) == 1 else f"{len(lines)} findings"
            message = "\n".join([f"the network cannot be planned, {count}:", *(f"- {x}" for x in lines)])
            raise PlanError(message, tuple(sorted(set(self.found))))


def _finding(rule: str, value: object, reason: str, fix: str, host: str) -> Finding:
    if rule not in RULES:
        raise LookupError(f"{rule} is not in the catalog of rules")
    return Finding(rule, str(value), reason, fix, host)
