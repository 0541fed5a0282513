"""Times the provision of three empty container hosts, and what it costs; run it with `make benchmark`.

Prints figures and the machine they were measured on. It judges nothing, and is no test. The baseline is
measured in the same run on the same hosts, so that ratios can be compared between machines.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "container_hosts"
REPORTS = ROOT / "reports" / "benchmark"


@dataclass(frozen=True)
class Run:
    """One measured command: wall seconds, peak memory in MB (summed PSS of its processes), and its output."""

    seconds: float
    peak_megabytes: int
    output: str


def proportional_memory(root: int) -> int:
    """Return the summed proportional set size, in kB, of a process and its descendants."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    members = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in members} - members
        members |= more
        grown = bool(more)
    total = 0
    for pid in members:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found = re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
        total += int(found.group(1)) if found else 0
    return total


def measure(*command: str | Path) -> Run:
    """Run a command in the project's root and measure it; its failure ends the benchmark."""
    peak = 0
    with tempfile.TemporaryFile("w+") as output:
        begin = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True
        )
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.25):
                peak = max(peak, proportional_memory(process.pid))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        code = process.wait()
        seconds = time.monotonic() - begin
        done.set()
        watcher.join()
        output.seek(0)
        text = output.read()
    if code:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{text[-4000:]}")
    return Run(seconds, peak // 1024, text)


def playbook(name: str) -> Run:
    """Run a playbook on the container hosts."""
    binary = Path(sys.executable).parent / "ansible-playbook"
    return measure(binary, "-i", INVENTORY, "-e", f"network_check_report_directory={REPORTS}", ROOT / name)


def most_calls(run: Run) -> int:
    """Return the largest number of remote calls that one host had to answer."""
    return max(int(count) for count in re.findall(r"calls=(\d+)", run.output))


def changed_hosts(run: Run) -> int:
    """Return how many hosts reported a change."""
    return len(re.findall(r"changed=[1-9]", run.output))


def machine() -> str:
    """Return the machine in words: processor, cores, memory, kernel."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    gigabytes = int(memory.group(1)) // 1024**2 if memory else 0
    model = cpu.group(1) if cpu else platform.machine()
    return f"{os.cpu_count()} x {model}, {gigabytes} GiB, Linux {platform.release()}"


def main() -> None:
    """Make empty hosts, measure, print, and remove the hosts."""
    hosts = [sys.executable, "-m", "tests.container_hosts"]
    measure(*hosts, "destroy", "--inventory", INVENTORY)
    created = measure(*hosts, "create", "--inventory", INVENTORY)
    try:
        baseline = playbook("tests/benchmark/baseline.yml")
        provision = playbook("playbooks/provision_network.yml")
        verify = playbook("playbooks/verify_network.yml")
        again = playbook("playbooks/provision_network.yml")
    finally:
        measure(*hosts, "destroy", "--inventory", INVENTORY)
    report = json.loads((REPORTS / "network_check.json").read_text())

    table = Table("what", "value", "per baseline", title="Three container hosts")
    for label, seconds in (
        ("baseline: 20 copy tasks", baseline.seconds),
        ("hosts created", created.seconds),
        ("provision", provision.seconds),
        (f"verify ({report['passed']} checks passed, {report['failed']} failed)", verify.seconds),
        ("empty hosts to a verified network", provision.seconds + verify.seconds),
        (f"second provision (hosts changed: {changed_hosts(again)})", again.seconds),
    ):
        table.add_row(label, f"{seconds:.1f} s", f"{seconds / baseline.seconds:.2f}")
    table.add_row("remote calls of the busiest host, provision", str(most_calls(provision)), "")
    table.add_row("remote calls of the busiest host, second provision", str(most_calls(again)), "")
    table.add_row("remote calls of the busiest host, verify", str(most_calls(verify)), "")
    table.add_row("peak memory of the controller, provision", f"{provision.peak_megabytes} MB", "")
    console = Console()
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
