"""What cannot work is refused with one clear message, and leaves host and controller as they were."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from host_shell import on_host
from playbook import Answer, run_playbook

from flatnet.pki import CertificateSpec, Usage, reconcile
from tests.container_hosts import hosts, state
from tests.container_hosts.spec import make_cluster

PREFIX = "flatnet-no"
ADDRESS = "10.211.4.11"
NOBODY = "10.211.4.99"
on_node = partial(on_host, PREFIX, "node-1")


@pytest.fixture(scope="module", autouse=True)
def _host() -> Iterator[None]:
    cluster = make_cluster(PREFIX, ["10.211.4.0/24"], {"node-1": [ADDRESS]})
    hosts.create(cluster, lambda _: None)
    yield
    hosts.destroy(PREFIX)


def provision(folder: Path, settings: dict[str, Any] | None = None, **variables: str) -> Answer:
    """Run provision_network.yml on an inventory of one host, with its state in `folder`."""
    node = {"ansible_host": ADDRESS, **variables}
    inventory = folder / "hosts.yml"
    inventory.write_text(
        yaml.safe_dump(
            {
                "k8s_cluster": {
                    "children": {
                        group: {"hosts": {"node-1": {}}}
                        for group in ("kube_control_plane", "etcd", "kube_node")
                    },
                    "hosts": {"node-1": node},
                    "vars": {
                        "ansible_user": "root",
                        "ansible_ssh_common_args": f"-F {state.state_directory(PREFIX) / 'ssh_config'}",
                        "ansible_ssh_retries": 0,
                        "ansible_control_path_dir": str(folder / "c"),
                        "cluster_programs_source": "gomod",
                        # Whatever this machine has: what is refused is to be what a test brings about.
                        "kube_node_kubelet_configuration_extra": {"failSwapOn": False, "failCgroupV1": False},
                        "cluster_state_directory": str(folder / "state"),
                    },
                }
            }
        )
    )
    (folder / "state").mkdir(exist_ok=True)
    return run_playbook("provision_network.yml", inventory, "--extra-vars", json.dumps(settings or {}))


def left_on_host() -> str:
    """Return what a provision would have left; ls fails where there is nothing, which is the good case."""
    return on_node("ls /var/lib/flatnet /etc/kubernetes 2>/dev/null || true")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"cluster_service_cidrs": ["10.200.5.0/24"]},
            ["10.200.0.0/16", "overlaps", "10.200.5.0/24", "Fix:"],
        ),
        ({"cluster_host_cidrs": ["10.200.0.0/20"]}, ["10.200.0.0/16", "overlaps", "10.200.0.0/20", "Fix:"]),
        (
            {"cluster_pod_cidrs": ["10.200.0.1/16"]},
            ["10.200.0.1/16", "host bits", "Fix: write 10.200.0.0/16"],
        ),
        (
            {"cluster_pod_cidrs": ["10.200.0.0/24"], "cluster_node_prefixes": [23]},
            ["/23", "10.200.0.0/24", "Fix:"],
        ),
        ({"cluster_pod_cidr": ["172.20.0.0/16"]}, ["cluster_pod_cidr", "do you mean cluster_pod_cidrs?"]),
        ({"cluster_network_backend": "carrier-pigeon"}, ["carrier-pigeon", "flannel, kubenet"]),
        ({"cluster_kube_proxy_mode": "userspace"}, ["userspace", "iptables", "nftables", "Fix:"]),
        (
            {"cluster_programs_source": "directory", "cluster_programs_directory": "/nonexistent"},
            ["kubelet", "/nonexistent", "python -m flatnet.programs export"],
        ),
    ],
    ids=["overlap", "host-network", "host-bits", "mask", "name", "backend", "mode", "programs"],
)
def test_a_wrong_setting_is_named_with_its_fix(
    tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    answer = provision(tmp_path, settings)
    assert answer.code != 0
    assert [word for word in words if word not in answer.message] == []
    assert "Traceback" not in answer.output + answer.errors
    assert left_on_host() == ""
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize(
    ("script", "undo", "words"),
    [
        (
            "cp /etc/resolv.conf /root/asked && echo nameserver 127.0.0.53 > /etc/resolv.conf",
            "cat /root/asked > /etc/resolv.conf",
            ["node-1", "names no DNS server that a pod can ask too", "cluster_dns_upstreams"],
        ),
        (
            "cp /etc/resolv.conf /root/asked && echo nameserver 10.200.5.53 >> /etc/resolv.conf",
            "cat /root/asked > /etc/resolv.conf",
            ["[live-overlap] node-1: DNS server 10.200.5.53", "Fix:"],
        ),
        (
            "sysctl -q -w net.ipv4.ip_local_port_range='20000 60999'",
            "sysctl -q -w net.ipv4.ip_local_port_range='32768 60999'",
            ["[node-port-ephemeral] node-1: ", "20000-60999", "ip_local_reserved_ports"],
        ),
        (
            "systemd-run -q --unit=occupy python3 -c "
            "'import socket; s = socket.create_server((str(), 30080)); s.accept()'"
            " && until ss -ltn | grep -q :30080; do sleep 0.1; done",
            "systemctl stop occupy",
            ["[node-port-in-use] node-1: ", "30080 (python3)", "Fix:"],
        ),
    ],
    ids=["dns-stub", "dns-server", "own-connections", "port-in-use"],
)
def test_what_a_host_has_that_the_plan_needs_is_named(
    tmp_path: Path, script: str, undo: str, words: list[str]
) -> None:
    on_node(script)
    try:
        answer = provision(tmp_path)
    finally:
        on_node(undo)
    assert answer.code != 0
    assert [word for word in words if word not in answer.message] == []
    assert left_on_host() == ""
    assert not (tmp_path / "state" / "network_allocations.yml").exists()


LISTENER = (
    "systemd-run -q --unit=occupy python3 -c "
    "'import socket; s = socket.create_server((str(), 10250)); s.accept()'"
    " && until ss -ltn | grep -q :10250; do sleep 0.1; done"
)
CHAIN = "nft add chain ip nat POSTROUTING '{ type nat hook postrouting priority 100; }'"
RULE = "nft add rule ip nat POSTROUTING ip saddr '{ 192.0.2.1, 192.0.2.3 }' masquerade"


@pytest.mark.parametrize(
    ("script", "undo", "words"),
    [
        (
            LISTENER,
            "systemctl stop occupy",
            ["[port-in-use] node-1: tcp port 10250: python3 (occupy.service) has it, and kubelet needs it"],
        ),
        (
            f"ip link add vxlan7 up type vxlan id 7 dstport 8472 local {ADDRESS}",
            "ip link delete vxlan7",
            ["[port-in-use] node-1: udp port 8472: the vxlan interface vxlan7 has it", "flannel"],
        ),
        (
            f"nft add table ip nat && {CHAIN} && {RULE}",
            "nft delete table ip nat",
            ["node-1", "has rules of nftables in the chain POSTROUTING of table ip nat"],
        ),
        (
            "iptables-legacy -t nat -N KUBE-SERVICES",
            "iptables-legacy -t nat -X KUBE-SERVICES",
            ["node-1", "has chains of another kube-proxy or kubelet (KUBE-SERVICES)"],
        ),
        (
            "mkdir -p /var/lib/etcd/member/wal",
            "rm -r /var/lib/etcd",
            ["node-1", "has data of another cluster in /var/lib/etcd"],
        ),
    ],
    ids=["port", "tunnel", "nftables", "legacy", "etcd"],
)
def test_what_others_have_left_on_a_host_is_named(
    tmp_path: Path, script: str, undo: str, words: list[str]
) -> None:
    on_node(script)
    try:
        answer = provision(tmp_path, {"cluster_network_backend": "flannel"})
    finally:
        on_node(undo)
    assert answer.code != 0
    assert [word for word in words if word not in answer.message] == []
    assert left_on_host() == ""


def test_a_host_of_a_cluster_whose_keys_are_lost_keeps_its_trust(tmp_path: Path) -> None:
    other = tmp_path / "other"
    reconcile(other, [CertificateSpec("ca", "kubernetes-ca", "ca", frozenset({Usage.CA}))], datetime.now(UTC))
    trusted = (other / "ca.crt").read_text()
    on_node(f"mkdir -p /etc/kubernetes/pki && cat > /etc/kubernetes/pki/ca.crt <<'end'\n{trusted}end")
    try:
        answer = provision(tmp_path)
        kept = on_node("cat /etc/kubernetes/pki/ca.crt")
    finally:
        on_node("rm -r /etc/kubernetes")
    assert answer.code != 0
    words = ["node-1", "/etc/kubernetes/pki/ca.crt", str(tmp_path / "state" / "pki"), "backup"]
    assert [word for word in words if word not in answer.message] == []
    assert kept == trusted
    assert list((tmp_path / "state").iterdir()) == []


def test_an_unreachable_host_is_named_with_its_address(tmp_path: Path) -> None:
    answer = provision(tmp_path, ansible_host=NOBODY)
    assert answer.code != 0
    assert [
        word for word in ("node-1", NOBODY, "port 22", "cannot be reached") if word not in answer.message
    ] == []


def test_a_wrong_host_key_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    key = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    (tmp_path / "known_hosts").write_text(f"{ADDRESS} {key}\nnode-1 {key}\n")
    configuration = state.state_directory(PREFIX) / "ssh_config"
    answer = provision(
        tmp_path,
        ansible_ssh_common_args=f"-F {configuration} -o UserKnownHostsFile={tmp_path / 'known_hosts'}",
    )
    assert answer.code != 0
    assert [word for word in ("node-1", "host key", "ssh-keygen -R") if word not in answer.message] == []
    assert left_on_host() == ""


def test_a_host_without_python_is_told_what_to_install(tmp_path: Path) -> None:
    on_node("mkdir /hidden && mv /usr/bin/python3* /hidden/")
    try:
        answer = provision(tmp_path)
    finally:
        on_node("mv /hidden/python3* /usr/bin/ && rmdir /hidden")
    assert answer.code != 0
    assert [word for word in ("node-1", "Python", "python3") if word not in answer.message] == []
    assert left_on_host() == ""


def test_a_missing_command_is_named_with_its_package(tmp_path: Path) -> None:
    on_node("mv /usr/sbin/conntrack /usr/sbin/conntrack.away")
    try:
        answer = provision(tmp_path)
    finally:
        on_node("mv /usr/sbin/conntrack.away /usr/sbin/conntrack")
    assert answer.code != 0
    assert [word for word in ("node-1", "conntrack") if word not in answer.message] == []
