"""How a setting is defined: what the inventory calls it, its type and range, its default, and its words."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar, get_type_hints

PREFIX = "cluster_"

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """A type of setting, in Ansible's words and in people's."""

    ansible: str
    """The type in an argument specification."""
    elements: str
    """The type of a list's elements there; empty where it is no list."""
    words: str


KINDS: Mapping[object, Kind] = {
    str: Kind("str", "", "string"),
    int: Kind("int", "", "whole number"),
    int | None: Kind("int", "", "whole number"),
    bool: Kind("bool", "", "boolean"),
    tuple[str, ...]: Kind("list", "str", "list of strings"),
    tuple[int, ...]: Kind("list", "int", "list of whole numbers"),
    Mapping[str, str]: Kind("dict", "", "mapping of strings"),
    Mapping[str, int]: Kind("dict", "", "mapping of whole numbers"),
    object: Kind("raw", "", "any value"),
}
"""Annotation of a field -> its kind. A setting of any other type cannot be read."""


@dataclass(frozen=True)
class Setting:
    """One setting of a cluster."""

    name: str
    """The attribute in Python."""
    variable: str
    """The variable in the inventory, which is the name in all data and in every message."""
    annotation: object
    """One of KINDS."""
    default: object
    section: str
    description: str
    """One sentence."""
    unit: str = ""
    least: int | None = None
    """The smallest number, of each element where it is a list."""
    most: int | None = None
    choices: tuple[str, ...] = ()
    """The texts it may be, of each element where it is a list; empty: any."""
    empty: str = ""
    """What an empty value stands for; a default that is empty needs these words."""

    @property
    def kind(self) -> Kind:
        """Its type, in Ansible's words and in people's."""
        return KINDS[self.annotation]

    @property
    def plain_default(self) -> object:
        """The default as plain data."""
        return plain(self.default)

    def is_within(self, number: int) -> bool:
        """Tell whether the number is in the range of the setting."""
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


def plain(value: object) -> object:
    """Return a value of a setting as plain data, lists for tuples."""
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def setting(
    default: T,
    section: str,
    description: str,
    *,
    variable: str = "",
    unit: str = "",
    least: int | None = None,
    most: int | None = None,
    choices: tuple[str, ...] = (),
    empty: str = "",
) -> T:
    """Return a field of a dataclass that is a setting, with what Setting says of it.

    The variable is the attribute with `cluster_` before it, unless that is there already or `variable` is
    given.
    """
    metadata = {
        "variable": variable,
        "section": section,
        "description": description,
        "unit": unit,
        "least": least,
        "most": most,
        "choices": choices,
        "empty": empty,
    }
    if isinstance(default, dict):
        # Left out of the hash, as mappings have none.
        return field(default_factory=lambda: default, hash=False, metadata=metadata)
    return field(default=default, metadata=metadata)


def settings_of(owner: type) -> tuple[Setting, ...]:
    """Return the settings that a dataclass defines, in its order.

    Raises LookupError for a field of a type that no inventory can give.
    """
    hints = get_type_hints(owner)
    found = []
    for one in fields(owner):
        if hints[one.name] not in KINDS:
            raise LookupError(f"{one.name} is {hints[one.name]}, which no setting can be")
        default = one.default_factory() if callable(one.default_factory) else one.default
        variable = one.name if one.name.startswith(PREFIX) else PREFIX + one.name
        given = {**one.metadata, "variable": one.metadata["variable"] or variable}
        found.append(Setting(name=one.name, annotation=hints[one.name], default=default, **given))
    return tuple(found)
