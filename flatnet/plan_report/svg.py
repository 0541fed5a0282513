"""SVG as text: elements with everything escaped, and the few measures of text that a layout needs."""

from collections.abc import Iterable
from html import escape

# Width of an average glyph in parts of the font size, on the safe side, for the page's two fonts.
_SANS = 0.56
_MONO = 0.61


def element(tag: str, *children: str, **attributes: str | float | None) -> str:
    """Return an element; children are markup, attributes are escaped, `_` in their names stands for `-`.

    An attribute of None is left out. `class_` is `class`.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = "".join(children)
    return f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>"


def _number(value: str | float) -> str:
    """Return the shortest text of a number at a tenth of a pixel: the same bytes on every machine."""
    if isinstance(value, str):
        return value
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def text(x: float, y: float, words: str, class_: str = "", **attributes: str | float | None) -> str:
    """Return a line of text; y is its baseline."""
    return element("text", escape(words), x=x, y=y, class_=class_ or None, **attributes)


def title(words: str) -> str:
    """Return a title: the accessible name of the element that holds it, and its tooltip."""
    return f"<title>{escape(words)}</title>"


def shortened(words: str, width: float, size: float, mono: bool = False) -> str:
    """Return the words, cut in the middle to what fits into the width at the font size, both in pixels."""
    room = int(width / (size * (_MONO if mono else _SANS)))
    if len(words) <= room:
        return words
    if room < 4:
        return ""
    tail = (room - 1) // 2
    return f"{words[: room - 1 - tail]}…{words[-tail:]}"


def picture(width: float, height: float, label: str, parts: Iterable[str], class_: str = "") -> str:
    """Return the svg element: as wide as its place, with an accessible name."""
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        width=width,
        height=height,
        role="group",
        aria_label=label,
        class_=class_ or None,
    )
