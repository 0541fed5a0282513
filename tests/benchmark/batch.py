"""Times routes and forwarding entries for 1,000 peers of one node: `python tests/benchmark/batch.py` as root.

Routes are set by what sets them on hosts, `flatnet.host.state.routes`: the kernel is asked, compared, and
told all that differs in one `ip -batch`. No role writes forwarding entries of its own (flanneld has its own,
and Open vSwitch and bridges learn), so what is measured of them is one `bridge -batch`, run as a host's
programs are run. Beside each the same with one process for each entry, a part of them, scaled. In a network
namespace of its own that goes at the end. Prints figures and the machine; exits with 1 where one is over its
limit.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from plan import machine
from rich.console import Console
from rich.table import Table

from flatnet.host.state.host import Host
from flatnet.host.state.plan import Plan, Undo
from flatnet.host.state.record import Record
from flatnet.host.state.routes import Routes
from flatnet.host.state.wanted import Wanted, WantedRoute

NAMESPACE = f"bench-batch-{os.getpid()}"
ROUTES, ENTRIES = 1_000, 5_000
ROUTES_SECONDS, ENTRIES_SECONDS = 0.050, 0.200
# As many are set one by one; thousands of processes would take longer than they tell.
PART = 200
ROUNDS = 5
_UNDERLAY = "10.99.0.1/16"


@dataclass(frozen=True)
class Measured:
    """Seconds for all at once and for one process each, and what all at once may take."""

    what: str
    batch: float
    single: float
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """How many times longer one process for each takes."""
        return self.single / self.batch

    @property
    def is_within(self) -> bool:
        """Whether it takes no longer than it may."""
        return self.limit is None or self.batch <= self.limit


def routes_of(count: int) -> list[WantedRoute]:
    """Return routes to the pods of so many peers, each through its own address."""
    return [
        WantedRoute(
            f"10.{128 + (number >> 8)}.{number & 255}.0/24",
            f"10.99.{1 + (number >> 8)}.{number & 255}",
            "",
            "",
            None,
        )
        for number in range(count)
    ]


def entries_of(count: int) -> list[str]:
    """Return forwarding entries of a tunnel, as `bridge` takes them: a MAC address behind each peer."""
    return [
        f"fdb append 02:00:00:00:{number >> 8:02x}:{number & 255:02x} dev bench0 "
        f"dst 10.99.{1 + (number >> 8)}.{number & 255}"
        for number in range(count)
    ]


def timed(function: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Return the median of the seconds of several runs. before: what is done ahead of each, and not timed."""
    took = []
    for _ in range(ROUNDS):
        before()
        start = time.perf_counter()
        function()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def wanted_state(routes: Sequence[WantedRoute]) -> Wanted:
    """Return a state of nothing but routes."""
    return Wanted(
        name="bench",
        present=True,
        directories=[],
        files=[],
        links={},
        absent=[],
        units=[],
        kernel_modules=[],
        sysctls={},
        routes=list(routes),
        tables=[],
        asked={},
    )


def apply_routes(host: Host, routes: Sequence[WantedRoute]) -> int:
    """Look at the host's routes and set those that differ; return how many did."""
    plan = Plan()
    Routes(host, wanted_state(routes), Record("bench"), []).plan(plan)
    for step in plan.ordered_steps():
        step(Undo(host))
    return len(plan.changes)


def succeed(host: Host, words: Sequence[str], text: str | None = None) -> None:
    """Run a program of the host. Ends the benchmark where it fails."""
    ran = host.run(list(words), text=text)
    if ran.status:
        sys.exit(f"{' '.join(words)}: {ran.complaint}")


def measure_routes(host: Host) -> Iterator[Measured]:
    """Yield what routes take: to set them, and to find that all are there."""
    routes = routes_of(ROUTES)

    def flush() -> None:
        succeed(host, ["ip", "route", "flush", "proto", "157"])

    batch = timed(lambda: apply_routes(host, routes), flush)
    if apply_routes(host, routes):
        sys.exit("routes that were set are not there")
    again = timed(lambda: apply_routes(host, routes))
    flush()
    start = time.perf_counter()
    for route in routes[:PART]:
        succeed(host, ["ip", "route", "replace", *route.arguments().split()])
    single = (time.perf_counter() - start) * ROUTES / PART
    yield Measured(f"{ROUTES:,} routes, none there", batch, single, ROUTES_SECONDS)
    yield Measured(f"{ROUTES:,} routes, all there", again, single, ROUTES_SECONDS)


def measure_entries(host: Host) -> Iterator[Measured]:
    """Yield what forwarding entries take, for the peers of routes and for more."""

    def renew() -> None:
        host.run(["ip", "link", "delete", "bench0"])
        tunnel = ["type", "vxlan", "id", "1", "dstport", "4789", "nolearning"]
        succeed(host, ["ip", "link", "add", "bench0", *tunnel])
        succeed(host, ["ip", "link", "set", "bench0", "up"])

    for count in (ROUTES, ENTRIES):
        lines = entries_of(count)
        text = "".join(f"{line}\n" for line in lines)
        batch = timed(lambda text=text: succeed(host, ["bridge", "-batch", "-"], text), renew)  # type: ignore[misc]
        if host.run(["bridge", "fdb", "show", "dev", "bench0"], changes=False).output.count("\n") < count:
            sys.exit("forwarding entries that were set are not there")
        renew()
        start = time.perf_counter()
        for line in lines[:PART]:
            succeed(host, ["bridge", *line.split()])
        single = (time.perf_counter() - start) * count / PART
        limit = ENTRIES_SECONDS if count == ENTRIES else None
        yield Measured(f"{count:,} forwarding entries", batch, single, limit)


def inside() -> int:
    """Measure in this network namespace, print, and return the exit status."""
    host = Host()
    for line in (
        "ip link set lo up",
        "ip link add under0 type veth peer name under1",
        f"ip address add {_UNDERLAY} dev under0",
        "ip link set under1 up",
        "ip link set under0 up",
    ):
        succeed(host, line.split())
    found = [*measure_routes(host), *measure_entries(host)]
    table = Table(
        "what", "one batch", "one process each", "ratio", "at most", title="for the peers of a node"
    )
    for one in found:
        limit = "" if one.limit is None else f"{one.limit * 1000:.0f} ms{'' if one.is_within else ', missed'}"
        table.add_row(
            one.what,
            f"{one.batch * 1000:.1f} ms",
            f"{one.single * 1000:.0f} ms",
            f"{one.ratio:.0f}",
            limit,
        )
    console = Console(width=110)
    console.print(table)
    console.print(machine())
    return 0 if all(one.is_within for one in found) else 1


def main() -> int:
    """Make the network namespace, measure in it, and remove it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", action="store_true", help="measure where this is run")
    if parser.parse_args().inside:
        return inside()
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        command = ["ip", "netns", "exec", NAMESPACE, sys.executable, __file__, "--inside"]
        return subprocess.run(command, check=False).returncode
    finally:
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=True)


if __name__ == "__main__":
    sys.exit(main())
