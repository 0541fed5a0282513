"""The difference as a table for a terminal."""

from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from flatnet.plan_report.changes import Restart
from flatnet.plan_report.difference import Difference
from flatnet.plan_report.words import counted, listed

WIDTH = 120


def difference_table(difference: Difference, width: int = WIDTH) -> str:
    """Return the difference as text without colour: a sentence, and a row per change.

    `width` is in characters; longer cells are folded, never cut.
    """
    text = StringIO()
    console = Console(file=text, width=width, color_system=None, markup=False, emoji=False, highlight=False)
    if difference.changes:
        table = Table("What changes", "What happens", "What restarts", box=SIMPLE_HEAD, leading=1)
        for change in difference.changes:
            happens = list(change.effects)
            if change.refused:
                happens = [f"REFUSED: {change.refused}.", f"To get there: {change.remedy}."]
            table.add_row(
                change.words, "\n".join(happens), "\n".join(map(restart_words, change.restarts)) or "-"
            )
        table.columns[2].max_width = width // 4
        for column in table.columns:
            column.overflow = "fold"
        console.print(table)
    console.print(difference.summary)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n")


def restart_words(restart: Restart) -> str:
    """Return a restart as text: the unit, and where."""
    if len(restart.hosts) > 4:
        return f"{restart.unit} on {counted(len(restart.hosts), 'host')}"
    return f"{restart.unit} on {listed(restart.hosts)}"
