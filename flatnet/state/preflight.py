"""What a host is like: reading what it printed about itself, and what keeps flatnet from using it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.state.remote import answer_in

MARKER = "flatnet-facts "
OLDEST_PYTHON = (3, 9)
# Status of the shell that finds no Python; ours alone, so that no other failure is taken for it.
NO_PYTHON = 93

# As `uname -m` says it; those that programs are built and published for.
ARCHITECTURES = ("x86_64", "aarch64")

# Where a command comes from: (Debian and Ubuntu, Red Hat and its kin).
PACKAGES: Mapping[str, tuple[str, str]] = {
    "conntrack": ("conntrack", "conntrack-tools"),
    "ethtool": ("ethtool", "ethtool"),
    "ip": ("iproute2", "iproute"),
    "ipset": ("ipset", "ipset"),
    "iptables": ("iptables", "iptables-nft"),
    "ipvsadm": ("ipvsadm", "ipvsadm"),
    "modprobe": ("kmod", "kmod"),
    "mount": ("mount", "util-linux"),
    "nft": ("nftables", "nftables"),
    "runc": ("runc", "runc"),
    "socat": ("socat", "socat"),
    "sysctl": ("procps", "procps-ng"),
    "tc": ("iproute2", "iproute-tc"),
    "unshare": ("util-linux", "util-linux"),
}
_RED_HAT = frozenset({"almalinux", "centos", "fedora", "ol", "rhel", "rocky"})


class Answer(NamedTuple):
    """What a command on a host left: exit status and texts."""

    status: int
    output: str
    errors: str


def read_answer(host: str, interpreter: str, user: str, answer: Answer) -> dict[str, Any]:
    """Return the facts that a host printed. Raises FlatnetError saying why there are none."""
    facts = answer_in(answer.output, MARKER)
    if facts is not None:
        return facts
    said = " ".join((answer.errors.strip() or answer.output.strip()).split())[-300:]
    if answer.status == NO_PYTHON:
        raise FlatnetError(
            f"{host} has no Python at {interpreter}; install it there (Debian: apt-get install python3, "
            "Red Hat: dnf install python3), or set ansible_python_interpreter"
        )
    if "sudo" in said or "password" in said.lower():
        raise FlatnetError(no_root(host, user, said))
    raise FlatnetError(
        f"{host} answered nothing that can be read (status {answer.status}): {said or 'nothing'}"
    )


def no_root(host: str, user: str, said: str) -> str:
    """Return the message for a user who cannot become root."""
    return (
        f"{host} does not let {user} become root: {said}; allow sudo without a password, "
        "give --ask-become-pass, or log in as root"
    )


class Node(NamedTuple):
    """What a host that becomes a node has to suit.

    kubelet: fields of KubeletConfiguration that are set for it, such as failSwapOn.
    resolver_wanted: whether cluster DNS asks the servers that the host itself asks.
    ipv6_forwarded: whether the host will forward IPv6.
    """

    kubelet: Mapping[str, Any]
    resolver_wanted: bool
    ipv6_forwarded: bool = False


def problems(
    host: str, user: str, facts: Mapping[str, Any], commands: Sequence[str], node: Node | None = None
) -> list[str]:
    """Return one sentence for each thing that keeps flatnet from using a host, with its fix.

    node: left out where the host does not become a node.
    """
    if "uid" not in facts:
        # An old Python says no more than its version.
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return [f"{host} has Python {facts['python']}; at least {oldest} is needed: install a newer python3"]
    found = []
    if facts["uid"] != 0:
        found.append(
            f"{host} is used as {user}, who is not root; set ansible_become: true, or ansible_user: root"
        )
    if not facts["systemd"]:
        found.append(
            f"{host} runs {facts['init'] or 'an unknown program'} as its first process; "
            "flatnet runs daemons as systemd units: use a host that boots systemd"
        )
    missing = [command for command in commands if not facts["commands"].get(command)]
    if missing:
        found.append(f"{host} lacks {', '.join(missing)}; {_installation(facts, missing)}")
    if facts["architecture"] not in ARCHITECTURES:
        found.append(
            f"{host} is a machine of architecture {facts['architecture']}; flatnet has programs for "
            f"{' and '.join(ARCHITECTURES)} only"
        )
    return found + (_node_problems(host, facts, node) if node else [])


def _node_problems(host: str, facts: Mapping[str, Any], node: Node) -> list[str]:
    """Return what a kubelet or a pod cannot live with.

    Defaults of KubeletConfiguration: kubernetes/pkg/kubelet/apis/config/v1beta1/defaults.go.
    """
    found = []
    if facts["swap"] and node.kubelet.get("failSwapOn", True):
        found.append(
            f"{host} has swap on, and a kubelet does not start with it; swapoff --all there and take it out "
            "of /etc/fstab, or set kube_node_kubelet_configuration_extra: {failSwapOn: false}"
        )
    if facts["cgroup_version"] == 1 and node.kubelet.get("failCgroupV1", True):
        found.append(
            f"{host} has control groups of version 1, and a kubelet does not start with them; boot it with "
            "systemd.unified_cgroup_hierarchy=1, or set kube_node_kubelet_configuration_extra: "
            "{failCgroupV1: false}"
        )
    if node.resolver_wanted and not facts["resolv_conf"] and not node.kubelet.get("resolvConf"):
        found.append(
            f"{host} names no DNS server that a pod can ask too, in /etc/resolv.conf or "
            "/run/systemd/resolve/resolv.conf (a loopback address is the pod's own); name servers in "
            "cluster_dns_upstreams, [] for none"
        )
    devices = facts["advertised_default_routes"] if node.ipv6_forwarded else []
    if devices:
        keys = ", ".join(f"net/ipv6/conf/{device}/accept_ra = 2" for device in devices)
        found.append(
            f"{host} has its IPv6 default route from router advertisements, which the kernel ignores once it "
            f"forwards for pods; put {keys} into /etc/sysctl.conf there and run sysctl --load, or set a "
            "default route by hand"
        )
    return found


def _installation(facts: Mapping[str, Any], commands: Sequence[str]) -> str:
    red_hat = facts["operating_system"]["id"] in _RED_HAT
    packages = sorted({PACKAGES.get(command, (command, command))[red_hat] for command in commands})
    return f"{'dnf install' if red_hat else 'apt-get install'} {' '.join(packages)}"
