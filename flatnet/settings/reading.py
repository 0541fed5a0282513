"""Settings read from plain data, each fault with its value, the reason and the fix."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from flatnet.settings.cluster import SETTINGS, Settings
from flatnet.settings.definition import Setting


class Fault(NamedTuple):
    """What is wrong with one setting: the rule it breaks, the value behind its variable, reason and fix."""

    rule: str
    value: str
    reason: str
    fix: str


def read_settings(data: object) -> tuple[Settings, list[Fault]]:
    """Return settings from {variable: value}, and what is wrong with them.

    Absent and null ones keep their default, and so do those with a fault.
    """
    if not isinstance(data, Mapping):
        fix = "give a mapping of setting to value"
        return Settings(), [Fault("setting-type", repr(data), "settings are not a mapping", fix)]
    known = {one.variable: one for one in SETTINGS}
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for variable, value in data.items():
        one = known.get(variable)
        if one is None:
            faults.append(_unknown(str(variable), known))
        elif value is not None:
            try:
                values[one.name] = _read(one, value)
            except _UnfitError as fault:
                faults.append(Fault(fault.rule, f"{variable} {fault.value!r}", fault.reason, fault.fix))
    # Each value was just read as the type of its field.
    return Settings(**values), faults  # type: ignore[arg-type]


def _unknown(variable: str, known: Mapping[str, Setting]) -> Fault:
    near = difflib.get_close_matches(variable, known, n=1)
    fix = f"write {near[0]} if that is meant" if near else f"use one of {', '.join(sorted(known))}"
    return Fault("setting-unknown", repr(variable), "there is no such setting", fix)


def fault_lines(faults: Iterable[Fault]) -> list[str]:
    """Return one line per fault, sorted, as the planner writes its findings."""
    return sorted(f"[{one.rule}] {one.value}: {one.reason}. Fix: {one.fix}." for one in faults)


class _UnfitError(Exception):
    """A value that a setting cannot have."""

    def __init__(self, value: object, reason: str, fix: str, rule: str = "setting-type") -> None:
        super().__init__(reason)
        self.rule, self.value, self.reason, self.fix = rule, value, reason, fix


def _read(one: Setting, value: object) -> object:
    read = _READERS[one.annotation](value)
    texts: Sequence[object] = ()
    if one.choices:
        texts = [*read.values()] if isinstance(read, Mapping) else read if isinstance(read, tuple) else [read]
    for text in texts:
        if text not in one.choices:
            listed = ", ".join(one.choices)
            raise _UnfitError(
                text, "it is none of the choices", f"use {_some(one)} of {listed}", "setting-range"
            )
    numbers = read if isinstance(read, tuple) else (read,)
    for number in numbers if one.least is not None or one.most is not None else ():
        if isinstance(number, int) and not one.is_within(number):
            unit = f" {one.unit}" if one.unit and one.unit != "port" else ""
            reason = f"it is not from {one.least} to {one.most}{unit}"
            fix = f"use a number in between{_default_words(one)}"
            raise _UnfitError(number, reason, fix, "setting-range")
    return read


def _some(one: Setting) -> str:
    return "one" if one.annotation is str else "some"


def _default_words(one: Setting) -> str:
    if one.default in ((), None):
        return f", or leave it out for {one.empty}" if one.empty else ""
    return f"; {one.default} is the default"


def _text(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    raise _UnfitError(value, "it is not a string", "quote it")


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    raise _UnfitError(value, "it is not a whole number", "write a number")


def _optional_number(value: object) -> int | None:
    return None if value == "" else _number(value)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no"):
        return value.lower() in ("true", "yes")
    raise _UnfitError(value, "it is not a boolean", "write true or false")


def _texts(value: object) -> tuple[str, ...]:
    """Return a list of strings; a lone text counts as a list of one, an empty one as an empty list."""
    if isinstance(value, str):
        return (str(value),) if value else ()
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(str(item) for item in value)
    raise _UnfitError(value, "it is not a list of strings", "write a list of quoted strings")


def _numbers(value: object) -> tuple[int, ...]:
    """Return a list of whole numbers; a lone one counts as a list of one, an empty text as an empty list."""
    if value == "":
        return ()
    items = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    return tuple(_number(item) for item in items)


def _mapping(value: object) -> Mapping[str, str]:
    if isinstance(value, Mapping) and all(isinstance(part, str) for pair in value.items() for part in pair):
        return {str(name): str(text) for name, text in value.items()}
    raise _UnfitError(value, "it is not a mapping of strings", "write it like {name: value}")


def _number_mapping(value: object) -> Mapping[str, int]:
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {str(name): _number(number) for name, number in value.items()}
    raise _UnfitError(value, "it is not a mapping of whole numbers", "write it like {name: 1}")


def _anything(value: object) -> object:
    return value


_READERS: Mapping[object, Callable[[object], object]] = {
    str: _text,
    int: _number,
    int | None: _optional_number,
    bool: _boolean,
    tuple[str, ...]: _texts,
    tuple[int, ...]: _numbers,
    Mapping[str, str]: _mapping,
    Mapping[str, int]: _number_mapping,
    object: _anything,
}
