"""Kinds of values: each reads, merges, completes and describes what a contract may hold in one place.

A value goes through four steps, and each kind knows them all: `read` checks what YAML gave, `merge` lays a
mode's value over the one for all modes, `demand` notes what is missing then, `complete` fills in defaults and
`build` makes the typed object. `json_schema` describes the completed value.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias, get_type_hints

from flatnet.contract.faults import Faults, join, nearest, shown

Json = dict[str, Any]
# Plain data, as YAML and JSON have it.
Value: TypeAlias = Any


class _Invalid:
    """The type of INVALID."""


# Stands for a value that was refused; nothing further is said of it.
INVALID = _Invalid()


class Kind:
    """A kind of value. The steps that most kinds do alike."""

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """Return the value as plain data; notes what is wrong with it."""
        raise NotImplementedError

    def json_schema(self) -> Json:
        """Return the JSON Schema of the completed value."""
        raise NotImplementedError

    def merge(self, above: Value, own: Value) -> Value:
        """Return what a mode has: its own value takes the place of the one above."""
        del above
        return own

    def demand(self, value: Value, place: str, faults: Faults) -> None:
        """Note what a merged value lacks."""

    def complete(self, value: Value) -> Value:
        """Return the value with every default filled in."""
        return value

    def build(self, value: Value) -> Value:
        """Return the typed object of a completed value."""
        return value


@dataclass(frozen=True)
class Text(Kind):
    """A text of one line that matches a pattern as a whole.

    words: what such a text is, for the message. check: returns why a text is refused all the same, or "".
    """

    pattern: str = r"\S.*"
    words: str = "a text"
    check: Callable[[str], str] | None = None

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            faults.add(place, f"{shown(value)} is not {self.words}")
            return INVALID
        reason = self.check(value) if self.check else ""
        if reason:
            faults.add(place, f"{shown(value)} {reason}")
        return value

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        if not isinstance(value, bool):
            faults.add(place, f"{shown(value)} is not true or false")
            return INVALID
        return value

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from least to most."""

    least: int
    most: int
    words: str = "a number"

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        if type(value) is not int or not self.least <= value <= self.most:
            faults.add(place, f"{shown(value)} is not {self.words} from {self.least} to {self.most}")
            return INVALID
        return value

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    words: Sequence[str]

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        if value not in self.words:
            faults.add(place, f"{shown(value)} is not possible; {nearest(value, self.words)}")
            return INVALID
        return value

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Either(Kind):
    """A value of the first kind where it has that type, else of the second."""

    type: type
    first: Kind
    second: Kind

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        kind = self.first if type(value) is self.type else self.second
        return kind.read(value, place, faults)

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        return {"anyOf": [self.first.json_schema(), self.second.json_schema()]}


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of one kind, without doubles.

    unique: the key of which no two items have the same value. replaced: whether a mode's list takes the place
    of the one above, instead of being added to it.
    """

    item: Kind
    unique: str = ""
    least: int = 0
    replaced: bool = False

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        if not isinstance(value, list):
            faults.add(place, f"{shown(value)} is not a list")
            return INVALID
        if len(value) < self.least:
            faults.add(place, "the list is empty")
        read: list[Value] = []
        for index, item in enumerate(value):
            one = self.item.read(item, f"{place}[{index}]", faults)
            if one is INVALID:
                continue
            if one in read:
                faults.add(f"{place}[{index}]", f"{shown(item)} is there twice")
            else:
                read.append(one)
        return read

    def merge(self, above: Value, own: Value) -> Value:
        """See Kind.merge."""
        return own if self.replaced else [*above, *(item for item in own if item not in above)]

    def demand(self, value: Value, place: str, faults: Faults) -> None:
        """See Kind.demand."""
        seen: set[str] = set()
        for item in value if self.unique else ():
            name = item.get(self.unique, "")
            if name in seen:
                faults.add(place, f"two have the {self.unique} {name}")
            seen.add(name)

    def complete(self, value: Value) -> Value:
        """See Kind.complete."""
        return [self.item.complete(item) for item in value]

    def build(self, value: Value) -> Value:
        """See Kind.build."""
        return tuple(self.item.build(item) for item in value)

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        schema: Json = {"type": "array", "items": self.item.json_schema(), "uniqueItems": True}
        return {**schema, "minItems": self.least} if self.least else schema


@dataclass(frozen=True)
class OneOrMore(Kind):
    """A value or a list of such values."""

    item: Kind

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        kind = ListOf(self.item, least=1) if isinstance(value, list) else self.item
        return kind.read(value, place, faults)

    def build(self, value: Value) -> Value:
        """See Kind.build."""
        return tuple(value) if isinstance(value, list) else (value,)

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        item = self.item.json_schema()
        return {"anyOf": [item, ListOf(self.item, least=1).json_schema()]}


@dataclass(frozen=True)
class MapOf(Kind):
    """A mapping from names to one kind. names: the only possible ones, if there are such."""

    name: Text
    item: Kind
    names: Sequence[str] = ()

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        if not isinstance(value, Mapping):
            faults.add(place, f"{shown(value)} is not a mapping")
            return INVALID
        read: Json = {}
        for name, item in value.items():
            if self.names and name not in self.names:
                faults.add_unknown(place, name, self.names)
            elif self.name.read(name, join(place, str(name)), faults) is not INVALID:
                one = self.item.read(item, join(place, name), faults)
                if one is not INVALID:
                    read[name] = one
        return read

    def merge(self, above: Value, own: Value) -> Value:
        """See Kind.merge."""
        both = {name: self.item.merge(above[name], item) for name, item in own.items() if name in above}
        return {**above, **own, **both}

    def complete(self, value: Value) -> Value:
        """See Kind.complete."""
        given = {name: self.item.complete(item) for name, item in value.items()}
        # A list by group is there for every group, so that nobody who reads it has to ask.
        return {**{name: [] for name in self.names}, **given}

    def build(self, value: Value) -> Value:
        """See Kind.build."""
        return {name: self.item.build(item) for name, item in value.items()}

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        item = self.item.json_schema()
        if self.names:
            schema = {"type": "object", "properties": dict.fromkeys(self.names, item)}
            return {**schema, "required": list(self.names), "additionalProperties": False}
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.name.pattern})$"},
            "additionalProperties": item,
        }


class Key(NamedTuple):
    """One key of a record: its kind, what it says, its default, and which kinds of contract have it."""

    kind: Kind
    about: str
    default: Value
    of: frozenset[str]


ALL_KINDS = frozenset({"backend", "policy_engine", "component"})
_REQUIRED = object()


def key(kind: Kind, about: str, *, default: Value = _REQUIRED, of: Sequence[str] = ()) -> Key:
    """Return what a field of a dataclass is annotated with to be a key of a contract.

    default: plain data, None for a key that is then left out; a key without one is required. of: the kinds of
    contract that have it, all unless given.
    """
    return Key(kind, about, default, frozenset(of) or ALL_KINDS)


@cache
def keys_of(shape: type) -> dict[str, Key]:
    """Return the keys of a dataclass by name, in the order of its fields."""
    return {
        name: one
        for name, hint in get_type_hints(shape, include_extras=True).items()
        for one in getattr(hint, "__metadata__", ())
        if isinstance(one, Key)
    }


@dataclass(frozen=True)
class Record(Kind):
    """A mapping with the keys of a dataclass.

    late: what is required may come from a mode, so it is demanded of the merged value. check: returns what is
    wrong with keys that are each right.
    """

    shape: Value
    late: bool = False
    check: Callable[[Json], str] | None = None

    def keys(self) -> dict[str, Key]:
        """Return the record's keys."""
        return keys_of(self.shape)

    def read(self, value: Value, place: str, faults: Faults) -> Value:
        """See Kind.read."""
        if not isinstance(value, Mapping):
            faults.add(place, f"{shown(value)} is not a mapping")
            return INVALID
        before = len(faults.found)
        read = read_keys(value, self.keys(), place, faults)
        if not self.late:
            demand_keys(self.keys(), read, place, faults)
        if self.check and len(faults.found) == before:
            reason = self.check(read)
            if reason:
                faults.add(place, reason)
        return read

    def merge(self, above: Value, own: Value) -> Value:
        """See Kind.merge."""
        return merge_keys(self.keys(), above, own)

    def demand(self, value: Value, place: str, faults: Faults) -> None:
        """See Kind.demand."""
        if self.late:
            demand_keys(self.keys(), value, place, faults)

    def complete(self, value: Value) -> Value:
        """See Kind.complete."""
        return complete_keys(self.keys(), value)

    def build(self, value: Value) -> Value:
        """See Kind.build."""
        return self.shape(**build_keys(self.keys(), value))

    def json_schema(self) -> Json:
        """See Kind.json_schema."""
        return keys_schema(self.keys())


def read_keys(
    value: Mapping[str, Value],
    keys: Mapping[str, Key],
    place: str,
    faults: Faults,
    others: Sequence[str] = (),
) -> Json:
    """Return the known keys, INVALID for those that were refused; notes unknown ones and what is wrong.

    others: keys that are read elsewhere, and may be what a misspelt one means.
    """
    read: Json = {}
    for name, item in value.items():
        if name in keys:
            read[name] = keys[name].kind.read(item, join(place, name), faults)
        elif name not in others:
            faults.add_unknown(place, name, [*others, *keys])
    return read


def merge_keys(keys: Mapping[str, Key], above: Mapping[str, Value], own: Mapping[str, Value]) -> Json:
    """Return the keys of both, each merged as its kind does."""
    both = {
        name: INVALID if INVALID in (above[name], item) else keys[name].kind.merge(above[name], item)
        for name, item in own.items()
        if name in above
    }
    return {**above, **own, **both}


def demand_keys(keys: Mapping[str, Key], value: Mapping[str, Value], place: str, faults: Faults) -> None:
    """Note every required key that is missing."""
    for name, one in keys.items():
        if name in value:
            if value[name] is not INVALID:
                one.kind.demand(value[name], join(place, name), faults)
        elif one.default is _REQUIRED:
            faults.add(join(place, name), "it is missing")


def complete_keys(keys: Mapping[str, Key], value: Mapping[str, Value]) -> Json:
    """Return all keys, with defaults for those that are not there; without a default they stay away."""
    given = {name: value.get(name, one.default) for name, one in keys.items()}
    return {
        name: keys[name].kind.complete(item)
        for name, item in given.items()
        if item is not None and item is not _REQUIRED
    }


def build_keys(keys: Mapping[str, Key], value: Mapping[str, Value]) -> Json:
    """Return typed objects by name, None for what is left out."""
    return {name: one.kind.build(value[name]) if name in value else None for name, one in keys.items()}


def keys_schema(keys: Mapping[str, Key]) -> Json:
    """Return the JSON Schema of a completed mapping with these keys."""
    return {
        "type": "object",
        "properties": {
            name: {"description": one.about, **one.kind.json_schema()} for name, one in keys.items()
        },
        "required": [name for name, one in keys.items() if one.default is not None],
        "additionalProperties": False,
    }
