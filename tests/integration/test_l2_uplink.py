"""The node's own interface becomes a port of the pods' bridge, in network namespaces of a real kernel.

A node and a neighbour, a cable between them. systemd is played by programs of two lines: its timer ends in a
file that a test runs when it wants the time to be over.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="network namespaces need root and ip"
)

PROGRAM = Path(__file__).parents[2] / "roles/cni_l2_bridge/files/flatnet_l2_uplink.py"
NODE, PEER = "l2u-node", "l2u-peer"
# Its own path: what is started by a name may be the program below.
REAL_IP = shutil.which("ip") or ""
# Stands before ip: ends whoever called it at the step that the file names, lines of a batch being steps.
IP = """\
#!/bin/sh
count() {
  at=$(($(cat {folder}/steps) + 1))
  echo "$at" >{folder}/steps
  if [ "$at" = "$(cat {folder}/kill_at 2>/dev/null)" ]; then
    kill -9 "$PPID"
    exit 1
  fi
}
if [ "$2" = - ] || [ "$3" = - ]; then
  status=0
  while read -r line; do
    count
    # shellcheck disable=SC2086
    {ip} $line || { status=1; [ "$1" = -force ] || exit 1; }
  done
  exit $status
fi
[ "$1" = -json ] || count
exec {ip} "$@"
"""
SYSTEMD_RUN = """\
#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift; done
printf '%s\\n' "$@" >{folder}/timer
"""
SYSTEMCTL = """\
#!/bin/sh
case "$*" in *stop*) rm -f {folder}/timer ;; esac
cat {folder}/system 2>/dev/null || echo running
"""


def run(*command: str, check: bool = True) -> str:
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def at(name: str, *words: str) -> str:
    return run("ip", "-n", name, *words)


class Node:
    """A host in a namespace, with its configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.json"
        self.config.write_text(
            json.dumps(
                {
                    "uplink": "eth0",
                    "bridge": "br-pods",
                    "node_addresses": ["192.0.2.11", "2001:db8::11"],
                    "gateways": ["10.200.1.1/16", "fd00:200:0:1::1/48"],
                    "rollback_seconds": 30,
                    "run_directory": str(folder / "run"),
                    "data_directory": str(folder / "data"),
                    "dedicated_record": str(folder / "dedicated"),
                }
            )
        )
        programs = folder / "bin"
        programs.mkdir()
        texts = {"ip": IP, "systemd-run": SYSTEMD_RUN, "systemctl": SYSTEMCTL}
        for name, text in texts.items():
            (programs / name).write_text(text.replace("{folder}", str(folder)).replace("{ip}", REAL_IP))
            (programs / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        self.count_from_zero()

    def count_from_zero(self, kill_at: int | None = None) -> None:
        (self.folder / "steps").write_text("0\n")
        (self.folder / "kill_at").write_text("" if kill_at is None else f"{kill_at}\n")

    @property
    def steps(self) -> int:
        return int((self.folder / "steps").read_text())

    def command(self, action: str) -> list[str]:
        token = ["one"] if action in ("try", "confirm") else []
        words = [sys.executable, "-I", str(PROGRAM), action, str(self.config), *token]
        return [REAL_IP, "netns", "exec", NODE, *words]

    def call(self, action: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(action), check=False, capture_output=True, text=True, env=self.environment
        )

    def time_is_over(self) -> None:
        """Do what systemd does when the timer ends."""
        timer = self.folder / "timer"
        command = timer.read_text().splitlines()
        timer.unlink()
        subprocess.run([REAL_IP, "netns", "exec", NODE, *command], check=True, env=self.environment)

    @property
    def has_timer(self) -> bool:
        return (self.folder / "timer").exists()

    def phase(self) -> str:
        return str(json.loads(self.call("look").stdout)["phase"])

    def state(self) -> dict[str, Any]:
        """Return all that ip tells of the node, but clocks and what the neighbours have been asked."""
        asked = {
            "links": ["-details", "link", "show"],
            "addresses": ["address", "show"],
            "routes": ["-4", "route", "show", "table", "all"],
            "routes6": ["-6", "route", "show", "table", "all"],
            "neighbours": ["neighbour", "show", "nud", "permanent"],
            "proxies": ["neighbour", "show", "proxy"],
            "rules": ["rule", "show"],
        }
        shown = {what: at(NODE, "-json", *words) for what, words in asked.items()}
        settings = run(
            "ip", "netns", "exec", NODE, "sh", "-c", "grep -H . /proc/sys/net/ipv?/conf/eth0/* || true"
        )
        state = {what: json.loads(text or "[]") for what, text in shown.items()}
        for link in state["links"]:
            data = link.get("linkinfo", {}).get("info_data", {})
            link.get("linkinfo", {})["info_data"] = {
                key: value for key, value in data.items() if not key.endswith("_timer")
            }
        return {**state, "settings": settings}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    cut()
    try:
        for name in (NODE, PEER):
            run("ip", "netns", "add", name)
            at(name, "link", "set", "lo", "up")
        at(NODE, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", PEER)
        at(PEER, "address", "add", "192.0.2.1/24", "dev", "eth0")
        at(PEER, "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
        at(PEER, "link", "set", "eth0", "up")
        configure()
        yield Node(tmp_path)
    finally:
        cut()


def configure() -> None:
    """Give the node's interface what a host's network configuration gives it, and some rare things."""
    run("ip", "netns", "exec", NODE, "sh", "-c", "echo 2 >/proc/sys/net/ipv4/conf/eth0/rp_filter")
    at(NODE, "link", "set", "eth0", "up")
    for words in (
        "address add 192.0.2.11/24 broadcast + dev eth0",
        "address add 192.0.2.12/24 dev eth0 label eth0:1",
        "address add 198.51.100.1 peer 198.51.100.2/32 dev eth0 metric 77",
        "address add 2001:db8::12/64 dev eth0 nodad",
        "address add 2001:db8::11/64 dev eth0",
    ):
        at(NODE, *words.split())
    wait_for_addresses()
    for words in (
        "route add 0.0.0.0/0 via 192.0.2.1 proto static metric 100 mtu 1400 src 192.0.2.12",
        "route add 203.0.113.0/25 dev eth0 scope link proto 77",
        "route add 203.0.113.128/25 via 203.0.113.9 dev eth0 table 77 onlink",
        "route add ::/0 via 2001:db8::1 dev eth0 proto static metric 512",
        "route add 2001:db8:7::/64 via fe80::1 dev eth0 src 2001:db8::12",
        "neighbour add 192.0.2.77 lladdr 02:00:00:00:00:77 nud permanent dev eth0",
        "neighbour add proxy 192.0.2.44 dev eth0",
        "rule add from 203.0.113.0/24 table 77 priority 500",
    ):
        at(NODE, *words.split())


def wait_for_addresses() -> None:
    for _ in range(50):
        if "tentative" not in at(NODE, "address", "show", "dev", "eth0"):
            return
        time.sleep(0.1)
    raise AssertionError("addresses stay tentative")


def cut() -> None:
    for name in (NODE, PEER):
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def answers(address: str) -> bool:
    """Tell whether the neighbour reaches the node."""
    command = ["ip", "netns", "exec", PEER, "ping", "-c1", "-W1", address]
    return any(subprocess.run(command, check=False, capture_output=True).returncode == 0 for _ in range(3))


def names_with(address: str) -> list[str]:
    shown = json.loads(at(NODE, "-json", "address", "show"))
    return [
        link["ifname"]
        for link in shown
        if link and any(one.get("local") == address for one in link["addr_info"])
    ]


def test_everything_moves_and_a_confirmed_move_stays(node: Node) -> None:
    before = node.state()
    tried = node.call("try")
    assert (tried.returncode, tried.stderr) == (0, "")
    assert node.phase() == "trial"
    assert node.has_timer
    assert all(names_with(one) == ["br-pods"] for one in ("192.0.2.11", "192.0.2.12", "2001:db8::11"))
    assert answers("192.0.2.11")
    assert answers("2001:db8::11")
    moved = {(one["dst"], one["dev"]) for one in node.state()["routes"] if one.get("type") != "broadcast"}
    assert {("default", "br-pods"), ("203.0.113.0/25", "br-pods"), ("203.0.113.128/25", "br-pods")} <= moved
    assert {one["dst"] for one in node.state()["neighbours"] if one["dev"] == "br-pods"} >= {"192.0.2.77"}
    assert before["links"][1]["address"] == node.state()["links"][-1]["address"]
    # Towards pods the node is their gateway, in either family, and towards anybody else itself.
    for target, source in (
        ("10.200.2.7", "10.200.1.1"),
        ("fd00:200:0:2::7", "fd00:200:0:1::1"),
        ("192.0.2.1", "192.0.2.11"),
        ("fd00:1::1", "2001:db8::1"),
    ):
        assert json.loads(at(NODE, "-json", "route", "get", target))[0]["prefsrc"].startswith(source)
    node.call("confirm")
    assert node.phase() == "moved"
    assert not node.has_timer
    node.call("rollback")
    assert names_with("192.0.2.11") == ["br-pods"]


def test_a_move_that_nobody_confirms_leaves_no_trace(node: Node) -> None:
    before = node.state()
    node.call("try")
    node.time_is_over()
    assert node.state() == before
    assert node.phase() == "rolled back"
    node.call("confirm")
    assert not (node.folder / "data/confirmed.json").exists()


def test_a_move_that_is_killed_at_any_step_leaves_no_trace(node: Node) -> None:
    before = node.state()
    node.call("try")
    steps = node.steps
    node.time_is_over()
    assert steps > 20
    for step in range(1, steps + 1):
        node.count_from_zero(kill_at=step)
        assert node.call("try").returncode < 0, step
        node.count_from_zero()
        if node.has_timer:
            node.time_is_over()
        assert node.state() == before, step


def test_a_rollback_that_is_killed_is_ended_by_the_next(node: Node) -> None:
    before = node.state()
    for step in range(1, 60):
        node.call("try")
        node.count_from_zero(kill_at=step)
        was_killed = node.call("rollback").returncode < 0
        node.count_from_zero()
        node.call("rollback")
        assert node.state() == before, step
        if not was_killed:
            return
    raise AssertionError("it never comes to an end")


def agree(node: Node) -> None:
    """Have a move that was confirmed, in this boot or another."""
    node.call("try")
    node.call("confirm")
    assert not node.has_timer


class Daemon:
    """The unit that keeps the move."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __enter__(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            self.node.command("keep"), stderr=subprocess.PIPE, text=True, env=self.node.environment
        )
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def eventually(is_so: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.2)
    return False


def is_moved() -> bool:
    both = ("192.0.2.11", "2001:db8::11")
    routes = json.loads(at(NODE, "-json", "route", "show", "default"))
    return all(names_with(one) == ["br-pods"] for one in both) and [one["dev"] for one in routes] == [
        "br-pods"
    ]


def test_before_anybody_agreed_the_unit_changes_nothing(node: Node) -> None:
    before = node.state()
    with Daemon(node):
        time.sleep(2)
        assert node.state() == before


def test_after_a_boot_everything_moves_again_without_a_timer(node: Node) -> None:
    before = node.state()
    agree(node)
    boot(node)
    assert node.state()["routes"] == before["routes"]
    with Daemon(node):
        assert eventually(is_moved)
        assert not node.has_timer
        assert answers("192.0.2.11")
        assert answers("2001:db8::11")
        moved = node.state()
    with Daemon(node):
        time.sleep(2)
        assert node.state() == moved


def boot(node: Node) -> None:
    """Give the interface what it has after a boot, and nothing else."""
    shutil.rmtree(node.folder / "run")
    at(NODE, "link", "delete", "br-pods")
    at(NODE, "link", "delete", "eth0")
    at(NODE, "rule", "delete", "priority", "500")
    at(NODE, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", PEER)
    at(PEER, "address", "add", "192.0.2.1/24", "dev", "eth0")
    at(PEER, "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
    at(PEER, "link", "set", "eth0", "up")
    configure()


def test_what_the_network_configuration_sets_anew_moves_again(node: Node) -> None:
    agree(node)
    with Daemon(node):
        time.sleep(1)
        # As networkd does when it is restarted, and ifupdown with ifdown and ifup.
        at(NODE, "link", "set", "eth0", "nomaster")
        at(NODE, "address", "add", "192.0.2.11/24", "broadcast", "+", "dev", "eth0")
        at(NODE, "address", "add", "2001:db8::11/64", "dev", "eth0")
        at(
            NODE,
            "route",
            "append",
            "0.0.0.0/0",
            "via",
            "192.0.2.1",
            "dev",
            "eth0",
            "proto",
            "static",
            "metric",
            "100",
        )
        assert eventually(is_moved)
        assert answers("192.0.2.11")
        assert answers("2001:db8::11")


def test_a_move_at_boot_that_is_killed_is_ended_by_the_next(node: Node) -> None:
    agree(node)
    wanted = [one for one in node.state()["routes"] if one.get("type") != "broadcast"]
    boot(node)
    # Past the addresses' removal, with which the routes went.
    node.count_from_zero(kill_at=22)
    with Daemon(node) as process:
        assert process.wait(timeout=10) < 0
    assert [one for one in node.state()["routes"] if one.get("type") != "broadcast"] != wanted
    node.count_from_zero()
    with Daemon(node):
        assert eventually(is_moved)
        assert eventually(
            lambda: [one for one in node.state()["routes"] if one.get("type") != "broadcast"] == wanted
        )


def test_the_end_of_the_role_gives_everything_back(node: Node) -> None:
    before = node.state()
    agree(node)
    assert node.call("down").stderr == ""
    assert node.state() == before
    assert not node.has_timer
    assert not (node.folder / "run").exists()
    assert node.call("down").returncode == 0
    assert node.state() == before


def test_what_came_to_the_bridge_since_goes_back_too(node: Node) -> None:
    agree(node)
    at(NODE, "address", "add", "192.0.2.99/24", "dev", "br-pods")
    at(NODE, "address", "delete", "198.51.100.1", "peer", "198.51.100.2/32", "dev", "br-pods")
    node.call("down")
    assert (names_with("192.0.2.99"), names_with("198.51.100.1")) == (["eth0"], [])


def test_a_pod_keeps_the_bridge_and_its_gateway(node: Node) -> None:
    before = node.state()
    agree(node)
    at(NODE, "link", "add", "veth1", "type", "veth", "peer", "name", "pod", "netns", PEER)
    at(NODE, "link", "set", "veth1", "master", "br-pods", "up")
    node.call("down")
    assert names_with("192.0.2.11") == ["eth0"]
    assert names_with("10.200.1.1") == ["br-pods"]
    at(NODE, "link", "delete", "br-pods")
    at(NODE, "link", "delete", "veth1")
    assert node.state() == before


def test_a_removal_that_is_killed_is_ended_by_the_timer(node: Node) -> None:
    before = node.state()
    for step in range(1, 60):
        agree(node)
        node.count_from_zero(kill_at=step)
        was_killed = node.call("down").returncode < 0
        node.count_from_zero()
        if node.has_timer:
            node.time_is_over()
        assert node.state() == before, step
        if not was_killed:
            return
    raise AssertionError("it never comes to an end")


def test_the_end_of_the_system_leaves_the_network_as_it_is(node: Node) -> None:
    agree(node)
    moved = node.state()
    (node.folder / "system").write_text("stopping\n")
    assert node.call("down").returncode == 0
    assert node.state() == moved


def test_an_address_on_lease_is_refused_before_anything_changes(node: Node) -> None:
    at(NODE, "address", "add", "192.0.2.33/24", "dev", "eth0", "valid_lft", "600", "preferred_lft", "600")
    assert "on lease" in node.call("try").stderr
    assert node.phase() == "refused"
    assert "br-pods" not in at(NODE, "link", "show")
    assert not node.has_timer


def test_a_step_that_fails_brings_everything_back_at_once(node: Node) -> None:
    at(NODE, "link", "add", "link", "eth0", "name", "mv0", "type", "macvlan")
    before = node.state()
    assert "busy" in node.call("try").stderr
    assert node.state() == before
    assert node.phase() == "rolled back"
    assert not node.has_timer
