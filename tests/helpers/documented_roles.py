"""Roles as docs/backends.md shows them: each block of code that begins with a path is a file."""

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/backends.md"
_BLOCK = re.compile(r"^( *)```yaml\n *# (roles/\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def documented_files() -> dict[str, str]:
    """Return the text of each file that the page shows, by its path below a folder of roles."""
    blocks = _BLOCK.findall(PAGE.read_text())
    return {path.removeprefix("roles/"): textwrap.dedent(text) for _, path, text in blocks}


def write_documented_roles(folder: Path) -> None:
    """Write the files of the page below a folder of roles."""
    for name, text in documented_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
