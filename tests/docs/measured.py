"""What was measured on the test machine, for docs/backends.md: how long switches took, and what it lacks.

`python tests/benchmark/switch.py --record` writes it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flatnet.contract import Contracts
from tests.tour.stops import Tour, machine_without, plan_tour

FILE = Path(__file__).with_name("measured.yml")
_FIRST = "kubenet"


def machine_tour(contracts: Contracts, first: str, file: Path = FILE) -> Tour:
    """Return the tour of the test machine, by what its kernel lacks."""
    return plan_tour(contracts, machine_without(contracts, _measured(file)["lacks"]), first)


def _measured(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {"machine": "", "lacks": [], "switches": []}
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def lacking_table(left_out: Mapping[str, str]) -> str:
    """Return what a machine cannot run, with what is missing."""
    if not left_out:
        return "It runs all of them."
    rows = (f"| {name} | {reason} |" for name, reason in sorted(left_out.items()))
    return "\n".join(["| not run | why |", "| --- | --- |", *rows])


def switches_table(measured: Sequence[dict[str, Any]]) -> str:
    """Return how long each switch took, and how long connections failed, in seconds."""
    lines = [
        "| from | to | switch | reset and provision | ratio | from outside to a NodePort | from pod to pod |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in measured:
        cells = [
            row["from"],
            row["to"],
            f"{row['switch']:.0f} s",
            f"{row['anew']:.0f} s",
            f"{row['switch'] / row['anew']:.2f}",
            *("not measured" if row[way] is None else f"{row[way]:.1f} s" for way in ("outside", "pods")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def measured_section(contracts: Contracts, file: Path = FILE) -> str:
    """Return the part of the page on what was measured; nothing where nothing was."""
    measured = _measured(file)
    if not measured["switches"]:
        return ""
    return "\n\n".join(
        [
            "## How long a switch interrupts",
            f"Three container hosts on one machine ({measured['machine']}), each switch beside a reset and a "
            "provision of the same network, by `python tests/benchmark/switch.py`. Seconds of other machines "
            "differ, the ratio hardly does. [How to switch](switch.md).",
            switches_table(measured["switches"]),
            "## What that machine cannot run",
            "The scenario `tour` leaves it out by name. On hosts that have what is missing here, nothing "
            "refuses it, and nobody has verified it yet.",
            lacking_table(machine_tour(contracts, _FIRST, file).left_out),
        ]
    )
