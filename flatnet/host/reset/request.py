"""What to take away, as the controller lists it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

# When an owner goes: first what starts pods, last what removing the others needs.
FIRST, MIDDLE, LAST = "first", "middle", "last"


class Owner(NamedTuple):
    """A role whose state node_state has recorded, and what else its programs make.

    stage: when it goes, FIRST, MIDDLE or LAST. makes: the `makes` of its contract, as plain data.
    """

    name: str
    stage: str
    makes: dict[str, Any]


class Request(NamedTuple):
    """Owners that are to go, in the order to remove them, and the others that are known; they stay.

    programs_directory, cni_programs_directory: where the programs lie.
    """

    owners: list[Owner]
    others: list[Owner]
    programs_directory: str
    cni_programs_directory: str

    @classmethod
    def from_wire(cls, given: dict[str, Any]) -> Request:
        """Return it from plain data."""
        lists = {name: [Owner(**owner) for owner in given[name]] for name in ("owners", "others")}
        return cls(**{**given, **lists})


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
