"""Which owner a thing on the host belongs to, by its name: those that go, or those that stay."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .request import Owner

_WILD = "*?["


class Claims(NamedTuple):
    """Owners that are on this host: those that go, and those that stay."""

    going: list[Owner]
    staying: list[Owner]

    def takes(self, kind: str, name: str) -> bool:
        """Tell whether a thing goes. Of two claims the closer one counts, a staying owner's of two alike.

        kind: a list of names or patterns in what owners make, such as `chains`.
        """
        return _closeness(self.going, kind, name) > _closeness(self.staying, kind, name)

    def keeps(self, kind: str, name: str) -> bool:
        """Tell whether an owner that stays claims a thing."""
        return _closeness(self.staying, kind, name) >= 0

    def takes_entry(self, kind: str, thing: dict[str, str]) -> bool:
        """Tell whether something that several properties tell goes, such as a route.

        What an owner declares has to be there as a whole; the more it declares, the closer it is.
        """
        return _most_shared(self.going, kind, thing) > _most_shared(self.staying, kind, thing)

    def listed(self, kind: str) -> list[Any]:
        """Return what the owners that go declare of a kind, in their order."""
        return [item for owner in self.going for item in entries(owner, kind)]


def entries(owner: Owner, kind: str) -> list[Any]:
    """Return what an owner declares of a kind: names, patterns, or mappings."""
    section, _, key = kind.partition(".")
    found = owner.makes.get(section) or {}
    found = (found.get(key) or []) if key else found
    return list(found.values()) if isinstance(found, dict) else list(found)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a declared name or pattern means a name."""
    return fnmatchcase(name, pattern)


def _closeness(owners: list[Owner], kind: str, name: str) -> int:
    """Return how much of the closest pattern is literal; more than all for the name itself, -1 for none."""
    return max((_literal(pattern) for pattern in _names(owners, kind) if matches(pattern, name)), default=-1)


def _names(owners: list[Owner], kind: str) -> Iterator[str]:
    for owner in owners:
        for item in entries(owner, kind):
            if isinstance(item, str):
                yield item
            else:
                yield " ".join([*([item["family"]] if "family" in item else []), item["name"]])


def _literal(pattern: str) -> int:
    ends = [pattern.index(sign) for sign in _WILD if sign in pattern]
    return min(ends) if ends else 1000


def _most_shared(owners: list[Owner], kind: str, thing: dict[str, str]) -> int:
    declared = [item for owner in owners for item in entries(owner, kind)]
    return max((len(item) for item in declared if item and _fits(item, thing)), default=0)


def _fits(declared: dict[str, Any], thing: dict[str, str]) -> bool:
    return all(key in thing and matches(str(value), thing[key]) for key, value in declared.items())
