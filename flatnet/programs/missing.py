"""One message for everything that is not on the controller."""

from __future__ import annotations

from collections.abc import Iterable

from flatnet.errors import FlatnetError


class MissingProgramError(FlatnetError):
    """One program that is not on the controller: which, why, and the command that provides it."""

    def __init__(self, program: str, reason: str, verb: str = "", architecture: str = "") -> None:
        """Keep `verb`, the subcommand of `python -m flatnet.programs` that takes the program's name."""
        super().__init__(f"{program}: {reason}")
        self.program = program
        self.reason = reason
        self.verb = verb
        self.architecture = architecture


def missing_message(missing: Iterable[MissingProgramError]) -> str:
    """Return one message that lists everything missing once, and the commands that provide it."""
    reasons: dict[str, set[str]] = {}
    commands: dict[tuple[str, str], set[str]] = {}
    for problem in missing:
        reasons.setdefault(problem.reason, set()).add(problem.program)
        if problem.verb:
            commands.setdefault((problem.verb, problem.architecture), set()).add(problem.program)
    names = {name for programs in reasons.values() for name in programs}
    count = "1 program is" if len(names) == 1 else f"{len(names)} programs are"
    lines = [f"{count} not to be had on this machine; no host was changed:"]
    lines += sorted(f"  {', '.join(sorted(programs))}: {reason}" for reason, programs in reasons.items())
    for (verb, architecture), programs in sorted(commands.items()):
        command = (
            f"python -m flatnet.programs {verb} --architecture {architecture} {' '.join(sorted(programs))}"
        )
        lines.append(f"Provide with: {command}")
    return "\n".join(lines)
