"""What is wrong in a contract, each with the place where it stands."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Faults:
    """Collects sentences, so that all of a contract's faults are told at once.

    A place is the path of keys, such as `modes.vxlan.ports[0].port`; "" is the contract itself.
    """

    found: list[str] = field(default_factory=list)

    def add(self, place: str, reason: str) -> None:
        """Note a fault once, however many modes have it."""
        sentence = f"{place}: {reason}" if place else reason
        if sentence not in self.found:
            self.found.append(sentence)

    def add_unknown(self, place: str, name: object, known: Iterable[str]) -> None:
        """Note a key that does not exist, with the nearest one that does, or all when none is near."""
        self.add(join(place, str(name)), f"there is no such key; {nearest(name, known)}")


def join(place: str, key: str) -> str:
    """Return the place of a key inside a place."""
    return f"{place}.{key}" if place else key


def nearest(name: object, known: Iterable[str]) -> str:
    """Return the words that lead from a name that does not exist to those that do."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    if near:
        return f"do you mean {near[0]}?"
    return f"use one of {', '.join(names)}" if names else "there is none to use"


def shown(value: object) -> str:
    """Return a value as a message names it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
