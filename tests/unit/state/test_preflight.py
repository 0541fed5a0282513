from typing import Any

import pytest

from flatnet.errors import FlatnetError
from flatnet.remote.failures import Called, Ran, read_answer
from flatnet.remote.unreachable import Target, explain, known_hosts_file
from flatnet.state.preflight import Node, clock_problem, problems

TARGET = Target("node-1", "192.0.2.11", 22, "admin")
HOST = "host node-1 (192.0.2.11, port 22)"
COMMANDS = {
    "ip": {"debian": "iproute2", "redhat": "iproute", "needed_by": ["kube_node"]},
    "ipset": {"debian": "ipset", "redhat": "ipset", "needed_by": ["policy engine guard"]},
    "nft": {
        "debian": "nftables",
        "redhat": "nftables",
        "needed_by": ["kube_proxy in mode nftables", "pod_masquerade"],
    },
}
SENT = 'Data could not be sent to remote host "192.0.2.11". Make sure this host can be reached over ssh: '
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key for 192.0.2.11 has changed and you have requested strict checking.
Host key verification failed."""
COMPARE = (
    "Compare the fingerprints that these print, here and on the host's own console:\n"
    "  ssh-keyscan -t ed25519 192.0.2.11 | ssh-keygen -lf -\n"
    "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n"
)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            SENT + "ssh: connect to host 192.0.2.11 port 22: Connection refused",
            f"{HOST} cannot be reached: ssh: connect to host 192.0.2.11 port 22: Connection refused. "
            "Check that it is up and that sshd listens there, or correct ansible_host or ansible_port",
        ),
        (
            "Failed to connect to the host via ssh: Connection timed out during banner exchange",
            f"{HOST} cannot be reached: Connection timed out during banner exchange. "
            "Check that it is up and that sshd listens there, or correct ansible_host or ansible_port",
        ),
        (
            SENT + "admin@192.0.2.11: Permission denied (publickey).",
            f"{HOST} does not let admin in: admin@192.0.2.11: Permission denied (publickey). "
            "Put the public key into the authorized_keys of admin there, or correct ansible_user or "
            "ansible_ssh_private_key_file",
        ),
        (
            SENT + "ssh: Could not resolve hostname 192.0.2.11: Name or service not known",
            "host node-1: its address '192.0.2.11' is unknown: "
            "ssh: Could not resolve hostname 192.0.2.11: Name or service not known. Correct ansible_host",
        ),
        (
            SENT + "Host key verification failed.",
            f"{HOST} shows an SSH host key that is not known yet. {COMPARE}"
            "If they are the same, accept it:\n"
            "  ssh-keyscan -t ed25519 192.0.2.11 >> ~/.ssh/known_hosts",
        ),
        (
            SENT + CHANGED,
            f"{HOST} shows another SSH host key than the one known. {COMPARE}"
            "If they are the same, as after a new installation, accept it:\n"
            "  ssh-keygen -R '192.0.2.11'\n"
            "  ssh-keyscan -t ed25519 192.0.2.11 >> ~/.ssh/known_hosts\n"
            "If they are not, somebody else answers at that address: do not connect.",
        ),
        (
            "",
            f"{HOST} cannot be reached: no reason given. "
            "Check that it is up and that sshd listens there, or correct ansible_host or ansible_port",
        ),
    ],
)
def test_a_failed_connection_is_explained_with_its_fix(said: str, message: str) -> None:
    assert explain(TARGET, said) == message


def test_another_port_and_another_known_hosts_file_are_in_the_commands() -> None:
    target = Target("node-1", "192.0.2.11", 2222, "admin", "/srv/known_hosts")
    assert (
        "  ssh-keygen -R '[192.0.2.11]:2222' -f /srv/known_hosts\n"
        "  ssh-keyscan -t ed25519 -p 2222 192.0.2.11 >> /srv/known_hosts\n"
    ) in explain(target, CHANGED)


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        ("-o ControlMaster=auto -o UserKnownHostsFile=/srv/known_hosts -C", "/srv/known_hosts"),
        ("-o 'UserKnownHostsFile /srv/known_hosts'", "/srv/known_hosts"),
        ("-C", ""),
    ],
)
def test_the_known_hosts_file_is_found_in_the_arguments_of_ssh(arguments: str, file: str) -> None:
    assert known_hosts_file(arguments) == file


def facts(**changed: object) -> dict[str, Any]:
    return {
        "uid": 0,
        "systemd": True,
        "init": "systemd",
        "python": "3.11.2",
        "operating_system": {"id": "debian", "version": "12"},
        "architecture": "x86_64",
        "swap": False,
        "cgroup_version": 2,
        "resolv_conf": "/etc/resolv.conf",
        "pod_nameservers": ["192.0.2.53"],
        "container_file_system": "ext4",
        "free_bytes": 1 << 40,
        "free_inodes": None,
        "advertised_default_routes": [],
        "commands": {"ip": "/usr/sbin/ip"},
        **changed,
    }


def test_facts_are_found_behind_what_a_login_shell_prints() -> None:
    answer = Ran(0, 'Welcome\nflatnet-answer {"uid": 0, "swap": false}\n', "")
    assert read_answer(Called(HOST, "/usr/bin/python3", "admin"), answer) == {"uid": 0, "swap": False}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Ran(93, "", ""),
            f"{HOST} has no Python at /usr/bin/python3; install it there (Debian: apt-get install python3, "
            "Red Hat: dnf install python3), or set ansible_python_interpreter",
        ),
        (
            Ran(0, 'flatnet-answer {"python": "3.6"}\n', ""),
            f"{HOST} has Python 3.6; at least 3.9 is needed: install a newer python3",
        ),
        (
            Ran(1, "", "sudo: sorry, you must have a tty to run sudo"),
            f"{HOST} does not let admin become root without a terminal: sudo: sorry, you must have a tty to "
            "run sudo; put `Defaults:admin !requiretty` into a file in /etc/sudoers.d there (visudo -f), or "
            "log in as root",
        ),
        (
            Ran(1, "", "sudo: a password is required\n"),
            f"{HOST} does not let admin become root: sudo: a password is required; allow sudo without a "
            "password, give --ask-become-pass, or log in as root",
        ),
        (
            Ran(1, "", "Traceback\n  boom\n"),
            f"{HOST} ended the program without an answer (status 1): Traceback boom",
        ),
    ],
)
def test_an_answer_without_facts_is_explained(answer: Ran, message: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        read_answer(Called(HOST, "/usr/bin/python3", "admin"), answer)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("known", "commands", "expected"),
    [
        (facts(), ["ip"], []),
        (
            facts(uid=1000, systemd=False, init="runit"),
            {},
            [
                f"{HOST} is logged in to as admin, who is not root; set ansible_become: true, or "
                "ansible_user: root",
                f"{HOST} runs runit as its first process; flatnet runs daemons as systemd units: "
                "use a host that boots systemd",
            ],
        ),
        (
            facts(commands={"ip": "/usr/sbin/ip", "nft": None, "ipset": None}),
            COMMANDS,
            [
                f"{HOST} lacks ipset (package ipset, needed by policy engine guard), nft (package "
                "nftables, needed by kube_proxy in mode nftables and pod_masquerade); "
                "apt-get install ipset nftables"
            ],
        ),
        (
            facts(
                commands={"ip": "/sbin/ip", "ipset": "/sbin/ipset"},
                operating_system={"id": "rocky", "version": "9"},
            ),
            COMMANDS,
            [
                f"{HOST} lacks nft (package nftables, needed by kube_proxy in mode nftables and "
                "pod_masquerade); dnf install nftables"
            ],
        ),
        (
            facts(architecture="riscv64"),
            {},
            [f"{HOST} has the architecture riscv64; flatnet has programs for x86_64 and aarch64 only"],
        ),
        (facts(swap=True, cgroup_version=1, resolv_conf=""), {}, []),
    ],
)
def test_what_keeps_a_host_from_being_used_is_one_sentence_each(
    known: dict[str, Any], commands: dict[str, dict[str, Any]], expected: list[str]
) -> None:
    assert problems(HOST, "admin", known, commands) == expected


NO_SWAP = (
    f"{HOST} has swap on, and a kubelet does not start with it; swapoff --all there and take it out of "
    "/etc/fstab, or set kube_node_kubelet_configuration_extra: {failSwapOn: false}"
)
NO_VERSION_1 = (
    f"{HOST} has control groups of version 1, and a kubelet does not start with them; boot it with "
    "systemd.unified_cgroup_hierarchy=1, or set kube_node_kubelet_configuration_extra: {failCgroupV1: false}"
)
ADVERTISED = (
    f"{HOST} has its IPv6 default route from router advertisements, which the kernel ignores once it "
    "forwards for pods; put net/ipv6/conf/eth0/accept_ra = 2, net/ipv6/conf/eth1/accept_ra = 2 into "
    "/etc/sysctl.conf there and run sysctl --load, or set a default route by hand"
)
NO_LOOPBACK = (
    f"{HOST} names no DNS server that a pod can ask too, in /etc/resolv.conf or "
    "/run/systemd/resolve/resolv.conf (a loopback address is the pod's own); name servers in "
    "cluster_dns_upstreams, [] for none"
)

NO_OVERLAY = (
    f"{HOST} has /var/lib/containerd on a file system of the kind nfs4, and overlayfs, which containers are "
    "made of, has no layers on that; mount another there, such as ext4"
)
SIX = ["2001:db8::53", "fe80::1%eth0"]
NO_IPV4 = (
    f"{HOST} asks DNS servers of IPv6 alone (2001:db8::53, fe80::1%eth0), which pods of IPv4 do not reach; "
    "name others in cluster_dns_upstreams"
)


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        ({"free_bytes": 1 << 30, "free_inodes": 20_000}, []),
        (
            {"free_bytes": 300 << 20},
            [
                f"{HOST} has 300 MiB free below /var/lib, and flatnet's programs, images and data take 1024 "
                "MiB at least; make room"
            ],
        ),
        (
            {"free_inodes": 12},
            [
                f"{HOST} has 12 inodes free below /var/lib, and images take 20000 at least; remove small "
                "files, or use a file system with more"
            ],
        ),
    ],
)
def test_a_full_file_system_is_refused(room: dict[str, int], expected: list[str]) -> None:
    assert problems(HOST, "admin", facts(**room), {}) == expected


@pytest.mark.parametrize(
    ("told", "apart"),
    [
        (1000.0, ""),
        # As long as the call took, nobody knows when in it the host looked at its clock.
        (1000.0 - 299, ""),
        (1020.0 + 299, ""),
        (1000.0 - 301, "5 minutes behind"),
        (1020.0 + 7200, "2 hours ahead of"),
        (1000.0 - 864_000, "10 days behind"),
    ],
)
def test_a_clock_may_be_as_far_apart_as_certificates_bear(told: float, apart: str) -> None:
    problem = clock_problem(HOST, told, 1000.0, 1020.0)
    assert problem.startswith(f"{HOST} has a clock that is {apart} this machine's, and" if apart else "")
    assert bool(problem) is bool(apart)


@pytest.mark.parametrize(
    ("known", "node", "expected"),
    [
        (facts(), Node({}, resolver_wanted=True), []),
        (facts(swap=True), Node({}, resolver_wanted=True), [NO_SWAP]),
        (facts(swap=True), Node({"failSwapOn": False}, resolver_wanted=True), []),
        (facts(cgroup_version=1), Node({"failCgroupV1": True}, resolver_wanted=True), [NO_VERSION_1]),
        (facts(cgroup_version=1), Node({"failCgroupV1": False}, resolver_wanted=True), []),
        (facts(resolv_conf=""), Node({}, resolver_wanted=True), [NO_LOOPBACK]),
        (facts(resolv_conf=""), Node({}, resolver_wanted=False), []),
        (facts(resolv_conf=""), Node({"resolvConf": "/etc/resolv.pods"}, resolver_wanted=True), []),
        (
            facts(advertised_default_routes=["eth0", "eth1"]),
            Node({}, resolver_wanted=True, ipv6_forwarded=True),
            [ADVERTISED],
        ),
        (facts(advertised_default_routes=["eth0"]), Node({}, resolver_wanted=True), []),
        (facts(container_file_system="tmpfs"), Node({}, resolver_wanted=True), []),
        (facts(container_file_system="nfs4"), Node({}, resolver_wanted=True), [NO_OVERLAY]),
        (facts(pod_nameservers=SIX), Node({}, resolver_wanted=True, families=["ipv4"]), [NO_IPV4]),
        (facts(pod_nameservers=SIX), Node({}, resolver_wanted=False, families=["ipv4"]), []),
        (facts(pod_nameservers=SIX), Node({}, resolver_wanted=True, families=["ipv4", "ipv6"]), []),
        (facts(pod_nameservers=[*SIX, "192.0.2.53"]), Node({}, resolver_wanted=True, families=["ipv4"]), []),
    ],
)
def test_a_host_on_which_a_kubelet_would_not_run_is_no_node(
    known: dict[str, Any], node: Node, expected: list[str]
) -> None:
    assert problems(HOST, "admin", known, {}, node) == expected
