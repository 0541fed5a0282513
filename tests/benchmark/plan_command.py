"""What `playbooks/plan_network.yml` takes: `python tests/benchmark/plan_command.py [number of hosts ...]`.

Prints seconds of processor time of the command and its workers, which other work on the machine disturbs
little, the most memory of one of them, and the ratio to `ansible-inventory --list` of the same inventory,
which reads and prints it and no more. It judges nothing, and is no test.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
SIZES = (1_000, 5_000, 20_000)
# The addresses of the first host are 16.0.0.10 and on, outside of pods and services.
FIRST = (16 << 24) + 10


class Cost(NamedTuple):
    """Processor time in seconds, and memory in MiB."""

    seconds: float
    memory: float


def inventory_of(count: int) -> str:
    """Return an inventory of one control plane and `count` nodes, as somebody writes it."""
    hosts = "".join(
        f"        node-{number + 1:05}: {{ansible_host: {address >> 24}.{address >> 16 & 255}."
        f"{address >> 8 & 255}.{address & 255}}}\n"
        for number, address in enumerate(range(FIRST, FIRST + count))
    )
    return (
        "k8s_cluster:\n"
        "  vars: {cluster_pod_cidrs: [10.0.0.0/8], cluster_service_cidrs: [172.20.0.0/16]}\n"
        "  children:\n"
        "    kube_control_plane: {hosts: {node-00001: }}\n"
        "    etcd: {hosts: {node-00001: }}\n"
        f"    kube_node:\n      hosts:\n{hosts}"
    )


def cost_of(program: str, *arguments: str) -> Cost:
    """Run a program of this environment and return what it and its children took; SystemExit if it fails."""
    process = subprocess.Popen(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{program} failed: {errors}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    """Print a table with a row for each size."""
    sizes = [int(argument) for argument in sys.argv[1:]] or SIZES
    table = Table("hosts", "reading, s", "first plan, s", "next plan, s", "ms a host", "times reading", "MiB")
    for count in sizes:
        with TemporaryDirectory() as folder:
            inventory = Path(folder) / "hosts.yml"
            inventory.write_text(inventory_of(count))
            where = ["-i", str(inventory)]
            reading = cost_of("ansible-inventory", *where, "--list")
            plan = ["playbooks/plan_network.yml", *where, "-e", f"plan_report_directory={folder}/reports"]
            first, following = (cost_of("ansible-playbook", *plan) for _ in range(2))
        table.add_row(
            f"{count:,}",
            f"{reading.seconds:.1f}",
            f"{first.seconds:.1f}",
            f"{following.seconds:.1f}",
            f"{following.seconds / count * 1000:.1f}",
            f"{following.seconds / reading.seconds:.1f}",
            f"{max(first.memory, following.memory):.0f}",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
