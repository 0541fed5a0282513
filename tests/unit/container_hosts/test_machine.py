"""What the commands for this machine say; none of them runs here."""

import ipaddress
import shutil
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from tests.container_hosts import hosts, image, limits, podman, state, underlay
from tests.container_hosts.__main__ import main
from tests.container_hosts.commands import run
from tests.container_hosts.spec import Cluster, Host, Leg, make_cluster


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(state, "SOCKETS", tmp_path / "sockets")
    members = {"node-1": ["192.0.2.12", "2001:db8::12"], "node-2": ["192.0.2.13", "2001:db8::13"]}
    return make_cluster("demo", ["192.0.2.0/24", "2001:db8::/64"], members)


def test_a_host_is_wired_to_the_bridge_with_addresses_and_default_routes_of_both_families(
    cluster: Cluster,
) -> None:
    outside, inside = underlay.host_commands(cluster, cluster.hosts[0])
    assert outside == [
        "link add port-c000020c type veth peer name eth0 address 02:00:c0:00:02:0c netns demo.node-1",
        "link set port-c000020c master bridge up",
    ]
    assert inside == [
        "link set lo up",
        "address add 192.0.2.12/24 dev eth0",
        "address add 2001:db8::12/64 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 192.0.2.1 dev eth0",
        "route add default via 2001:db8::1 dev eth0",
    ]


def test_hosts_of_several_segments_go_through_the_host_that_is_in_both() -> None:
    members = {"node-1": ["192.0.2.12"], "node-2": ["198.51.100.13"], "router": ["192.0.2.9", "198.51.100.9"]}
    cluster = make_cluster("demo", ["192.0.2.0/24"], members, [["198.51.100.0/24"]])
    wired = {host.name: underlay.host_commands(cluster, host) for host in cluster.hosts}
    assert wired["router"] == (
        [
            "link add port-c0000209 type veth peer name eth0 address 02:00:c0:00:02:09 netns demo.router",
            "link set port-c0000209 master bridge up",
            "link add port-c6336409 type veth peer name eth1 address 02:00:c6:33:64:09 netns demo.router",
            "link set port-c6336409 master bridge1 up",
        ],
        [
            "link set lo up",
            "address add 192.0.2.9/24 dev eth0",
            "link set eth0 up",
            "address add 198.51.100.9/24 dev eth1",
            "link set eth1 up",
            "route add default via 192.0.2.1 dev eth0",
        ],
    )
    assert wired["node-1"][1][-1] == "route add default via 192.0.2.9 dev eth0"
    assert wired["node-2"][0][-1] == "link set port-c633640d master bridge1 up"
    assert wired["node-2"][1][-1] == "route add default via 198.51.100.9 dev eth0"


def test_routers_of_several_segments_know_each_others() -> None:
    members = {
        "first": ["192.0.2.7", "198.51.100.9"],
        "node-1": ["198.51.100.11"],
        "node-2": ["203.0.113.12"],
        "second": ["192.0.2.8", "203.0.113.9"],
        "third": ["192.0.2.9"],
    }
    further = [["198.51.100.0/24"], ["203.0.113.0/24"]]
    cluster = make_cluster("demo", ["192.0.2.0/24"], members, further)
    routes = {host.name: underlay.host_commands(cluster, host)[1] for host in cluster.hosts}
    default = "route add default via 192.0.2.1 dev eth0"
    assert routes["first"][-2:] == [default, "route add 203.0.113.0/24 via 192.0.2.8 dev eth0"]
    assert routes["second"][-2:] == [default, "route add 198.51.100.0/24 via 192.0.2.7 dev eth0"]
    assert routes["node-2"][-1] == "route add default via 203.0.113.9 dev eth0"
    assert routes["third"][-1] == "route add default via 192.0.2.7 dev eth0"
    assert [str(one) for one in cluster.controller_interfaces] == ["192.0.2.1/24"]


@given(st.ip_addresses())
def test_every_address_gives_an_interface_name_and_a_mac_address_that_linux_takes(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    leg = Leg(0, (ipaddress.ip_interface(address),))
    assert len(underlay.port(leg)) <= 15
    first = int(underlay.hardware_address(leg).split(":")[0], 16)
    assert first & 0b11 == 0b10, "locally administered, not a group address"


def test_podman_is_asked_for_no_more_than_this_process_may_give() -> None:
    assert podman.configuration(20000, 96364) == (
        "[containers]\n"
        'default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]\n'
        'base_hosts_file = "none"\n'
        "[engine]\n"
        'runtime = "runc"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
        "[network]\n"
        'network_backend = "netavark"\n'
    )


def test_ssh_trusts_exactly_the_keys_that_were_made_for_the_hosts(cluster: Cluster, tmp_path: Path) -> None:
    state.write_keys(cluster)
    directory = tmp_path / "cache/container_hosts/demo"
    known = dict(line.split(" ", 1) for line in (directory / "known_hosts").read_text().splitlines())
    assert set(known) == {"node-1,192.0.2.12,2001:db8::12", "node-2,192.0.2.13,2001:db8::13"}
    host_key = directory / "hosts/node-1/ssh/host_key"
    derived = subprocess.run(["ssh-keygen", "-y", "-f", host_key], capture_output=True, text=True, check=True)
    assert derived.stdout.strip() == known["node-1,192.0.2.12,2001:db8::12"]
    private = [path for path in directory.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_keys_that_are_there_stay_when_a_host_joins(cluster: Cluster) -> None:
    state.write_keys(cluster)
    directory = state.state_directory("demo")
    before = {path: path.read_bytes() for path in directory.rglob("*_key*")}
    larger = make_cluster("demo", ["192.0.2.0/24"], {"node-1": ["192.0.2.12"], "node-3": ["192.0.2.14"]})
    state.write_keys(larger)
    assert {path: path.read_bytes() for path in before} == before
    assert (directory / "hosts/node-3/ssh/host_key").exists()


def test_the_ssh_configuration_is_one_that_ssh_reads_as_meant(cluster: Cluster) -> None:
    state.write_keys(cluster)
    configuration = state.state_directory("demo") / "ssh_config"
    shown = subprocess.run(
        ["ssh", "-G", "-F", configuration, "node-2"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for line in ("user root", "hostname 192.0.2.13", "stricthostkeychecking true", "identitiesonly yes"):
        assert line in shown


def test_the_state_of_a_cluster_goes_and_that_of_others_stays(cluster: Cluster) -> None:
    state.write_keys(cluster)
    other = make_cluster("demo-2", ["198.51.100.0/24"], {"a": ["198.51.100.9"]})
    state.write_keys(other)
    assert state.remove_state("demo") is True
    assert state.remove_state("demo") is False
    assert not state.state_directory("demo").exists()
    assert (state.state_directory("demo-2") / "client_key").exists()


def test_the_image_has_a_new_name_whenever_anything_in_it_changes(tmp_path: Path) -> None:
    copy = tmp_path / "image"
    shutil.copytree(image.SOURCE, copy)
    before = image.content_key(copy)
    assert before == image.content_key()
    with (copy / "packages").open("a") as listing:
        listing.write("vim\n")
    assert image.content_key(copy) != before


def test_the_image_is_built_from_the_listed_packages_without_documentation() -> None:
    command = image.build_command(Path("/srv/image.tar"))
    assert command[0] == "mmdebstrap"
    assert command[-2:] == ["bookworm", "/srv/image.tar"]
    assert "--dpkgopt=path-exclude=/usr/share/man/*" in command
    included = next(argument for argument in command if argument.startswith("--include="))
    assert {"openssh-server", "python3", "runc", "systemd-sysv"} <= set(
        included[len("--include=") :].split(",")
    )
    assert not [name for name in image.packages() if name.startswith("#")]


def test_a_container_with_another_address_or_image_is_another_container(cluster: Cluster) -> None:
    host = cluster.hosts[0]
    moved = Host(host.name, (ipaddress.ip_interface("192.0.2.99/24"),))
    digests = {
        hosts.spec_digest(cluster, host, "image:1"),
        hosts.spec_digest(cluster, host, "image:2"),
        hosts.spec_digest(cluster, moved, "image:1"),
    }
    assert len(digests) == 3


def test_the_message_of_a_booted_host_ends_the_wait(tmp_path: Path) -> None:
    def boot() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for text in (b"STATUS=Starting", b"READY=1\nSTATUS=Startup finished"):
                sender.sendto(text, str(tmp_path / "notify"))

    with hosts.BootMessage(tmp_path) as message:
        threading.Thread(target=boot).start()
        began = time.monotonic()
        message.wait("demo.node-1")
        assert time.monotonic() - began < hosts.LOOK_SECONDS
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_ends_while_booting_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(hosts, "podman", lambda _: "false\n")
    with (
        hosts.BootMessage(tmp_path) as message,
        pytest.raises(FlatnetError, match=r"^demo\.node-1 ended while it booted; `podman logs demo"),
    ):
        message.wait("demo.node-1")


def test_the_words_of_a_failed_program_become_the_message() -> None:
    with pytest.raises(FlatnetError) as refusal:
        run(["sh", "-c", "echo no such device >&2; exit 3"])
    assert str(refusal.value) == ("`sh -c 'echo no such device >&2; exit 3'` failed with 3: no such device")


def test_a_program_that_is_not_installed_is_named_with_the_remedy() -> None:
    with pytest.raises(
        FlatnetError, match=r"^no-such-program is not installed: run tests/setup-machine as root$"
    ):
        run(["no-such-program"])


def test_the_command_line_answers_a_mistake_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["destroy"]) == 1
    assert capsys.readouterr().err == (
        "container hosts: say what to destroy: a prefix, --inventory or --all\n"
    )


def test_a_machine_without_room_for_more_hosts_refuses_them_with_the_remedy(tmp_path: Path) -> None:
    setting = tmp_path / "sys/fs/inotify/max_user_instances"
    setting.parent.mkdir(parents=True)
    setting.write_text("128\n")
    for process in range(10):
        descriptors = tmp_path / str(process) / "fd"
        descriptors.mkdir(parents=True)
        for number in range(10):
            (descriptors / str(number)).symlink_to("anon_inode:inotify")
        (descriptors / "11").symlink_to("/dev/null")
    limits.check_inotify(0, tmp_path)
    limits.check_inotify(1, tmp_path)
    with pytest.raises(FlatnetError) as refusal:
        limits.check_inotify(2, tmp_path)
    assert str(refusal.value) == (
        "2 more hosts need about 32 inotify instances, but of the 128 that a user may have 100 are taken: "
        "destroy other hosts (make destroy), or allow more with sysctl -w fs.inotify.max_user_instances=264"
    )
