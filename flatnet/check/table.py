"""The report on a terminal: by class, by pair of nodes, and every cause of failure."""

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from flatnet.check.model import Finding
from flatnet.check.report import Report, needed_repeats, summary

# Wider matrices do not fit on a terminal; then only pairs with failures are shown.
_NODES_SHOWN = 8
_FAILURES_SHOWN = 3
_CAUSES_SHOWN = 12


def render(report: Report, width: int, *, colour: bool) -> str:
    """Return the report as text of at most `width` columns, with ANSI colours when asked for."""
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        emoji=False,
    )
    console.print(_classes(report))
    console.print(_pairs(report["checks"]))
    _print_causes(console, report)
    total = report["passed"] + report["failed"]
    style = "red" if report["failed"] else "yellow" if report["repeated"] else "green"
    again = f", {report['repeated']} of them only when repeated" if report["repeated"] else ""
    console.print(
        f"[{style}]{report['passed']} of {total} checks passed{again}[/] in {report['seconds']:.1f} s"
    )
    return "\n".join(line.rstrip() for line in buffer.getvalue().rstrip("\n").splitlines())


def _classes(report: Report) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, title="Promises of the pod network", title_justify="left", pad_edge=False
    )
    table.add_column("class")
    for name in ("ok", "failed", "repeated", "slowest"):
        table.add_column(name, justify="right")
    for kind in dict.fromkeys(finding["class"] for finding in report["checks"]):
        mine = [finding for finding in report["checks"] if finding["class"] == kind]
        failed = sum(not finding["ok"] for finding in mine)
        repeated = sum(map(needed_repeats, mine))
        table.add_row(
            kind,
            f"{len(mine) - failed}/{len(mine)}",
            f"[red]{failed}[/]" if failed else "-",
            f"[yellow]{repeated}[/]" if repeated else "-",
            f"{max(finding['milliseconds'] for finding in mine):.0f} ms",
        )
    return table


def _pairs(findings: Sequence[Finding]) -> Table:
    """Return the matrix of who reached whom: rows are sources, columns are targets."""
    cells: dict[tuple[str, str], list[bool]] = {}
    for finding in findings:
        pair = (finding["source"]["node"] or "controller", finding["target"]["node"] or "services")
        cells.setdefault(pair, []).append(finding["ok"])
    rows = list(dict.fromkeys(source for source, _ in cells))
    columns = list(dict.fromkeys(target for _, target in cells))
    if len(rows) > _NODES_SHOWN:
        wrong = [pair for pair, oks in cells.items() if not all(oks)]
        rows = list(dict.fromkeys(source for source, _ in wrong))[:_NODES_SHOWN]
        columns = list(dict.fromkeys(target for _, target in wrong))[:_NODES_SHOWN]
    # Services belong to no node: last, where they do not come between the nodes.
    columns.sort(key=lambda name: name == "services")
    rows.sort(key=lambda name: name == "controller")
    table = Table(box=box.SIMPLE_HEAD, title="From (row) to (column)", title_justify="left", pad_edge=False)
    table.add_column("")
    for name in columns:
        table.add_column(escape(name), justify="right")
    for source in rows:
        table.add_row(escape(source), *(_cell(cells.get((source, target), [])) for target in columns))
    return table


def _cell(oks: Sequence[bool]) -> str:
    if not oks:
        return ""
    right = sum(oks)
    return f"[green]{right}[/]" if right == len(oks) else f"[red]{right}/{len(oks)}[/]"


def _print_causes(console: Console, report: Report) -> None:
    failures: dict[str, list[Finding]] = {}
    for finding in report["checks"]:
        if not finding["ok"]:
            failures.setdefault(finding["cause"], []).append(finding)
    for cause in report["causes"][:_CAUSES_SHOWN]:
        checks = "1 check" if cause["checks"] == 1 else f"{cause['checks']} checks"
        console.print(f"[red]{escape(cause['cause'])}[/] ({checks})")
        _print_indented(console, f"look at: {cause['look']}")
        mine = failures[cause["cause"]]
        for finding in mine[:_FAILURES_SHOWN]:
            _print_indented(console, summary(finding))
        if len(mine) > _FAILURES_SHOWN:
            _print_indented(console, f"and {len(mine) - _FAILURES_SHOWN} more")
        console.print()
    hidden = len(report["causes"]) - _CAUSES_SHOWN
    if hidden > 0:
        console.print(f"{hidden} further causes are in the report.")


def _print_indented(console: Console, text: str) -> None:
    console.print(Padding(escape(text), (0, 0, 0, 2)))
