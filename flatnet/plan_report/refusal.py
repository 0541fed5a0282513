"""What stands in the place of a report when the plan is refused: an old page would show another plan."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from flatnet.errors import FlatnetError
from flatnet.plan_report.document import write_text

PAGE = "plan.html"
# Everything else that a plan leaves there, for readers that would take it for the present one.
OTHERS = ("plan.json", "kubeadm.yaml", "flags.txt", "nodes.yaml", "services.yaml")
_STYLE = (
    ":root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; } "
    "main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; } li { margin: 0.5rem 0; }"
)


def refusal_html(cluster: str, message: str) -> str:
    """Return a page with what was said: its first line, and every other one as an item."""
    first, *rest = message.splitlines() or [""]
    items = "".join(f"<li>{escape(line.removeprefix('- '))}</li>\n" for line in rest if line.strip())
    title = escape(f"Network plan of {cluster}: refused")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n'
        f"</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{escape(first)}</p>\n"
        + (f"<ul>\n{items}</ul>\n" if items else "")
        + "<p>Nothing was planned, and what a former plan reported here is gone.</p>\n"
        + "</main>\n</body>\n</html>\n"
    )


def write_refusal(directory: Path, cluster: str, message: str, others: Iterable[str] = OTHERS) -> Path:
    """Write the page in the place of the reports of a former plan, and return its path.

    Raises FlatnetError when that cannot be done.
    """
    page = directory / PAGE
    write_text(page, refusal_html(cluster, message))
    try:
        for name in others:
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise FlatnetError(f"{directory} cannot be cleared of a former plan: {error}") from error
    return page


def told_refusal(directory: Path, cluster: str, message: str) -> str:
    """Put what was refused in the place of a former report; return what else is to be said."""
    try:
        page = write_refusal(directory, cluster, message)
    except FlatnetError as error:
        return f"\nThe reports of a former plan stay: {error}"
    return f"\nWritten: {page}"


def has_report(directory: Path) -> bool:
    """Tell whether a former plan left something there."""
    return any((directory / name).exists() for name in (PAGE, *OTHERS))
