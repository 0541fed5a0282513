"""Times switches of the network of three container hosts, beside a reset and a provision of the same network.

Goes from every backend to every other one, through the modes of each, and through those of kube-proxy, as far
as the machine can run them. Each network is also reached by a reset and a provision, once: the ratio can be
compared between machines. The interruption is what a switch tells of itself. Prints figures and the machine
they were measured on; judges nothing, and is no test. With --record they go into docs/backends.md.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from provision import ROOT, Run, machine, measure
from rich.console import Console
from rich.table import Table

from flatnet.contract import find_contracts
from tests.docs.measured import record_measured
from tests.tour.hosts import Hosts
from tests.tour.machine import missing_features, read_machine
from tests.tour.stops import Stop, plan_tour
from tests.tour.walk import walk_of_networks

PREFIX = "flatnet-tour"
INVENTORIES = [str(ROOT / path) for path in ("inventories/container_hosts", "molecule/tour/inventory")]
GIVEN = [f"--inventory={path}" for path in INVENTORIES]
_CONFIRMED = [f"--extra-vars=cluster_{verb}_confirmed=container-hosts" for verb in ("switch", "reset")]


def playbook(path: str, settings: dict[str, str] | None = None) -> Run:
    """Run a playbook on the hosts."""
    binary = Path(sys.executable).parent / "ansible-playbook"
    given = f"--extra-vars={json.dumps(settings or {})}"
    return measure(binary, *GIVEN, ROOT / path, given, *_CONFIRMED)


def rows(stops: Sequence[Stop]) -> Iterator[dict[str, Any]]:
    """Go all the way and yield a row for each switch, seconds each."""
    anew: dict[Stop, float] = {}
    for old, new in pairwise(stops):
        switched = playbook("playbooks/switch_network.yml", new.settings)
        if new not in anew:
            anew[new] = sum(
                playbook(f"playbooks/{verb}_network.yml", new.settings).seconds
                for verb in ("reset", "provision")
            )
        told = re.findall(
            r"NodePort (?:(\S+) s|not measured), .*node (?:(\S+) s|not measured)", switched.output
        )
        outside, pods = told[0] if told else ("", "")
        yield {
            "from": old.name,
            "to": new.name,
            "switch": round(switched.seconds, 1),
            "anew": round(anew[new], 1),
            "outside": float(outside) if outside else None,
            "pods": float(pods) if pods else None,
        }


def main() -> None:
    """Make hosts, measure, print, and remove the hosts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    command = [sys.executable, "-m", "tests.container_hosts"]
    measure(*command, "destroy", *GIVEN)
    measure(*command, "create", *GIVEN)
    table = Table(
        "from", "to", "switch", "reset + provision", "ratio", "interruption", title="Three container hosts"
    )
    found = []
    try:
        for prepared in ("router", "segment"):
            playbook(f"molecule/resources/{prepared}.yml")
        contracts = find_contracts([ROOT / "roles"])
        with tempfile.TemporaryDirectory() as reports:
            hosts = Hosts(PREFIX, INVENTORIES, Path(reports))
            machine_of = partial(hosts.call, "node-1")
            lacks = missing_features(contracts, machine_of)
            stops = plan_tour(contracts, read_machine(contracts, machine_of, with_slow=True), "kubenet").stops
            route = walk_of_networks(stops, contracts)
        playbook("playbooks/provision_network.yml", route[0].settings)
        for row in rows(route):
            found.append(row)
            # A row takes a minute.
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            table.add_row(
                row["from"],
                row["to"],
                f"{row['switch']} s",
                f"{row['anew']} s",
                f"{row['switch'] / row['anew']:.2f}",
                f"{row['outside']} s / {row['pods']} s",
            )
    finally:
        measure(*command, "destroy", *GIVEN)
    console = Console()
    console.print(table)
    console.print(machine())
    if record:
        record_measured({"machine": machine(), "lacks": lacks, "switches": found})


if __name__ == "__main__":
    main()
