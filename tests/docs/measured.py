"""What was measured on the test machine, for docs/backends.md.

How long switches took and what the machine lacks, by `python tests/benchmark/switch.py --record`; what
networks cost a connection, by `python tests/benchmark/throughput.py --record`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flatnet.contract import Contracts
from tests.tour.stops import Tour, machine_without, plan_tour

FILE = Path(__file__).with_name("measured.yml")
_FIRST = "kubenet"
_HEADER = "---\n# Written by tests/benchmark/switch.py and tests/benchmark/throughput.py with --record.\n"
_NOTHING: Mapping[str, Any] = {
    "machine": "",
    "lacks": [],
    "switches": [],
    "throughput": {"machine": "", "networks": []},
}


class _Indented(yaml.SafeDumper):
    """Writes lists as the project's other files have them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Begin a block; the name and the arguments are PyYAML's."""
        del indentless
        super().increase_indent(flow, indentless=False)


def record_measured(part: Mapping[str, Any], file: Path = FILE) -> None:
    """Write what one benchmark has measured, and keep what others have."""
    kept = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(_HEADER + yaml.dump({**kept, **part}, Dumper=_Indented, sort_keys=False))


def machine_tour(contracts: Contracts, first: str, file: Path = FILE) -> Tour:
    """Return the tour of the test machine, by what its kernel lacks."""
    return plan_tour(contracts, machine_without(contracts, _measured(file)["lacks"]), first)


def _measured(file: Path) -> dict[str, Any]:
    found = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {**_NOTHING, **found}


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


def throughput_table(measured: Sequence[Mapping[str, Any]]) -> str:
    """Return what each network made of a connection, beside the hosts."""
    lines = [
        "| network | stream, pods | hosts | ratio | there and back, pods | hosts | ratio |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in measured:
        pods, hosts = row["pods"], row["hosts"]
        cells = [
            row["network"],
            *(f"{one['megabits']:,.0f} Mbit/s" for one in (pods, hosts)),
            f"{pods['megabits'] / hosts['megabits']:.2f}",
            *(f"{one['microseconds']:.0f} µs" for one in (pods, hosts)),
            f"{pods['microseconds'] / hosts['microseconds']:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def measured_section(contracts: Contracts, file: Path = FILE) -> str:
    """Return the part of the page on what was measured; nothing where nothing was."""
    measured = _measured(file)
    parts: list[str] = []
    if measured["switches"]:
        parts += [
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
    cost = measured["throughput"]
    if cost["networks"]:
        parts += [
            "## What a network costs a connection",
            f"From a pod to a pod of another node, beside the same between the two hosts a moment before and "
            f"after: one TCP stream, and one byte there and back. Container hosts on one machine "
            f"({cost['machine']}), whose processors do both ends' work, by `python "
            "tests/benchmark/throughput.py`. Figures of other machines differ, and so do ratios where a "
            "network card takes work off a tunnel.",
            throughput_table(cost["networks"]),
        ]
    return "\n\n".join(parts)
