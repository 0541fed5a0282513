"""Values out of plain data: texts, lists of texts and numbers; what cannot be read becomes a finding."""

from collections.abc import Sequence

from flatnet.plan.findings import Findings

# The usual one first: to ask a class of collections.abc takes longer than to read a value.
_LISTS = (list, Sequence, frozenset, set)


def read_texts(place: str, value: object, findings: Findings, host: str = "") -> tuple[str, ...]:
    """Return a list of strings; a lone text counts as a list of one, nothing as an empty one."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (str(value),)
    if isinstance(value, _LISTS):
        texts = tuple([str(item) for item in value if isinstance(item, str)])
        if len(texts) == len(value):
            return texts
    fix = "write a list of quoted strings"
    findings.add("setting-type", f"{place} {value!r}", "it is not a list of strings", fix, host)
    return ()


def read_integer(place: str, value: object, findings: Findings, host: str = "") -> int | None:
    """Return a whole number; digits in a text count as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    findings.add("setting-type", f"{place} {value!r}", "it is not a whole number", "write a number", host)
    return None


def read_integers(place: str, value: object, findings: Findings, host: str = "") -> tuple[int, ...]:
    """Return a list of whole numbers; a lone one counts as a list of one, nothing as an empty one."""
    if value is None or value == "":
        return ()
    items = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    numbers = [read_integer(place, item, findings, host) for item in items]
    return tuple(number for number in numbers if number is not None)


def read_boolean(place: str, value: object, findings: Findings, host: str = "") -> bool:
    """Return a boolean, written as one or as true and false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    findings.add("setting-type", f"{place} {value!r}", "it is not a boolean", "write true or false", host)
    return False
