"""Times a provision that finds all as it should be, on 3, 8 and 16 container hosts, or the numbers given.

Prints figures and the machine they were measured on; judges nothing, and is no test. The measure is the ratio
to one `ssh host true` on all of the same hosts at once, over connections that have to be opened: what it
takes to ask every host anything at all. How many container hosts a machine carries is a matter of its inotify
limits: numbers that it refuses are listed as such.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from provision import INVENTORY, Run, changed_hosts, machine, measure, most_calls
from rich.console import Console
from rich.table import Table

SIZES = (3, 8, 16)
ROOT = Path(__file__).resolve().parents[2]
PREFIX = "benchmark"
NETWORK = "10.219.0"
TIMES = 3


def inventory_of(size: int, directory: Path) -> Path:
    """Write an inventory of one control plane, which is a node too, and more nodes; return its folder."""
    inventory = directory / f"hosts-{size}"
    inventory.mkdir()
    for name in ("group_vars",):
        (inventory / name).symlink_to(INVENTORY / name)
    settings: dict[str, Any] = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["k8s_cluster"]["vars"]
    names = ["control-plane-1", *(f"node-{number}" for number in range(1, size))]
    content = {
        "k8s_cluster": {
            "vars": {
                **settings,
                "cluster_name": PREFIX,
                "container_hosts_prefix": PREFIX,
                "container_hosts_subnets": [f"{NETWORK}.0/24"],
            },
            "children": {
                "kube_control_plane": {"hosts": {names[0]: None}},
                "etcd": {"hosts": {names[0]: None}},
                "kube_node": {"hosts": dict.fromkeys(names)},
            },
            "hosts": {name: {"ansible_host": f"{NETWORK}.{11 + at}"} for at, name in enumerate(names)},
        }
    }
    (inventory / "hosts.yml").write_text(yaml.safe_dump(content))
    return inventory


def ask_all(names: Sequence[str], configuration: Path) -> float:
    """Return the seconds until all hosts have answered `true`, each by a connection of its own."""
    begin = time.monotonic()
    command = ["ssh", "-F", str(configuration), "-o", "ControlPath=none"]
    asked = [subprocess.Popen([*command, name, "true"], stdin=subprocess.DEVNULL) for name in names]
    statuses = [process.wait() for process in asked]
    if any(statuses):
        sys.exit("a host does not answer ssh")
    return time.monotonic() - begin


def provision(inventory: Path) -> Run:
    """Run the whole provision."""
    binary = Path(sys.executable).parent / "ansible-playbook"
    return measure(binary, "-i", inventory, ROOT / "playbooks" / "provision_network.yml")


def row_of(size: int, directory: Path) -> list[str]:
    """Return the figures for that many hosts; the hosts are made for it and go again."""
    inventory = inventory_of(size, directory)
    hosts = [sys.executable, "-m", "tests.container_hosts"]
    made = subprocess.run(
        [*hosts, "create", "--inventory", inventory], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        measure(*hosts, "destroy", PREFIX)
        return [str(size), "refused by this machine's limits", "", "", "", ""]
    try:
        configuration = Path(made.stdout.rpartition("ssh -F ")[2].split()[0])
        first = provision(inventory)
        second = [provision(inventory) for _ in range(TIMES)]
        names = yaml.safe_load((inventory / "hosts.yml").read_text())["k8s_cluster"]["hosts"]
        asked = [ask_all(list(names), configuration) for _ in range(TIMES)]
    finally:
        measure(*hosts, "destroy", PREFIX)
    best, least = min(second, key=lambda run: run.seconds), min(asked)
    return [
        str(size),
        f"{first.seconds:.1f} s, {most_calls(first)} calls",
        f"{best.seconds:.1f} s, {most_calls(best)} calls",
        str(changed_hosts(best)),
        f"{least:.2f} s",
        f"{best.seconds / least:.1f}",
    ]


def main() -> None:
    """Measure, print."""
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    table = Table(
        "hosts",
        "provision (busiest host)",
        "second provision (busiest host)",
        "hosts changed",
        "ssh host true",
        "ratio",
        title="A provision that finds all as it should be",
    )
    with tempfile.TemporaryDirectory(prefix="flatnet-benchmark-") as directory:
        for size in sizes:
            table.add_row(*row_of(size, Path(directory)))
    console = Console()
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
