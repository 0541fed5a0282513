"""Reading untyped input strictly: every error names the entry it is in."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from flatnet.errors import FlatnetError

_MODE = re.compile(r"0?[0-7]{3,4}")


class Entry:
    """One mapping of the input, and where it stands in it."""

    def __init__(self, where: str, value: object, known: Collection[str]) -> None:
        """Take a mapping that has no keys but the known ones. Raises FlatnetError."""
        self.where = where
        if not isinstance(value, Mapping):
            raise FlatnetError(f"{where} is {_kind(value)}, but has to be a mapping")
        self._values: Mapping[str, Any] = value
        unknown = sorted(str(key) for key in value if key not in known)
        if unknown:
            raise self.error(f"unknown key {', '.join(unknown)}; known are {', '.join(sorted(known))}")

    def error(self, message: str) -> FlatnetError:
        """Return an error about this entry."""
        return FlatnetError(f"{self.where}: {message}")

    def has(self, key: str) -> bool:
        """Tell whether a key is given, and not as null."""
        return self._values.get(key) is not None

    def text(self, key: str, default: str | None = None, empty: bool = False) -> str:
        """Return a text; without a default the key has to be there."""
        value = self._values.get(key)
        if value is None:
            if default is None:
                raise self.error(f"{key} is missing")
            return default
        if not isinstance(value, str):
            raise self.error(f"{key} is {_kind(value)}, but has to be a string{_hint(value)}")
        if not value and not empty:
            raise self.error(f"{key} is empty")
        return str(value)

    def choice(self, key: str, choices: Collection[str], default: str) -> str:
        """Return one of several words."""
        value = self.text(key, default)
        if value not in choices:
            raise self.error(f"{key} is {value}, but has to be one of {', '.join(choices)}")
        return value

    def word(self, key: str, pattern: str, example: str) -> str:
        """Return a text that has to match a pattern as a whole."""
        value = self.text(key)
        if re.fullmatch(pattern, value) is None:
            raise self.error(f"{key} {value!r} is not a valid name; an example of one is {example}")
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(f"{key} is {_kind(value)}, but has to be true or false")
        return value

    def number(self, key: str) -> int | None:
        """Return a whole number that is not negative, or None when it is not given."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.error(f"{key} is {value!r}, but has to be a whole number from 0 on")
        return int(value)

    def mode(self, default: int) -> int:
        """Return the bits of a mode, which is written as a text: YAML reads a bare 0644 as the number 420."""
        value = self._values.get("mode")
        if value is None:
            return default
        if not isinstance(value, str) or _MODE.fullmatch(value) is None:
            raise self.error(f'mode is {value!r}, but has to be octal digits in quotes, such as "0644"')
        return int(value, 8)

    def path(self, key: str = "path") -> str:
        """Return an absolute path without `..`, `//` or a slash at its end."""
        return absolute_path(self.where, key, self.text(key))

    def items(self, key: str) -> list[Any]:
        """Return a list; an empty one when it is not given."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(f"{key} is {_kind(value)}, but has to be a list")
        return list(value)

    def mapping(self, key: str) -> dict[Any, Any]:
        """Return a mapping; an empty one when it is not given."""
        value = self._values.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.error(f"{key} is {_kind(value)}, but has to be a mapping")
        return dict(value)


def absolute_path(where: str, key: str, value: object) -> str:
    """Return value when it is an absolute path in its shortest form. Raises FlatnetError."""
    if not isinstance(value, str):
        raise FlatnetError(f"{where}: {key} is {_kind(value)}, but has to be a path")
    if not value.startswith("/"):
        raise FlatnetError(f"{where}: {key} {value!r} is relative, but has to begin with /")
    parts = PurePosixPath(value).parts
    if ".." in parts or str(PurePosixPath(value)) != value or value == "/" or not value.isprintable():
        raise FlatnetError(
            f"{where}: {key} {value!r} has to be a plain path: no `..`, no `//`, no / at its end, "
            "no control characters, and not / itself"
        )
    return str(value)


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    kinds: list[tuple[type, str]] = [
        (bool, "a boolean"),
        (int, "a number"),
        (float, "a number"),
        (str, "a text"),
        (Mapping, "a mapping"),
        (list, "a list"),
    ]
    return next((kind for type_, kind in kinds if isinstance(value, type_)), type(value).__name__)


def _hint(value: object) -> str:
    return "; write it with to_nice_json or to_nice_yaml" if isinstance(value, Mapping | list) else ""
