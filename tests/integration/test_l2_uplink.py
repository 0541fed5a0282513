"""The node's own interface becomes a port of the pods' bridge, and back, in network namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from l2_uplink_hosts import NODE, PEER, Node, answers, at, cabled, names_with, plug

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip"), reason="network namespaces need root and ip"
)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with cabled(tmp_path) as host:
        yield host


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
    plug()


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


def test_dns_servers_of_the_link_are_asked_by_the_bridge(node: Node) -> None:
    log = node.folder / "resolvectl"
    program = node.folder / "bin/resolvectl"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$# $1" in "2 dns") echo "Link 2 (eth0): 192.0.2.53 2001:db8::53" ;;\n'
        f'  "2 domain") echo "Link 2 (eth0): example.org ~." ;; "2 "*) echo "Link 2 (eth0):" ;;\n'
        f'  *) echo "$@" >>{log} ;; esac\n'
    )
    program.chmod(0o755)
    node.call("try")
    assert log.read_text().splitlines() == [
        "dns br-pods 192.0.2.53 2001:db8::53",
        "domain br-pods example.org ~.",
    ]


def test_a_process_that_does_not_end_does_not_keep_the_host_from_coming_back(node: Node) -> None:
    before = node.state()
    node.call("try")
    held = "import fcntl, os, sys, time; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX); "
    held += "f.truncate(0); f.write(str(os.getpid())); f.flush(); print('held', flush=True); time.sleep(600)"
    lock = str(node.folder / "run/lock")
    with subprocess.Popen([sys.executable, "-c", held, lock], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        node.time_is_over()
        assert holder.wait(timeout=5) < 0
    assert node.state() == before


def test_an_interface_for_the_pods_alone_is_released_for_the_node_s_own(node: Node) -> None:
    at(NODE, "link", "add", "br-pods", "address", "0a:58:0a:c8:01:01", "type", "bridge")
    at(NODE, "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", PEER)
    at(NODE, "link", "set", "eth1", "master", "br-pods")
    (node.folder / "dedicated").write_text("eth1\n")
    agree(node)
    ports = json.loads(at(NODE, "-json", "link", "show", "master", "br-pods"))
    assert [one["ifname"] for one in ports if one] == ["eth0"]
    assert is_moved()


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
