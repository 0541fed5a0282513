"""Measures connections from pod to pod beside those from host to host, for every backend and mode.

One run on the same container hosts: they are switched from network to network, as tests/benchmark/switch.py
does it. In each a pod on one node asks a pod on another, and the one host the other, in turns; what counts is
the median. The pods do nothing: the ends of the connections are a program of the hosts in the pods' network
namespaces. Prints figures and the machine; judges nothing, and is no test. With --record they go into
docs/backends.md, by `make docs`.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from provision import ROOT, machine, measure
from rich.console import Console
from rich.table import Table
from switch import GIVEN, INVENTORIES, PREFIX, playbook

from flatnet.contract import Contracts, find_contracts
from flatnet.settings import Settings
from tests.docs.measured import record_measured
from tests.tour.hosts import KUBECTL, Hosts
from tests.tour.machine import read_machine
from tests.tour.stops import Stop, plan_tour

PROBE = Path(__file__).with_name("stream_probe.py")
NAMESPACE = "flatnet-throughput"
NEAR, FAR = "node-1", "node-2"
PORT, SECONDS, TIMES, ROUNDS = 19_999, 3, 2_000, 3

Figures = dict[str, float]


class End(NamedTuple):
    """Where a connection begins or ends: a host, its address there, and the network namespace of a pod."""

    host: str
    address: str
    namespace: str = ""

    def command(self, *arguments: object) -> str:
        """Return the words that run the probe there, which is given as its input."""
        words = ["python3", "-", *map(str, arguments)]
        return shlex.join(["ip", "netns", "exec", self.namespace, *words] if self.namespace else words)


def networks(stops: Sequence[Stop], contracts: Contracts) -> list[Stop]:
    """Return each backend in each of its modes once, with one mode of kube-proxy where it works with that.

    stops: those of a tour, whose order stays.
    """
    proxy = stops[0].kube_proxy_mode
    found: dict[tuple[str, str], Stop] = {}
    for stop in stops:
        if stop.policy_engine in ("none", "backend"):
            modes = contracts.backend(stop.backend).in_mode(stop.mode).kube_proxy_modes
            usual = replace(stop, kube_proxy_mode=proxy) if proxy in modes else stop
            found.setdefault((stop.backend, stop.mode), usual)
    return list(found.values())


def pod(node: str, image: str) -> dict[str, Any]:
    """Return a pod that does nothing on a node, whatever that does not tolerate."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": node, "namespace": NAMESPACE},
        "spec": {
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {"name": "pause", "image": image, "imagePullPolicy": "IfNotPresent", "args": ["pause"]}
            ],
        },
    }


def objects(image: str) -> dict[str, Any]:
    """Return the namespace and both pods, as one list."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    items = [namespace, *(pod(node, image) for node in (NEAR, FAR))]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def namespace_script(address: str) -> str:
    """Return a script that prints the network namespace with that address."""
    return (
        "for name in $(ip netns list | cut -d' ' -f1); do "
        f'if ip -n "$name" -o address show | grep -qF " {address}/"; then echo "$name"; fi; done'
    )


def medians(rounds: Sequence[Mapping[str, float]]) -> Figures:
    """Return the median of each figure."""
    return {key: round(statistics.median(one[key] for one in rounds), 1) for key in rounds[0]}


@contextmanager
def pods(hosts: Hosts) -> Iterator[tuple[End, End]]:
    """Have a pod on each of two nodes."""
    given = json.dumps(objects(Settings().probe_image)).encode()
    hosts.call("control-plane-1", f"{KUBECTL} apply -f -", given)
    try:
        both = f"pod/{NEAR} pod/{FAR}"
        hosts.kubectl(f"wait --namespace {NAMESPACE} --for=condition=Ready --timeout=120s {both}")
        ends = []
        for node in (NEAR, FAR):
            path = "'jsonpath={.status.podIP}'"
            address = hosts.kubectl(f"get pod {node} --namespace {NAMESPACE} -o {path}").strip()
            namespace = hosts.on(node, namespace_script(address)).split()
            if len(namespace) != 1:
                sys.exit(f"{node}: the network namespace of {address} is not found: {namespace}")
            ends.append(End(node, address, namespace[0]))
        yield ends[0], ends[1]
    finally:
        hosts.kubectl(f"delete namespace {NAMESPACE} --timeout=60s")


def host_ends(hosts: Hosts) -> tuple[End, End]:
    """Return both nodes themselves."""
    path = "'jsonpath={.status.addresses[?(@.type==\"InternalIP\")].address}'"
    near, far = (End(node, hosts.kubectl(f"get node {node} -o {path}").split()[0]) for node in (NEAR, FAR))
    return near, far


def connect(hosts: Hosts, near: End, far: End) -> Figures:
    """Return what one stream, and bytes there and back, take from one end to the other."""
    source = PROBE.read_bytes()
    ssh = ["ssh", "-F", str(hosts.ssh_configuration), far.host, far.command("serve", PORT)]
    server = subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write(source)
        server.stdin.close()
        if server.stdout.readline() != b"ready\n":
            sys.exit(f"{far}: nobody listens")
        told = hosts.call(near.host, near.command("ask", far.address, PORT, SECONDS, TIMES), source)
        server.wait(timeout=60)
    finally:
        server.kill()
        server.wait()
    found: Figures = json.loads(told)
    return found


def measured_row(hosts: Hosts, stop: Stop) -> dict[str, Any]:
    """Return what a network that is there makes of connections, beside the hosts' own."""
    found: dict[str, list[Figures]] = {"pods": [], "hosts": []}
    with pods(hosts) as between_pods:
        ends = {"hosts": host_ends(hosts), "pods": between_pods}
        # Whatever else the machine does meanwhile is met by both.
        for _ in range(ROUNDS):
            for name, (near, far) in ends.items():
                found[name].append(connect(hosts, near, far))
    return {"network": stop.name, **{name: medians(rounds) for name, rounds in found.items()}}


def rows(hosts: Hosts, stops: Sequence[Stop]) -> Iterator[dict[str, Any]]:
    """Go from network to network and yield a row for each."""
    for number, stop in enumerate(stops):
        playbook(f"playbooks/{'switch' if number else 'provision'}_network.yml", stop.settings)
        yield measured_row(hosts, stop)


def main() -> None:
    """Make hosts, measure, print, and remove the hosts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--networks", default="", help="only those that begin so, such as flannel")
    given = parser.parse_args()
    command = [sys.executable, "-m", "tests.container_hosts"]
    measure(*command, "destroy", *GIVEN)
    measure(*command, "create", *GIVEN)
    table = Table(
        "network",
        "stream, pods",
        "hosts",
        "ratio",
        "there and back, pods",
        "hosts",
        "ratio",
        title="pod to pod",
    )
    found = []
    try:
        for prepared in ("router", "segment"):
            playbook(f"molecule/resources/{prepared}.yml")
        contracts = find_contracts([ROOT / "roles"])
        with tempfile.TemporaryDirectory() as reports:
            hosts = Hosts(PREFIX, INVENTORIES, Path(reports))
            there = read_machine(contracts, partial(hosts.call, "node-1"), with_slow=True)
            wanted = networks(plan_tour(contracts, there, "kubenet").stops, contracts)
            for row in rows(hosts, [stop for stop in wanted if stop.name.startswith(given.networks)]):
                found.append(row)
                # A row takes a minute.
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()
                pods_, hosts_ = row["pods"], row["hosts"]
                table.add_row(
                    row["network"],
                    *(f"{one['megabits']:,.0f} Mbit/s" for one in (pods_, hosts_)),
                    f"{pods_['megabits'] / hosts_['megabits']:.2f}",
                    *(f"{one['microseconds']:.0f} µs" for one in (pods_, hosts_)),
                    f"{pods_['microseconds'] / hosts_['microseconds']:.2f}",
                )
    finally:
        measure(*command, "destroy", *GIVEN)
    console = Console(width=130)
    console.print(table)
    console.print(machine())
    if given.record:
        record_measured({"throughput": {"machine": machine(), "networks": found}})


if __name__ == "__main__":
    main()
