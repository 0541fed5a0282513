"""Numbers and lists as words for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def listed(items: Iterable[str], limit: int = 5) -> str:
    """Return `a, b and c`; beyond the limit `a, b, c, d, e and 495 more`."""
    every = list(items)
    if len(every) > limit + 1:
        return f"{', '.join(every[:limit])} and {len(every) - limit:,} more"
    if len(every) < 2:
        return "".join(every)
    return f"{', '.join(every[:-1])} and {every[-1]}"


def counted(count: int, one: str, many: str = "") -> str:
    """Return `1 node`, `3 nodes`, `1,000 nodes`; `many` where the plural is not `one` with an s."""
    return f"{amount(count)} {one if count == 1 else many or one + 's'}"


def amount(count: int) -> str:
    """Return a count: in full up to a million, rounded up to 2⁴⁰, then as the power of two below it."""
    if count < 1_000_000:
        return f"{count:,}"
    for limit, name in ((10**9, "million"), (1 << 40, "billion")):
        if count < limit:
            unit = 10**6 if name == "million" else 10**9
            return f"{count / unit:.1f} {name}"
    bits = count.bit_length() - 1
    about = "" if count == 1 << bits else "about "
    return f"{about}2{str(bits).translate(_SUPERSCRIPTS)}"


def verb(items: Sequence[object], one: str, many: str) -> str:
    """Return the form of a verb for that many subjects."""
    return one if len(items) == 1 else many


def port_words(port: Mapping[str, Any]) -> str:
    """Return `udp 8472`, or the protocol alone where it has no ports."""
    return f"{port['protocol']} {port['port']}" if "port" in port else str(port["protocol"])
