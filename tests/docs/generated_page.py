"""The command of a page of docs/ that is made from the code: write it, or say what it lacks."""

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from flatnet.errors import FlatnetError

ROOT = Path(__file__).resolve().parents[2]
# A page that is far behind is told by its beginning.
_SHOWN = 40


def run(
    module: str,
    description: str | None,
    target: Path,
    render: Callable[[str, Path], str],
    arguments: Sequence[str] | None,
) -> int:
    """Run `python -m MODULE [--check] [--root DIRECTORY]` and return the exit status.

    `target` is the page below the checkout, `render` makes its text of the present one and the checkout. A
    FlatnetError of it is told and changes nothing.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; 1 when the page is not up to date"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout; default: that of this package")
    options = parser.parse_args(arguments)
    page: Path = options.root / target
    try:
        before = page.read_text(encoding="utf-8") if page.is_file() else ""
        after = render(before, options.root)
        if not options.check and after != before:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(after, encoding="utf-8")
    except (FlatnetError, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    if not options.check or after == before:
        return 0
    changed = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(target), "generated", lineterm=""
    )
    sys.stderr.writelines(f"{line}\n" for line in list(changed)[:_SHOWN])
    return 1
