"""The program that runs on hosts, and the action that sends it there."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pki_cases
import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from plugin_loader import load_plugin

from flatnet.host.facts import features, local, serve
from flatnet.remote import action as remote_action
from flatnet.remote.program import answer_in, command, program

ROLE = Path(__file__).parents[3] / "roles" / "host_preflight"
MODULE = "flatnet.host.facts.serve"
ACTION = ROLE / "action_plugins" / "host_facts.py"


@pytest.mark.skipif(
    sys.byteorder == "big", reason="the kernel writes these words in the order of the machine"
)
def test_listening_sockets_are_read_and_connected_ones_left_out() -> None:
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
    table = (
        f"{header}"
        "   0: 0B0200C0:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 700\n"
        "   1: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 701\n"
        "   2: 0B0200C0:0016 010200C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 702\n"
    )
    assert serve.listening(table, 4) == [
        {"address": "192.0.2.11", "port": 22, "protocol": "tcp", "inode": "700"},
        {"address": "127.0.0.1", "port": 6443, "protocol": "tcp", "inode": "701"},
    ]
    rest = "00000000:00000000 00:00000000 00000000 0 0 703"
    table = f"{header}   0: B80D0120000000000000000001000000:0016 {'0' * 32}:0000 0A {rest}\n"
    six = {"address": "2001:db8::1", "port": 22, "inode": "703"}
    assert serve.listening(table, 6) == [six | {"protocol": "tcp"}]
    assert serve.listening(table, 6, "udp") == []
    assert serve.listening(table.replace(" 0A ", " 07 "), 6, "udp") == [six | {"protocol": "udp"}]
    assert serve.listening("", 4) == []


def test_a_socket_is_told_with_the_process_that_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        inode = str(os.fstat(server.fileno()).st_ino)
        found = serve.with_processes([{"port": 1, "inode": inode}, {"port": 2, "inode": "0"}])
    name = Path("/proc/self/comm").read_text().strip()
    unit = serve.unit_of(Path("/proc/self/cgroup").read_text())
    assert found == [{"port": 1, "process": name, "unit": unit}, {"port": 2, "process": "", "unit": ""}]


@pytest.mark.parametrize(
    ("cgroups", "unit"),
    [
        ("0::/system.slice/kube-apiserver.service\n", "kube-apiserver.service"),
        (
            "0::/system.slice/snap.microk8s.daemon-kubelite.service/sub\n",
            "snap.microk8s.daemon-kubelite.service",
        ),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/web.service\n", "web.service"),
        ("0::/user.slice/user-0.slice/session-1.scope\n", ""),
        ("0::/kubepods.slice/kubepods-besteffort.slice/cri-containerd-1a.scope\n", "kubepods"),
        ("4:memory:/x.service\n1:name=systemd:/host-1/system.slice/kubelet.service\n", "kubelet.service"),
        ("4:memory:/kubepods/burstable/pod1/2\n1:name=systemd:/kubepods/burstable/pod1/2\n", "kubepods"),
        # A host that is a container in a pod of another machine.
        ("1:name=systemd:/kubepods/burstable/pod1/2/system.slice/etcd.service\n", "etcd.service"),
        ("", ""),
    ],
)
def test_the_unit_of_a_process_is_read_from_its_control_group(cgroups: str, unit: str) -> None:
    assert serve.unit_of(cgroups) == unit


def test_dns_servers_are_those_that_a_resolver_would_ask() -> None:
    stub = "# nameserver 192.0.2.1\nnameserver 127.0.0.53\noptions edns0\nnameserver\nnameserver none\n"
    asked = "nameserver 192.0.2.53\nnameserver\tfe80::1%eth0\nnameserver 192.0.2.53\nsearch example.com\n"
    assert serve.nameservers(stub, asked) == ["127.0.0.53", "192.0.2.53", "fe80::1%eth0"]
    assert serve.nameservers("", "") == []


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("192.0.2.53", "192.0.2.54", "first"),
        # systemd-resolved's stub, and one of the host's own beside another.
        ("127.0.0.53", "192.0.2.54", "second"),
        ("::1 192.0.2.53", "fe80::1%eth0", "second"),
        ("127.0.0.1", "", ""),
        ("", "", ""),
    ],
)
def test_the_resolvers_of_pods_are_those_that_a_pod_can_ask(first: str, second: str, found: str) -> None:
    def text(servers: str) -> str:
        return "".join(f"nameserver {server}\n" for server in servers.split())

    assert serve.resolv_conf({"first": text(first), "second": text(second)}) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [("\n", []), ("", []), ("8080,30000-32767\n", [[8080, 8080], [30000, 32767]])],
)
def test_reserved_ports_are_ranges(text: str, expected: list[list[int]]) -> None:
    assert serve.port_ranges(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('NAME="Debian"\nID=debian\nVERSION_ID="12"\n', {"id": "debian", "version": "12"}),
        ('ID="rocky"\n', {"id": "rocky", "version": ""}),
        ("", {"id": "", "version": ""}),
    ],
)
def test_the_operating_system_is_known_by_its_identifier(text: str, expected: dict[str, str]) -> None:
    assert serve.operating_system(text) == expected


def test_memory_is_counted_in_bytes() -> None:
    assert serve.memory_bytes("MemTotal:        8154776 kB\nMemFree: 1 kB\n") == 8350490624
    assert serve.memory_bytes("") == 0


def test_a_feature_is_looked_for_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "/proc/modules": "vxlan 1 0\n",
        f"/lib/modules/{os.uname().release}/modules.builtin": "kernel/net/8021q/8021q.ko\n",
        "/proc/filesystems": "nodev\toverlay\n",
    }
    asked = []

    def run(arguments: list[str]) -> str:
        asked.append(arguments)
        return "sctp\n" if "modprobe" in arguments[-1] else "veth\n"

    monkeypatch.setattr(features, "read", lambda path: texts.get(path, ""))
    monkeypatch.setattr(features, "run", run)
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/proc/sys/net/bridge")
    names = ["vxlan", "vlan", "overlay", "br_netfilter", "sctp", "veth", "wireguard"]
    expected = {name: name != "wireguard" for name in names}
    assert features.kernel_features(names) == expected
    assert [arguments[0] for arguments in asked] == ["sh", "unshare"]
    assert "modprobe -n -q sctp && echo sctp\n" in asked[0][-1]
    assert "vxlan" not in asked[0][-1]
    asked.clear()
    assert features.kernel_features([]) == {}
    assert asked == []


def test_what_iptables_needs_is_made_and_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = []

    def run(arguments: list[str]) -> str:
        assert arguments[:2] == ["unshare", "--net"]
        scripts.append(arguments[-1])
        return "xt_mark\n"

    monkeypatch.setattr(features, "read", lambda _: "xt_statistic 1 0\nxt_mark 1 0\n")
    monkeypatch.setattr(features, "run", run)
    assert features.kernel_features(["xt_mark", "xt_statistic"]) == {"xt_mark": True, "xt_statistic": False}
    [script] = scripts
    batch, single = script.split("\nelse\n")
    assert batch.startswith(
        "if iptables-restore -w 5 2>/dev/null <<'end'\n*nat\n:POSTROUTING ACCEPT [0:0]\n-A POST"
    )
    assert batch.endswith("\nCOMMIT\nend\nthen echo xt_mark xt_statistic")
    assert (
        " -m statistic --mode random --probability 0.5 -j RETURN 2>/dev/null && echo xt_statistic\n" in single
    )


@pytest.mark.parametrize(
    ("kernel", "nft", "works", "expected"),
    [
        ("5.13.0-1-amd64", "nftables v1.0.1 (Fearless Fosdick #3)", True, True),
        ("6.1.0", "nftables v1.0.6 (Lester Gooch #5)", False, False),
        ("5.10.0-28-amd64", "nftables v1.0.6 (Lester Gooch #5)", True, False),
        ("6.1.0", "nftables v0.9.8 (E.D.S.)", True, False),
        ("6.1.0", "", True, False),
    ],
)
def test_services_in_nftables_take_a_new_kernel_and_a_new_nft(
    monkeypatch: pytest.MonkeyPatch, kernel: str, nft: str, works: bool, expected: bool
) -> None:
    def run(arguments: list[str]) -> str:
        return nft if arguments[0] == "nft" else "nftables_services\n" * works

    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=kernel))
    monkeypatch.setattr(features, "run", run)
    assert features.kernel_features(["nftables_services"]) == {"nftables_services": expected}


def test_the_table_that_is_tried_is_one_that_nft_reads() -> None:
    nft = shutil.which("nft", path=local.PATH)
    if os.geteuid() != 0 or nft is None:
        pytest.skip("it takes root and nft")
    script = [nft, "--check", "--file", "-"]
    assert subprocess.run(script, input=features.SERVICES, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/containerd", "ext4"),
        ("/var/lib/containers", "overlay"),
        ("/srv/a b/c", "nfs4"),
        ("/proc", "proc"),
    ],
)
def test_a_path_is_on_the_file_system_that_is_mounted_nearest_to_it(path: str, kind: str) -> None:
    mounts = (
        "1 0 0:30 / / rw,relatime - overlay overlay rw\n"
        "2 1 0:5 / /proc rw - proc proc rw\n"
        "3 1 8:1 / /var/lib/containerd rw shared:1 - xfs /dev/sda1 rw\n"
        "4 1 8:2 / /var/lib/containerd rw - ext4 /dev/sda2 rw\n"
        "5 1 0:9 / /srv/a\\040b rw - nfs4 192.0.2.9:/a rw\n"
    )
    assert serve.file_system_of(path, mounts) == kind
    assert serve.file_system_of(path, "") == ""


def test_room_is_told_in_bytes_and_inodes(tmp_path: Path) -> None:
    found = serve.room(str(tmp_path))
    status = os.statvfs(tmp_path)
    assert found["free_bytes"]
    assert (found["free_inodes"] is None) == (status.f_files == 0)
    assert serve.room("/no/such/place") == {"free_bytes": 0, "free_inodes": None}


def test_this_machine_is_known_by_the_real_program() -> None:
    request = {
        "kernel_features": [],
        "commands": ["sh", "no-such-command"],
        "files": [__file__, "/no/such/file"],
        "directories": ["/no/such/directory"],
    }
    printed = subprocess.run(
        [sys.executable, "-I", "-"], input=program(MODULE, request), capture_output=True, check=True
    ).stdout.decode()
    found = answer_in(printed)
    assert found
    assert (found["commands"]["no-such-command"], found["kernel_features"]) == (None, {})
    assert found["commands"]["sh"].endswith("/sh")
    assert found["files"] == {__file__: Path(__file__).read_text()}
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    ports = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert found["ip_local_port_range"] == [int(port) for port in ports]


class Connection:
    """An SSH connection as far as the action asks it."""

    options: ClassVar = {"host": "192.0.2.11", "port": None, "remote_user": "admin", "ssh_args": "-C"}
    _shell = SimpleNamespace(tmpdir=None)
    has_pipelining = True

    def has_option(self, name: str) -> bool:
        return name in self.options

    def get_option(self, name: str) -> object:
        return self.options[name]


def run_action(answer: dict[str, Any] | Exception, **arguments: object) -> tuple[dict[str, Any], list[Any]]:
    calls: list[Any] = []

    def note(module: str, request: dict[str, Any], root_needed: bool) -> bytes:
        assert (module, root_needed) == (MODULE, False)
        calls.append(request)
        return program(module, request)

    def execute(_self: object, given: str, in_data: bytes) -> dict[str, Any]:
        assert (given, in_data) == (command("/usr/bin/python3"), program(MODULE, calls[-1]))
        if isinstance(answer, Exception):
            raise answer
        return {**answer, "stdout": answer["stdout"].replace(NOW, str(time.time()))}

    plugin = type("Action", (load_plugin(ACTION).ActionModule,), {"_low_level_execute_command": execute})
    task = SimpleNamespace(
        args=arguments, check_mode=False, async_val=0, action="host_facts", diff=False, delegate_to=None
    )
    action = plugin(task, Connection(), SimpleNamespace(), None, None, None)
    variables = {"inventory_hostname": "node-1", "ansible_python_interpreter": "/usr/bin/python3"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote_action, "program", note)
        return action.run(task_vars=variables), calls


# What stands for the moment in which a host answers: tests may begin long after they were read.
NOW = '"now"'
FACTS = {
    "uid": 0,
    "systemd": True,
    "init": "systemd",
    "operating_system": {"id": "debian"},
    "architecture": "x86_64",
    "interfaces": [],
    "interface_settings": {name: {"ipv4": {}, "ipv6": {}} for name in ("all", "default")},
    "rules": [],
    "other_routes": [],
    "drop_ins": {},
    "default_environment": [],
    "cni_files": [],
    "unrecorded_data": [],
    "container_file_system": "ext4",
    "networkd": False,
    "incompatible_chains": [],
    "other_chains": [],
    "free_bytes": 1 << 40,
    "free_inodes": None,
    "time": "now",
}
NO_NODE = {
    "swap": True,
    "cgroup_version": 2,
    "resolv_conf": "",
    "advertised_default_routes": ["eth0"],
    "pod_nameservers": [],
}


COMMANDS = {"ip": {"debian": "iproute2", "redhat": "iproute", "needed_by": ["kube_node"]}}


def test_one_call_brings_the_facts() -> None:
    printed = f"flatnet-answer {json.dumps({**FACTS, 'commands': {'ip': '/usr/sbin/ip'}})}\n"
    result, calls = run_action({"rc": 0, "stdout": printed, "stderr": ""}, commands=COMMANDS)
    assert result["ansible_facts"]["flatnet_facts"]["uid"] == 0
    assert result["changed"] is False
    assert calls == [{"commands": ["ip"], "directories": [], "files": [], "kernel_features": []}]


def test_a_clock_that_is_apart_is_refused() -> None:
    known = {**FACTS, "commands": {}, "time": time.time() - 3600}
    answer = {"rc": 0, "stdout": f"flatnet-answer {json.dumps(known)}\n", "stderr": ""}
    with pytest.raises(AnsibleActionFail, match=r"has a clock that is 60 minutes behind this machine's"):
        run_action(answer)


def test_a_host_that_trusts_lost_keys_is_refused_and_the_files_are_no_facts(tmp_path: Path) -> None:
    pki_cases.run(tmp_path / "old")
    known = {**FACTS, "commands": {}, "files": {"/etc/ca.crt": (tmp_path / "old" / "ca.crt").read_text()}}
    answer = {"rc": 0, "stdout": f"flatnet-answer {json.dumps(known)}\n", "stderr": ""}
    own = [{"path": "/etc/ca.crt", "source": str(tmp_path / "old" / "ca.crt")}]
    result, [request] = run_action(answer, trusted=own)
    assert request["files"] == ["/etc/ca.crt"]
    assert "files" not in result["ansible_facts"]["flatnet_facts"]
    lost = [{"path": "/etc/ca.crt", "source": str(tmp_path / "new" / "ca.crt")}]
    with pytest.raises(AnsibleActionFail, match=r"node-1 .* is part of a cluster already: .*/etc/ca\.crt"):
        run_action(answer, trusted=lost)


def test_an_old_python_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match=r"at least 3\.9 is needed"):
        run_action({"rc": 0, "stdout": 'flatnet-answer {"python": "3.6"}\n', "stderr": ""})


def test_an_unreachable_host_is_a_failure_with_one_message_and_no_cause_behind_it() -> None:
    reason = AnsibleConnectionFailure("Failed to connect to the host via ssh: No route to host")
    with pytest.raises(AnsibleActionFail) as caught:
        run_action(reason)
    assert caught.value.message == (
        "host node-1 (192.0.2.11, port 22) cannot be reached: No route to host. "
        "Check that it is up and that sshd listens there, or correct ansible_host or ansible_port"
    )
    assert caught.value.__cause__ is None


def test_all_that_is_wrong_with_a_host_is_in_one_message() -> None:
    known = {**FACTS, "uid": 1000, "commands": {"nft": None}, **NO_NODE}
    printed = f"flatnet-answer {json.dumps(known)}\n"
    with pytest.raises(AnsibleActionFail) as caught:
        run_action(
            {"rc": 0, "stdout": printed, "stderr": ""},
            commands={"nft": {"debian": "nftables", "redhat": "nftables", "needed_by": ["pod_masquerade"]}},
            node=True,
            kubelet_configuration={"failSwapOn": False},
            resolver_wanted=True,
        )
    assert caught.value.message.splitlines() == [
        "host node-1 (192.0.2.11, port 22) is logged in to as admin, who is not root; "
        "set ansible_become: true, or ansible_user: root",
        "host node-1 (192.0.2.11, port 22) lacks nft (package nftables, needed by pod_masquerade); "
        "apt-get install nftables",
        "host node-1 (192.0.2.11, port 22) names no DNS server that a pod can ask too, in /etc/resolv.conf "
        "or /run/systemd/resolve/resolv.conf (a loopback address is the pod's own); name servers in "
        "cluster_dns_upstreams, [] for none",
    ]


def test_a_user_who_cannot_become_root_is_told_how() -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        run_action(AnsibleError("Missing sudo password"))
    assert caught.value.message == (
        "host node-1 (192.0.2.11, port 22) does not let admin become root: Missing sudo password; "
        "allow sudo without a password, give --ask-become-pass, or log in as root"
    )


def test_what_others_set_up_is_judged_for_the_place_that_the_host_has() -> None:
    path = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
    known = {
        **FACTS,
        "commands": {},
        "swap": False,
        "cgroup_version": 2,
        "drop_ins": {"kubelet.service": [{"path": path, "settings": ["ExecStart"]}]},
        "cni_files": ["/etc/cni/net.d/05-cilium.conflist"],
    }
    answer = {"rc": 0, "stdout": f"flatnet-answer {json.dumps(known)}\n", "stderr": ""}
    with pytest.raises(AnsibleActionFail) as caught:
        run_action(answer, units=["kubelet"], node=True)
    assert [line.split(" has ")[1].split(",")[0] for line in caught.value.message.splitlines()] == [
        path,
        "the CNI configuration /etc/cni/net.d/05-cilium.conflist of somebody else",
    ]
    # No pod runs there, and no unit of ours.
    assert run_action(answer)[0]["changed"] is False


def test_the_probe_of_a_promiscuous_bridge_finds_a_packet_that_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if os.geteuid() != 0 or not shutil.which("nft"):
        pytest.skip("needs root and nft")
    # A port that sends back what came from it does what a kernel does that the mode is for.
    port = "ip link set flatnet1 up\nip link set flatnet0 type bridge_slave hairpin on"
    monkeypatch.setattr(features, "HAIRPIN", features.HAIRPIN.replace("ip link set flatnet1 up", port))
    assert features.used_features(["promiscuous_hairpin"]) == ["promiscuous_hairpin"]
