"""What to take away, as the role lists it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Request(NamedTuple):
    """The role's data.

    owners: names under which node_state has recorded what it made, in the order to remove them; `*` at the
    end of one stands for any text.
    data: owner -> directories and files that its programs have filled, in the order to remove them; `*` in
    the last part stands for any text, and with `/` at its end a directory goes when it is empty.
    chains: owner -> how the names of the packet filter chains begin that its programs make.
    interfaces: names of network interfaces that its backends make.
    programs_directory, cni_programs_directory: where the programs lie.
    """

    owners: list[str]
    data: dict[str, list[str]]
    chains: dict[str, list[str]]
    interfaces: list[str]
    programs_directory: str
    cni_programs_directory: str


class Change(NamedTuple):
    """One thing that was (or in a check would be) taken away, or given back its former value."""

    kind: str
    item: str
    action: str = "remove"

    def __str__(self) -> str:
        """Return it as a line for people."""
        return f"{self.kind} {self.item}: {self.action}"


@dataclass
class Outcome:
    """What was taken away, and what could not be, as sentences.

    gone: paths that have gone with something else; in a check they are still there.
    """

    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
