"""Times the planner, and what others need for a part of its work: `python tests/benchmark/plan.py`.

Prints seconds of processor time, which other work on the machine disturbs little, and the machine. It judges
nothing, and is no test. All are measured in one run, so that ratios can be compared between machines. The
part that everybody can do is: node i of n gets the i-th /24 of the cluster network, with its gateway; its own
address must be outside pods and services, and nobody else's.
"""

import ipaddress
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import netaddr
from plan_steps import steps_table
from rich.console import Console
from rich.table import Table

from flatnet.contract import find_contracts
from flatnet.plan import node_routes, open_ledger, parse_ledger, plan_from_data
from flatnet.plan.ledger_text import ledger_text

SERVICES, PREFIX = "10.32.0.0/16", 24
SERVICES_IPV6, PREFIX_IPV6 = "fd20::/112", 64
CONTRACTS = find_contracts([Path(__file__).parents[2] / "roles"])
SIZES = (1_000, 10_000, 100_000)
# What enumerates is only asked for so many nodes.
PART = 1_000

Answer = list[tuple[str, str]]
"""Per node its pod network and gateway."""


def cluster_for(count: int) -> str:
    """Return the smallest cluster network with room for so many nodes."""
    return f"64.0.0.0/{PREFIX - (count - 1).bit_length()}"


def settings_for(count: int, is_dual: bool = False) -> dict[str, list[str]]:
    settings = {"cluster_pod_cidrs": [cluster_for(count)], "cluster_service_cidrs": [SERVICES]}
    if is_dual:
        settings["cluster_pod_cidrs"].append(f"fd00::/{PREFIX_IPV6 - (count - 1).bit_length()}")
        settings["cluster_service_cidrs"].append(SERVICES_IPV6)
    return settings


def node_address(number: int) -> str:
    return f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def node_addresses(number: int, is_dual: bool = False) -> list[str]:
    ipv6 = f"fd10::{1 + (number >> 16):x}:{number & 65535:x}"
    return [node_address(number), ipv6][: 1 + is_dual]


def inventory(count: int, is_dual: bool = False) -> list[dict[str, Any]]:
    """Return hosts as the role hands them over, the first with every group."""
    groups = (["etcd", "kube_control_plane", "kube_node"], ["kube_node"])
    return [
        {
            "inventory_name": f"node-{i:06}",
            "node_name": None,
            "addresses": node_addresses(i, is_dual) if is_dual else node_address(i),
            "groups": groups[bool(i)],
            "pod_cidr": None,
            "facts": None,
        }
        for i in range(count)
    ]


def seconds(function: Callable[[], object], rounds: int = 3) -> float:
    """Return the least processor time of several runs."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best


def with_flatnet(count: int) -> Answer:
    nodes = plan_from_data(settings_for(count), inventory(count), CONTRACTS).plan["nodes"]
    return [(node["pod_cidrs"][0], node["pod_gateways"][0]) for node in nodes.values()]


def with_ipaddress(count: int) -> Answer:
    cluster, services = ipaddress.IPv4Network(cluster_for(count)), ipaddress.IPv4Network(SERVICES)
    answer: Answer = []
    seen = set()
    subnets = itertools.islice(cluster.subnets(new_prefix=PREFIX), count)
    for number, network in enumerate(subnets):
        address = ipaddress.IPv4Address(node_address(number))
        if address in cluster or address in services or address in seen:
            raise ValueError(address)
        seen.add(address)
        answer.append((str(network), str(network[1])))
    return answer


def with_netaddr(count: int) -> Answer:
    cluster, services = netaddr.IPNetwork(cluster_for(count)), netaddr.IPNetwork(SERVICES)
    answer: Answer = []
    seen = set()
    subnets = itertools.islice(cluster.subnet(PREFIX), count)
    for number, network in enumerate(subnets):
        address = netaddr.IPAddress(node_address(number))
        if address in cluster or address in services or address in seen:
            raise ValueError(address)
        seen.add(address)
        answer.append((str(network), str(network[1])))
    return answer


def with_netaddr_by_index(count: int) -> Answer:
    """Enumerate for each node again, as an expression in a template does."""
    cluster = netaddr.IPNetwork(cluster_for(count))
    answer: Answer = []
    for number in range(count):
        network = next(itertools.islice(cluster.subnet(PREFIX), number, None))
        answer.append((str(network), str(network[1])))
    return answer


def with_ansible_utils(count: int) -> Answer:
    """Ask the filters for each node by its index, as a playbook does."""
    filters = "ansible_collections.ansible.utils.plugins.filter"
    subnet = import_module(f"{filters}.ipsubnet").ipsubnet
    nth = import_module(f"{filters}.nthhost").nthhost
    inside = import_module(f"{filters}.network_in_network").network_in_network
    cluster = cluster_for(PART)
    answer: Answer = []
    seen = set()
    for number in range(count):
        address = node_address(number)
        if inside(cluster, address) or inside(SERVICES, address) or address in seen:
            raise ValueError(address)
        seen.add(address)
        network = subnet(cluster, str(PREFIX), number)
        answer.append((network, nth(network, 1)))
    return answer


def measure(count: int, is_dual: bool) -> dict[str, float]:
    """Return what n nodes take, in this process: seconds by kind of work, and the peak memory of one plan."""
    # Room for one more.
    settings, hosts = settings_for(count + 1, is_dual), inventory(count, is_dual)
    start, start_on_the_wall = time.process_time(), time.perf_counter()
    planned = plan_from_data(settings, hosts, CONTRACTS)
    took = {"first": time.process_time() - start, "on the wall": time.perf_counter() - start_on_the_wall}
    took["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ledger, text = planned.allocations, ledger_text(planned.allocations)
    took["again"] = seconds(lambda: plan_from_data(settings, hosts, CONTRACTS, ledger))
    took["read the file"] = seconds(lambda: parse_ledger(text))
    took["write its text"] = seconds(lambda: ledger_text(ledger))
    took["one line more"], took["run with one more"] = file_changes(settings, hosts, text, is_dual)
    took["routes of one host"] = seconds(lambda: node_routes(planned.plan, "node-000000"), 1)
    return took


def file_changes(
    settings: object, hosts: list[dict[str, Any]], text: str, is_dual: bool
) -> tuple[float, float]:
    """Return what changing the file's text for one node takes, and what reading, planning and writing do."""
    last = hosts[-1] | {"inventory_name": "node-000000-more", "addresses": node_addresses(1 << 20, is_dual)}
    with TemporaryDirectory() as directory:
        path = Path(directory) / "network_allocations.yml"
        path.write_text(text, encoding="utf-8")
        with open_ledger(path) as ledger:
            more = plan_from_data(settings, [*hosts, last], CONTRACTS, ledger.allocations).allocations
            line = seconds(lambda: ledger.text_after(more))
        # One more and one fewer in turns, so that each run has something to write.
        turns = itertools.cycle([[*hosts, last], hosts])

        def run() -> None:
            with open_ledger(path) as ledger:
                planned = plan_from_data(settings, next(turns), CONTRACTS, ledger.allocations)
                ledger.write(ledger.text_after(planned.allocations))

        return line, seconds(run, 4)


def measured_apart(count: int, is_dual: bool) -> dict[str, float]:
    """Measure in a process of its own, so that memory is that of one plan; the best of three."""
    command = [sys.executable, __file__, str(count), *(["dual"] if is_dual else [])]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    return {key: min(took[key] for took in runs) for key in runs[0]}


def machine() -> str:
    """Return what it was measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(": ")[2] for line in lines if "model name" in line), platform.machine())
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"


def sizes_table() -> Table:
    columns = ("first plan", "on the wall", "per node", "peak memory", "again")
    table = Table("families", "nodes", *columns, title="flatnet alone")
    beside = ("read the file", "write its text", "one line more", "run with one more", "routes of one host")
    extra = Table("families", "nodes", *beside, title="beside the plan")
    for is_dual, count in itertools.product((False, True), SIZES):
        took = measured_apart(count, is_dual)
        families = "both" if is_dual else "IPv4"
        table.add_row(
            families,
            f"{count:,}",
            f"{took['first']:.3f} s",
            f"{took['on the wall']:.3f} s",
            f"{took['first'] / count * 1e6:.1f} µs",
            f"{took['megabytes']:.0f} MB",
            f"{took['again']:.3f} s",
        )
        extra.add_row(families, f"{count:,}", *(f"{took[key]:.3f} s" for key in beside))
    grid = Table.grid()
    grid.add_row(table)
    grid.add_row(extra)
    return grid


def ratios_table() -> Table:
    """Return what the same work takes with others, who check a part of the rules at most."""
    table = Table("the same work with", "nodes", "seconds", "times flatnet", title="ratios of this run")
    others = {"ipaddress": with_ipaddress, "netaddr": with_netaddr}
    for count in (PART, SIZES[-1]):
        expected = with_flatnet(count)
        own = seconds(partial(with_flatnet, count))
        table.add_row("flatnet (the whole plan, all rules)", f"{count:,}", f"{own:.3f}", "1.0")
        by_index = {"netaddr, by index": with_netaddr_by_index} if count == PART else {}
        for name, function in (others | by_index).items():
            took = seconds(partial(function, count), 1)
            if function(count) != expected:
                raise SystemExit(f"{name} found other networks")
            table.add_row(name, f"{count:,}", f"{took:.3f}", f"{took / own:.1f}")
        if count == PART:
            add_ansible_utils(table, own)
    return table


def add_ansible_utils(table: Table, own: float) -> None:
    """Ask the filters for a few nodes and scale: they list all subnets for each single one."""
    few = 20
    try:
        took = seconds(lambda: with_ansible_utils(few), 1) * PART / few
    except ImportError as error:
        table.add_row(f"ansible.utils: not here ({error.name})", "", "", "")
        return
    table.add_row(f"ansible.utils (from {few} nodes)", f"{PART:,}", f"{took:.0f}", f"{took / own:,.0f}")


def main() -> None:
    """Print the figures, or with a number of nodes (and `dual`) those of that size as JSON."""
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measure(int(sys.argv[1]), "dual" in sys.argv)))
        return
    # As wide as the tables, also where the output is no terminal.
    console = Console(width=100)
    console.print(machine())
    console.print(sizes_table())
    console.print(ratios_table())
    console.print(steps_table(seconds))


if __name__ == "__main__":
    main()
