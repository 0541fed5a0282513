"""What of a document is not as schema.json describes it: faults with their places.

Those keywords of JSON Schema (draft 2020-12) are known that the schema uses; a test holds this against a full
implementation, which is no dependency of what runs on controllers.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]
SCHEMA_PATH = Path(__file__).with_name("schema.json")

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@cache
def schema() -> dict[str, Any]:
    """Return the schema of a document."""
    found: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return found


def faults(value: object, given: Schema | bool, place: str = "") -> Iterator[str]:
    """Yield what is wrong with the value, as `place is what it is not`; the place of the whole is empty."""
    if isinstance(given, bool):
        if not given:
            yield f"{place} is not described"
        return
    if "$ref" in given:
        yield from faults(value, schema()["$defs"][given["$ref"].removeprefix("#/$defs/")], place)
    kind = given.get("type")
    if kind and not is_of(value, kind):
        yield f"{place} is not {_article(kind)}"
        return
    for keyword, wanted in given.items():
        if keyword in _CHECKS and not _CHECKS[keyword](value, wanted):
            yield f"{place} {_shown(value)} does not have {keyword} {_shown(wanted)}"
    yield from _alternatives(value, given, place)
    if isinstance(value, dict):
        yield from _members(value, given, place)
    elif isinstance(value, list) and "items" in given:
        for index, item in enumerate(value):
            yield from faults(item, given["items"], f"{place}[{index}]")


def is_of(value: object, kind: str) -> bool:
    """Tell whether a value of JSON is of a type of JSON Schema."""
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _alternatives(value: object, given: Schema, place: str) -> Iterator[str]:
    for keyword in ("anyOf", "oneOf"):
        if keyword not in given:
            continue
        fitting = sum(next(faults(value, one, place), None) is None for one in given[keyword])
        if fitting == 0 or (keyword == "oneOf" and fitting > 1):
            yield f"{place} {_shown(value)} is none of what it may be"


def _members(value: dict[str, Any], given: Schema, place: str) -> Iterator[str]:
    dot = f"{place}." if place else ""
    properties = given.get("properties", {})
    yield from (f"{dot}{key} is missing" for key in given.get("required", ()) if key not in value)
    for key, item in value.items():
        if "propertyNames" in given:
            yield from faults(key, given["propertyNames"], f"the name {dot}{key}")
        if key in properties:
            yield from faults(item, properties[key], f"{dot}{key}")
        else:
            yield from faults(item, given.get("additionalProperties", True), f"{dot}{key}")


_CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "enum": lambda value, wanted: value in wanted,
    "const": lambda value, wanted: value == wanted,
    "pattern": lambda value, wanted: not isinstance(value, str) or re.search(wanted, value) is not None,
    "minLength": lambda value, wanted: not isinstance(value, str) or len(value) >= wanted,
    "minItems": lambda value, wanted: not isinstance(value, list) or len(value) >= wanted,
    "maxItems": lambda value, wanted: not isinstance(value, list) or len(value) <= wanted,
    "uniqueItems": lambda value, wanted: not (wanted and isinstance(value, list)) or _is_unique(value),
    "minimum": lambda value, wanted: not is_of(value, "number") or value >= wanted,
    "maximum": lambda value, wanted: not is_of(value, "number") or value <= wanted,
}


def _is_unique(value: list[Any]) -> bool:
    return len({json.dumps(item, sort_keys=True) for item in value}) == len(value)


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
