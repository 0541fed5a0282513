"""Container hosts behave like hosts, their underlay like a wire, and nothing of them stays."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from host_shell import on_host

from tests.container_hosts import hosts, podman, state, underlay
from tests.container_hosts.spec import Cluster, make_cluster

PREFIX = "flatnet-it"
# A pod in all that matters here: a namespace behind a veth, with an address that only routes lead to.
POD = """
ip netns add pod
ip link add veth0 type veth peer name eth0 netns pod
ip address add 10.200.{own}.1/24 dev veth0
ip link set veth0 up
ip -n pod address add 10.200.{own}.2/24 dev eth0
ip -n pod link set eth0 up
ip -n pod route add default via 10.200.{own}.1
sysctl -qw net.ipv4.ip_forward=1
ip route add 10.200.{other}.0/24 via 10.211.3.1{other}
"""


def machine() -> dict[str, object]:
    """What container hosts may change on this machine only for as long as they exist."""
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run(
        ["nft", "--stateless", "list", "ruleset"], capture_output=True, text=True, check=True
    ).stdout
    groups = podman.CONTROL_GROUPS.glob(f"**/{podman.control_group(PREFIX)}")
    return {
        "containers": [container.name for container in podman.containers(PREFIX)],
        "namespaces": [name for name in underlay.present_namespaces() if name.startswith(PREFIX)],
        "links": [line for line in links.splitlines() if line.startswith(PREFIX)],
        "rules": rules,
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "control groups": sorted(groups),
        "folders": [
            path for path in (state.state_directory(PREFIX), state.SOCKETS / PREFIX) if path.exists()
        ],
    }


class Hosts:
    """The hosts of the test, and what they were made from."""

    def __init__(self, cluster: Cluster, before: dict[str, object]) -> None:
        self.cluster = cluster
        self.before = before

    def create(self) -> dict[str, str]:
        return hosts.create(self.cluster, lambda _: None)

    def on(self, host: str, script: str) -> str:
        """Return what the shell script prints on `host`; it ends at the first command that fails."""
        return on_host(PREFIX, host, script).strip()


@pytest.fixture(scope="session")
def two_hosts() -> Iterator[Hosts]:
    hosts.destroy(PREFIX)
    before = machine()
    cluster = make_cluster(
        PREFIX,
        ["10.211.3.0/24", "fd00:211:3::/64"],
        {"a": ["10.211.3.11", "fd00:211:3::11"], "b": ["10.211.3.12", "fd00:211:3::12"]},
    )
    found = Hosts(cluster, before)
    assert found.create() == {"a": "created", "b": "created"}
    yield found
    hosts.destroy(PREFIX)


@pytest.fixture(scope="session")
def pods(two_hosts: Hosts) -> Hosts:
    two_hosts.on("a", POD.format(own=1, other=2))
    two_hosts.on("b", POD.format(own=2, other=1))
    answer = "socat TCP-LISTEN:8080,fork SYSTEM:'echo \\$SOCAT_PEERADDR'"
    two_hosts.on("b", f"systemd-run --quiet --unit=who-asks ip netns exec pod {answer}")
    return two_hosts


def test_a_host_runs_systemd_with_nothing_failed_and_shares_its_mounts(two_hosts: Hosts) -> None:
    assert two_hosts.on("a", "systemctl is-system-running") == "running"
    assert two_hosts.on("a", "findmnt -no PROPAGATION /") == "shared"
    assert two_hosts.on("a", "cat /etc/machine-id") != two_hosts.on("b", "cat /etc/machine-id")


def test_hosts_reach_each_other_and_this_machine_in_both_families(two_hosts: Hosts) -> None:
    for address in ("10.211.3.12", "fd00:211:3::12", "10.211.3.1", "fd00:211:3::1"):
        two_hosts.on("a", f"ping -c 1 -W 2 {address}")


def test_ssh_refuses_a_host_with_another_key(two_hosts: Hosts) -> None:
    directory = state.state_directory(two_hosts.cluster.prefix)
    known = directory / "known_hosts"
    right = known.read_text()
    keys = [line.split(" ", 1) for line in right.splitlines()]
    known.write_text(f"{keys[0][0]} {keys[1][1]}\n{keys[1][0]} {keys[0][1]}\n")
    try:
        done = subprocess.run(
            ["ssh", "-F", directory / "ssh_config", "a", "true"], capture_output=True, text=True, check=False
        )
    finally:
        known.write_text(right)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


@pytest.mark.parametrize("bridge_calls_iptables", [0, 1])
def test_what_a_pod_sends_arrives_from_the_pods_own_address(pods: Hosts, bridge_calls_iptables: int) -> None:
    setting = f"net.bridge.bridge-nf-call-iptables={bridge_calls_iptables}"
    subprocess.run(["ip", "netns", "exec", PREFIX, "sysctl", "-qw", setting], check=True)
    ask = "socat -T 2 - TCP:10.200.2.2:8080,connect-timeout=2 </dev/null"
    assert pods.on("a", f"ip netns exec pod {ask}") == "10.200.1.2"
    assert pods.on("a", ask) == "10.211.3.11"


def test_frames_between_hosts_pass_no_rule_and_no_setting_of_this_machine(two_hosts: Hosts) -> None:
    now = machine()
    assert now["rules"] == two_hosts.before["rules"]
    assert now["forwarding"] == two_hosts.before["forwarding"]
    bridges = subprocess.run(
        ["ip", "-brief", "link", "show", "type", "bridge"], capture_output=True, text=True, check=True
    ).stdout
    assert PREFIX not in bridges


def test_hosts_that_are_as_wanted_are_left_alone_and_a_stopped_one_is_started(two_hosts: Hosts) -> None:
    assert two_hosts.create() == {"a": "unchanged", "b": "unchanged"}
    two_hosts.on("b", "touch /var/lib/kept")
    podman.podman(["stop", f"{PREFIX}.b"])
    assert two_hosts.create() == {"a": "unchanged", "b": "started"}
    assert two_hosts.on("b", "ls /var/lib/kept") == "/var/lib/kept"


def test_a_host_that_lost_its_network_gets_it_back(two_hosts: Hosts) -> None:
    subprocess.run(["ip", "netns", "delete", f"{PREFIX}.b"], check=True)
    assert two_hosts.create() == {"a": "unchanged", "b": "started"}
    two_hosts.on("a", "ping -c 1 -W 2 10.211.3.12")


def test_hosts_keep_their_disk_over_a_restart_and_nothing_else(two_hosts: Hosts) -> None:
    for host in ("a", "b"):
        two_hosts.on(host, "touch /var/lib/kept /run/lost; ip route add 198.51.100.0/24 dev eth0")
    found = hosts.restart(two_hosts.cluster, lambda _: None)
    assert found == {"a": "started", "b": "started"}
    for host in ("a", "b"):
        assert two_hosts.on(host, "ls /var/lib/kept; test ! -e /run/lost") == "/var/lib/kept"
        assert two_hosts.on(host, "ip route show 198.51.100.0/24") == ""
    two_hosts.on("a", "ping -c 1 -W 2 10.211.3.12")


def test_nothing_is_left_of_destroyed_hosts_and_a_second_time_is_no_error(two_hosts: Hosts) -> None:
    volumes = {
        mount["Name"]
        for name in (f"{PREFIX}.a", f"{PREFIX}.b")
        for mount in json.loads(podman.podman(["inspect", name]))[0]["Mounts"]
        if mount["Type"] == "volume"
    }
    assert len(volumes) == 4
    assert hosts.destroy(PREFIX) is True
    assert not volumes.intersection(podman.podman(["volume", "list", "--quiet"]).split())
    assert machine() == two_hosts.before
    assert hosts.destroy(PREFIX) is False
