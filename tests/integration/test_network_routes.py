"""Routes to pods on routers, in network namespaces of this machine and a real kernel: no host has one.

Two subnets with a router in each and a link between the two. A node's pod is an address
on a bridge of its own: what is to be seen is which way packets take.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from flatnet.host.facts.network import interfaces
from flatnet.routers import redirect_sysctls, router_interfaces, router_refusals, router_routes

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="network namespaces need root and ip"
)

_P = "flatnet-rt"
NODES = {
    "node-1": {"addresses": ["192.0.2.11"], "pod_cidrs": ["10.200.1.0/24"]},
    "node-2": {"addresses": ["192.0.2.12"], "pod_cidrs": ["10.200.2.0/24"]},
    "node-3": {"addresses": ["198.51.100.13"], "pod_cidrs": ["10.200.3.0/24"]},
}
ROUTERS = ("router-1", "router-2")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def inside(name: str, *command: str) -> str:
    return run("ip", "netns", "exec", f"{_P}.{name}", *command)


def set_sysctls(name: str, settings: dict[str, int]) -> None:
    for key, value in settings.items():
        # A slash in a key is a dot of a name: sysctl(8).
        path = "/".join(part.replace("/", ".") for part in key.split("."))
        inside(name, "sh", "-c", f"echo {value} > /proc/sys/{path}")


def pod(node: str) -> str:
    return str(NODES[node]["pod_cidrs"][0]).replace(".0/24", ".7")


def answers(source: str, target: str, of_pod: bool = True) -> bool:
    """Tell whether a pod answers a pod of another node, or that node itself."""
    own = pod(source) if of_pod else str(NODES[source]["addresses"][0])
    command = ["ip", "netns", "exec", f"{_P}.{source}", "ping", "-c2", "-i0.2", "-W1", "-I", own, pod(target)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def redirects(router: str) -> int:
    lines = [
        line.split()
        for line in inside(router, "cat", "/proc/net/snmp").splitlines()
        if line.startswith("Icmp: ")
    ]
    return int(lines[1][lines[0].index("OutRedirects")])


@pytest.fixture
def network() -> Iterator[None]:
    names = [*NODES, *ROUTERS, "first", "second"]
    try:
        for name in names:
            run("ip", "netns", "add", f"{_P}.{name}")
        for segment in ("first", "second"):
            inside(segment, "ip", "link", "add", "bridge", "type", "bridge")
            inside(segment, "ip", "link", "set", "bridge", "up")
        _wire("node-1", "first", "192.0.2.11/24")
        _wire("node-2", "first", "192.0.2.12/24")
        _wire("node-3", "second", "198.51.100.13/24")
        _wire("router-1", "first", "192.0.2.9/24")
        _wire("router-2", "second", "198.51.100.9/24")
        run(*f"ip -n {_P}.router-1 link add core.1 type veth peer name core.1 netns {_P}.router-2".split())
        for name, address in (("router-1", "203.0.113.1/30"), ("router-2", "203.0.113.2/30")):
            inside(name, "ip", "address", "add", address, "dev", "core.1")
            inside(name, "ip", "link", "set", "core.1", "up")
        # Of each other's hosts routers know anyway: that is the site's.
        inside("router-1", "ip", "route", "add", "198.51.100.0/24", "via", "203.0.113.2")
        inside("router-2", "ip", "route", "add", "192.0.2.0/24", "via", "203.0.113.1")
        for name, gateway in (("node-1", "192.0.2.9"), ("node-2", "192.0.2.9"), ("node-3", "198.51.100.9")):
            inside(name, "ip", "route", "add", "default", "via", gateway)
            inside(name, "ip", "link", "add", "pods", "type", "bridge")
            inside(name, "ip", "address", "add", f"{pod(name)}/24", "dev", "pods")
            inside(name, "ip", "link", "set", "pods", "up")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", f"{_P}.{name}"], check=False, capture_output=True)


def _wire(name: str, segment: str, address: str) -> None:
    peer = f"peer name eth0 netns {_P}.{name}"
    run(*f"ip -n {_P}.{segment} link add {name} type veth {peer}".split())
    inside(segment, "ip", "link", "set", name, "master", "bridge", "up")
    inside(name, "ip", "address", "add", address, "dev", "eth0")
    inside(name, "ip", "link", "set", "eth0", "up")


def facts(router: str) -> dict[str, Any]:
    links = json.loads(inside(router, "ip", "-details", "-json", "address", "show"))
    return {"interfaces": interfaces(links), "routes": []}


@pytest.mark.usefixtures("network")
def test_pods_reach_each_other_over_both_routers_and_no_redirect_is_sent() -> None:
    routers = {name: facts(name) for name in ROUTERS}
    assert router_refusals(NODES, routers) == []
    assert router_interfaces(NODES, routers) == {"router-1": ["eth0"], "router-2": ["eth0"]}
    assert not answers("node-1", "node-3")
    for name, routes in router_routes(NODES, routers).items():
        set_sysctls(name, redirect_sysctls([*router_interfaces(NODES, routers)[name], "core.1"]))
        for route in routes:
            inside(name, "ip", "route", "add", route["destination"], "via", route["gateway"], "proto", "157")
    pairs = [(source, target) for source in NODES for target in NODES if source != target]
    assert [pair for pair in pairs if not answers(*pair)] == []
    # From node-1 itself to a pod of node-2 a packet leaves router-1 by the interface that it came in by, and
    # comes from a neighbour: for that redirects are sent.
    assert [pair for pair in pairs if not answers(*pair, of_pod=False)] == []
    assert redirects("router-1") == 0

    # So the settings are what keeps them back.
    set_sysctls("router-1", {"net.ipv4.conf.all.send_redirects": 1, "net.ipv4.conf.eth0.send_redirects": 1})
    assert answers("node-1", "node-2", of_pod=False)
    assert redirects("router-1") > 0
