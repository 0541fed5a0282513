"""What keeps flatnet from using a host, out of what the host tells about itself."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flatnet.pki.issue import BACKDATE
from flatnet.remote.failures import not_root_message

# Of file systems that cannot be the upper layer of overlayfs, which containerd makes containers of (Linux,
# Documentation/filesystems/overlayfs.rst): they lack extended attributes, or kinds of directory entries.
_NO_UPPER_LAYERS = ("9p", "cifs", "exfat", "fuse", "nfs", "overlay", "smb", "vfat")
# What the programs and images of a node and a first pod take, and some room for what the system writes.
LEAST_BYTES, LEAST_INODES = 1 << 30, 20_000
# As `uname -m` says it; those that programs are built and published for.
ARCHITECTURES = ("x86_64", "aarch64")

_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_RED_HAT = frozenset({"almalinux", "centos", "fedora", "ol", "rhel", "rocky"})


class Node(NamedTuple):
    """What a host that becomes a node has to suit.

    kubelet: fields of KubeletConfiguration that are set for it, such as failSwapOn.
    resolver_wanted: whether cluster DNS asks the servers that the host itself asks.
    ipv6_forwarded: whether the host will forward IPv6.
    families: those of its pods.
    """

    kubelet: Mapping[str, Any]
    resolver_wanted: bool
    ipv6_forwarded: bool = False
    families: Sequence[str] = ()


def problems(
    host: str,
    user: str,
    facts: Mapping[str, Any],
    commands: Mapping[str, Mapping[str, Any]],
    node: Node | None = None,
) -> list[str]:
    """Return one sentence for each thing that keeps flatnet from using a host, with its fix.

    commands: what is needed of the distribution, name -> {debian, redhat, needed_by} as in the plan's needs.
    node: left out where the host does not become a node.
    """
    found = []
    if facts["uid"] != 0:
        found.append(not_root_message(host, user))
    if not facts["systemd"]:
        found.append(
            f"{host} runs {facts['init'] or 'an unknown program'} as its first process; "
            "flatnet runs daemons as systemd units: use a host that boots systemd"
        )
    missing = [command for command in commands if not facts["commands"].get(command)]
    if missing:
        found.append(f"{host} lacks {_missing(facts, {name: commands[name] for name in missing})}")
    if facts["architecture"] not in ARCHITECTURES:
        found.append(
            f"{host} has the architecture {facts['architecture']}; flatnet has programs for "
            f"{' and '.join(ARCHITECTURES)} only"
        )
    return found + _room_problems(host, facts) + (_node_problems(host, facts, node) if node else [])


def clock_problem(host: str, told: float, began: float, ended: float) -> str:
    """Return what is wrong with a host's clock, "" for nothing.

    told: its time, in seconds since 1970; began, ended: this machine's before and after it was asked.
    Certificates count from a few minutes before they are issued here (pki.issue, BACKDATE); what is as far
    ahead would call them, and tokens of the API server, over before they are.
    """
    behind, ahead = began - told, told - ended
    apart = max(behind, ahead)
    if apart <= BACKDATE.total_seconds():
        return ""
    return (
        f"{host} has a clock that is {_duration(apart)} {'behind' if behind > ahead else 'ahead of'} this "
        "machine's, and certificates that are issued here would not count there, or not as long; keep both "
        "by NTP (timedatectl set-ntp true)"
    )


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"


def _room_problems(host: str, facts: Mapping[str, Any]) -> list[str]:
    found = []
    if facts["free_bytes"] < LEAST_BYTES:
        found.append(
            f"{host} has {facts['free_bytes'] >> 20} MiB free below /var/lib, and flatnet's programs, images "
            f"and data take {LEAST_BYTES >> 20} MiB at least; make room"
        )
    if facts["free_inodes"] is not None and facts["free_inodes"] < LEAST_INODES:
        found.append(
            f"{host} has {facts['free_inodes']} inodes free below /var/lib, and images take {LEAST_INODES} "
            "at least; remove small files, or use a file system with more"
        )
    return found


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
    if facts["container_file_system"].startswith(_NO_UPPER_LAYERS):
        found.append(
            f"{host} has /var/lib/containerd on a file system of the kind {facts['container_file_system']}, "
            "and overlayfs, which containers are made of, has no layers on that; mount another there, such "
            "as ext4"
        )
    servers = facts["pod_nameservers"] if node.resolver_wanted and not node.kubelet.get("resolvConf") else []
    asked = {"ipv6" if ":" in server else "ipv4" for server in servers}
    if asked and node.families and not asked.intersection(node.families):
        found.append(
            f"{host} asks DNS servers of {_FAMILIES[asked.pop()]} alone ({', '.join(servers)}), which pods "
            f"of {_FAMILIES[node.families[0]]} do not reach; name others in cluster_dns_upstreams"
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


def _missing(facts: Mapping[str, Any], commands: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the missing commands with who needs them, and how to install them on this distribution."""
    red_hat = facts["operating_system"]["id"] in _RED_HAT
    family = "redhat" if red_hat else "debian"
    named = [
        f"{name} (package {entry[family]}, needed by {' and '.join(entry['needed_by'])})"
        for name, entry in sorted(commands.items())
    ]
    packages = sorted({entry[family] for entry in commands.values()})
    return f"{', '.join(named)}; {'dnf install' if red_hat else 'apt-get install'} {' '.join(packages)}"
