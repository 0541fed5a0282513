"""One message for everything that is not on the controller."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from flatnet.errors import FlatnetError


class MissingProgramError(FlatnetError):
    """One program that is not on the controller: which, why, and the command that provides it."""

    def __init__(
        self,
        program: str,
        reason: str,
        verb: str = "",
        architecture: str = "",
        releases: Path | None = None,
    ) -> None:
        """Keep `verb`, the subcommand of `python -m flatnet.programs` that takes the program's name.

        releases: the site's file of published files that the subcommand has to be told of.
        """
        super().__init__(f"{program}: {reason}")
        self.program = program
        self.reason = reason
        self.verb = verb
        self.architecture = architecture
        self.releases = releases


def missing_message(missing: Iterable[MissingProgramError]) -> str:
    """Return one message that lists everything missing once, and the commands that provide it."""
    reasons: dict[str, set[str]] = {}
    commands: dict[tuple[str, str, str], set[str]] = {}
    for problem in missing:
        reasons.setdefault(problem.reason, set()).add(problem.program)
        if problem.verb:
            releases = f" --releases {shlex.quote(str(problem.releases))}" if problem.releases else ""
            commands.setdefault((problem.verb, problem.architecture, releases), set()).add(problem.program)
    names = {name for programs in reasons.values() for name in programs}
    count = "1 program is" if len(names) == 1 else f"{len(names)} programs are"
    lines = [f"{count} not available on this machine; no host was changed:"]
    lines += sorted(f"  {', '.join(sorted(programs))}: {reason}" for reason, programs in reasons.items())
    for (verb, architecture, releases), programs in sorted(commands.items()):
        options = f"--architecture {architecture}{releases}"
        listed = " ".join(sorted(programs))
        lines.append(f"Provide with: python -m flatnet.programs {verb} {options} {listed}")
    return "\n".join(lines)
