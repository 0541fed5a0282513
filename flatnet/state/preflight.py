"""What keeps flatnet from using a host, out of what the host tells about itself."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flatnet.remote.failures import not_root_message

# As `uname -m` says it; those that programs are built and published for.
ARCHITECTURES = ("x86_64", "aarch64")

_RED_HAT = frozenset({"almalinux", "centos", "fedora", "ol", "rhel", "rocky"})


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
