"""The rules that the inventory's hosts must keep. Each adds findings; none stops at the first.

A hundred thousand hosts are checked as sorted numbers, against all ranges at once; only when something is
wrong is the host looked for that it is wrong with.
"""

from collections.abc import Sequence

from netaddr import cidr_merge

from flatnet.plan.addresses import WIDTH, Address, Family, Network, prefix_for_pods
from flatnet.plan.findings import Findings
from flatnet.plan.host_addresses import owned_within, resolve_addresses
from flatnet.plan.hosts import Host
from flatnet.plan.limits import HOSTLESS
from flatnet.plan.names import is_domain_name, is_one_label, listed_names
from flatnet.plan.rules import Owned, Resolved
from flatnet.settings import setting_of

# What certificates make their common names of: for a kubelet what the Node authorizer wants, else the name.
_KUBELET, _MEMBER = "system:node:<node_name>", "<node_name>"
# RFC 5280, appendix A.1: ub-common-name.
_LONGEST_COMMON_NAME = 64
_LONGEST_KUBELET_NAME = _LONGEST_COMMON_NAME - len("system:node:")
# The one for all nodes, which a host may replace with its own.
_MAX_PODS = setting_of("max_pods")


def resolve_hosts(hosts: Sequence[Host], resolved: Resolved, findings: Findings, max_pods: int = 110) -> None:
    """Parse the hosts' addresses into `resolved` and check every rule about the inventory's hosts.

    max_pods: of hosts that do not have their own.
    """
    _check_groups(hosts, findings)
    for host in hosts:
        # A single short label is what nearly every node is called, and right for all of them.
        if len(host.node_name) > _LONGEST_KUBELET_NAME or not is_one_label(host.node_name):
            _check_name(host, findings)
        if host.groups and not host.is_in_cluster:
            _refuse_outsider(host, findings)
    resolve_addresses(hosts, resolved, findings)
    _check_duplicates(hosts, resolved, findings)
    for family in resolved.families:
        _check_ranges(family, resolved, findings)
    for host in hosts:
        if host.pod_prefixes or host.max_pods is not None:
            _check_own_size(host, resolved, max_pods, findings)


def is_apart(host: Host) -> bool:
    """Tell whether the host is of the control plane and not a node."""
    return "kube_control_plane" in host.groups and "kube_node" not in host.groups


def warn_of_unrouted(hosts: Sequence[Host], backend: str, findings: Findings) -> None:
    """Warn of control-plane hosts that are not nodes, where the backend makes no routes to pods on such."""
    for host in filter(is_apart, hosts):
        findings.warn(
            "control-plane-node",
            "",
            f"it is not a node, and backend {backend} makes no routes to pods there, so that its API server "
            "reaches no webhook that runs in a pod, and no API that a pod serves, such as the one of metrics",
            "put it into kube_node as well; a taint keeps other pods off it",
            host.inventory_name,
        )


def _check_groups(hosts: Sequence[Host], findings: Findings) -> None:
    for group, what in (("kube_control_plane", "control plane"), ("etcd", "etcd")):
        if not any(group in host.groups for host in hosts):
            findings.add(
                "host-missing", f"group {group}", f"there is no {what} host", f"put a host into {group}"
            )
    if not any("kube_node" in host.groups for host in hosts):
        findings.warn(
            "host-missing", "group kube_node", "there is no node for pods", "put a host into kube_node"
        )
    masters = [host.inventory_name for host in hosts if "kube_control_plane" in host.groups]
    if len(masters) > 1:
        findings.add(
            "control-plane-several",
            f"group kube_control_plane, {listed_names(masters)}",
            f"there are {len(masters)} hosts, but nodes, backends and kubeconfigs use one API server, and "
            "failover is not supported yet",
            "keep one of them in the group; several may be in etcd",
        )
    members = sum("etcd" in host.groups for host in hosts)
    if members and members % 2 == 0:
        findings.warn(
            "etcd-even",
            f"group etcd, {members} hosts",
            f"{members} members survive the loss of {(members - 1) // 2}, as many as {members - 1} do",
            f"use {members - 1} or {members + 1}",
        )


def _check_name(host: Host, findings: Findings) -> None:
    common_name, longest = _MEMBER, _LONGEST_COMMON_NAME
    if "kube_node" in host.groups:
        common_name, longest = _KUBELET, _LONGEST_KUBELET_NAME
    if not is_domain_name(host.node_name):
        reason, fix = "it is not a lower-case DNS name", "set node_name to one like node-a"
    elif len(host.node_name) > longest:
        reason = (
            f"it has more than {longest} characters, and its certificates' common name {common_name} "
            f"may have {_LONGEST_COMMON_NAME} (RFC 5280)"
        )
        fix = "set node_name to a shorter one"
    else:
        return
    findings.add("node-name", f"node_name {host.node_name!r}", reason, fix, host.inventory_name)


def _refuse_outsider(host: Host, findings: Findings) -> None:
    groups = " and ".join(sorted(host.groups))
    findings.add(
        "host-group",
        "",
        f"it is in {groups} but not in k8s_cluster, whose hosts alone are looked at and prepared",
        "make its group a child of k8s_cluster, or put the host into k8s_cluster",
        host.inventory_name,
    )


def _check_duplicates(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> None:
    kinds: list[tuple[str, list[tuple[str, str]]]] = []
    if len({host.inventory_name for host in hosts}) < len(hosts):
        kinds.append(("inventory name", [(host.inventory_name, host.inventory_name) for host in hosts]))
    if len({host.node_name for host in hosts}) < len(hosts):
        kinds.append(("node name", [(host.node_name, host.inventory_name) for host in hosts]))
    kinds += [
        ("address", [(text, name) for _, name, text in owned])
        for owned in resolved.addresses.values()
        if len({value for value, _, _ in owned}) < len(owned)
    ]
    for kind, owners in kinds:
        seen: dict[str, str] = {}
        for value, name in owners:
            if value in seen:
                findings.add(
                    "host-duplicate",
                    f"{name}: {kind} {value}",
                    f"{seen[value]} has it too",
                    f"give one of the two another {kind}",
                )
            seen[value] = name


def _check_ranges(family: Family, resolved: Resolved, findings: Findings) -> None:
    owned = resolved.addresses[family]

    def inside(network: Network) -> list[tuple[str, str]]:
        """Return (host, value) of the addresses in the network."""
        found = owned_within(owned, network.first, network.last) if network.family == family else []
        return [(name, f"address '{text}'") for _, name, text in found]

    for network, what in HOSTLESS.items():
        for name, value in inside(network):
            findings.add(
                "node-address",
                value,
                f"it is {what}, which no other host reaches it by",
                "set node_address to the address under which the other hosts reach this one",
                name,
            )
    for setting, network in resolved.named():
        if setting in ("cluster_pod_cidrs", "cluster_service_cidrs", "cluster_extra_service_cidrs"):
            fix, rule = f"move {setting} to a free network", "network-overlap"
        elif setting == "cluster_excluded_cidrs":
            fix, rule = "list networks of the hosts under cluster_host_cidrs instead", "address-excluded"
        else:
            continue
        for name, value in inside(network):
            findings.add(rule, value, f"it is inside {setting} {network}", fix, name)
    _warn_outside(family, owned, resolved, findings)


def _warn_outside(family: Family, owned: Sequence[Owned], resolved: Resolved, findings: Findings) -> None:
    networks = sorted({network for network in resolved.hosts_networks if network.family == family})
    merged = cidr_merge([str(network) for network in networks])
    inside = sum(len(owned_within(owned, network.first, network.last)) for network in merged)
    if not networks or inside == len(owned):
        return
    listed = ", ".join(map(str, networks))
    for value, name, _ in owned:
        address = Address(family, value)
        if not any(network.holds(address) for network in networks):
            findings.warn(
                "host-outside",
                f"address '{address}'",
                f"it is outside cluster_host_cidrs {listed}",
                "complete cluster_host_cidrs",
                name,
            )


def _check_own_size(host: Host, resolved: Resolved, max_pods: int, findings: Findings) -> None:
    name, families = host.inventory_name, resolved.families
    listed = ", ".join(map(str, host.pod_prefixes))
    if host.max_pods is not None and not _MAX_PODS.is_within(host.max_pods):
        reason = f"it is not from {_MAX_PODS.least} to {_MAX_PODS.most}"
        findings.add("pod-prefix", f"max_pods {host.max_pods}", reason, "use 110 or leave it out", name)
    if not host.pod_prefixes or not families:
        return
    if len(host.pod_prefixes) != len(families):
        findings.add(
            "pod-prefix",
            f"pod_prefix {listed}",
            f"there are {len(host.pod_prefixes)} for the families {', '.join(families)}",
            "give one per family, in the order of cluster_pod_cidrs",
            name,
        )
        return
    most = host.max_pods or max_pods
    for family, prefix in zip(families, host.pod_prefixes, strict=True):
        widest = min(network.prefix for network in resolved.pods if network.family == family)
        if not widest <= prefix <= WIDTH[family]:
            findings.add(
                "pod-prefix",
                f"pod_prefix {prefix}",
                f"no {family} pod network can be split into /{prefix} networks",
                f"use a prefix length from {widest} to {prefix_for_pods(family, most)}",
                name,
            )
