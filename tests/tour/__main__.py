"""`python -m tests.tour`: go from stop to stop on hosts that have the first one, and back to it.

Prints a line for each switch, and by name what this machine cannot run.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from flatnet.contract import find_contracts
from tests.tour import pods
from tests.tour.hosts import ROOT, Hosts, TourError
from tests.tour.leg import Leg
from tests.tour.machine import read_machine
from tests.tour.manners import Switch, manners
from tests.tour.stops import Stop, Tour, plan_tour

_COMPARED = ("node-1", "node-2")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 for a tour without a finding, 1 with one."""
    parser = argparse.ArgumentParser(prog="python -m tests.tour", description=__doc__)
    parser.add_argument("command", choices=("stops", "go"))
    parser.add_argument("--prefix", required=True)
    parser.add_argument("-i", "--inventory", action="append", required=True)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument(
        "--first", required=True, help="the backend that is there, and that the tour ends with"
    )
    parser.add_argument("--at", help="the stop that the hosts have, if it is another; as `go` prints it")
    parser.add_argument("--cluster", default="container-hosts")
    options = parser.parse_args(arguments)
    options.reports.mkdir(parents=True, exist_ok=True)
    hosts = Hosts(options.prefix, options.inventory, options.reports)
    # Which half of the tests it is a part of, tests/pipeline tells.
    with_slow = os.environ.get("FLATNET_TEST_SLOW", "1") == "1"
    contracts = find_contracts([ROOT / "roles"])
    machine = read_machine(
        contracts, lambda command, text: hosts.call(_COMPARED[0], command, text), with_slow=with_slow
    )
    tour = plan_tour(contracts, machine, options.first)
    if options.command == "stops":
        stops = [{"name": stop.name, **stop.settings} for stop in tour.stops]
        sys.stdout.write(json.dumps({"stops": stops, "left_out": tour.left_out}) + "\n")
        return 0
    switches = switches_of(tour, hosts, options.cluster)
    chosen, unshown = manners(switches)
    tour.left_out |= {f"a switch {name}": "no stop is left to be reached so" for name in unshown}
    try:
        legs = [Leg(*one) for one in zip(switches, chosen, strict=True)]
        begin = [stop.name for stop in tour.stops].index(options.at) if options.at else 0
        pods.start(hosts)
        go(legs[begin:], hosts)
    except TourError as error:
        sys.stdout.write(f"FAILED {error}\n")
        return 1
    finally:
        for name, reason in tour.left_out.items():
            sys.stdout.write(f"not run on this machine: {name}: {reason}\n")
    return 0


def switches_of(tour: Tour, hosts: Hosts, cluster: str) -> list[Switch]:
    """Return the switches of a tour, each with the stop after it, or before, as a network that is neither."""
    stops = tour.stops
    return [
        Switch(old, new, next((one for one in stops if one not in (old, new)), new), hosts, cluster)
        for old, new in tour.legs
    ]


def go(legs: Sequence[Leg], hosts: Hosts) -> None:
    """Travel every leg. Raises TourError at the first that is not as it should be."""
    before = {host: (hosts.reports / "before" / host).read_text().splitlines() for host in _COMPARED}
    faults = yaml.safe_load((ROOT / "molecule/tour/vars/faults.yml").read_text())["faults"]
    for index, leg in enumerate(legs):
        try:
            leg.travel(fault_of(faults, leg.switch.new), before, _COMPARED[index % len(_COMPARED)])
        finally:
            leg.told(sys.stdout.write)
            sys.stdout.flush()


def fault_of(faults: dict[str, dict[str, str]], stop: Stop) -> dict[str, str]:
    """Return what to break at a stop: of its backend in its mode, else of the backend."""
    name = f"{stop.backend} {stop.mode}".strip()
    found = faults.get(name) or faults.get(stop.backend)
    if not found:
        raise TourError(
            f"molecule/tour/vars/faults.yml has no fault of {name}; add one that only it can have"
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
