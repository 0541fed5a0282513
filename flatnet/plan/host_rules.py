"""The rules that the inventory's hosts must keep. Each adds findings; none stops at the first.

A hundred thousand hosts are checked as sorted numbers, against all ranges at once; only when something is
wrong is the host looked for that it is wrong with.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from socket import AF_INET, inet_pton

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, Address, Family, Network, address_text, parse_address, parse_network
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.hosts import Host
from flatnet.plan.names import is_domain_name, is_one_label
from flatnet.plan.rules import Resolved

# kubernetes, pkg/kubelet/nodestatus and pkg/kubelet/kubelet_node_status.go, validateNodeIP.
_UNUSABLE = [
    parse_network(text)
    for text in (
        "0.0.0.0/32",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "::/127",
        "fe80::/10",
        "ff00::/8",
    )
]
# The kubelet writes its node's name into the label kubernetes.io/hostname, and a label's value ends there.
_LONGEST_LABEL_VALUE = 63


def resolve_hosts(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> None:
    """Parse the hosts' addresses into `resolved` and check every rule about the inventory's hosts."""
    _check_groups(hosts, findings)
    check_hosts(hosts, resolved, findings)


def check_hosts(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> None:
    """Parse the addresses of some hosts into `resolved` and check every rule about them and among them."""
    for host in hosts:
        # A single label is what nearly every node is called, and never too long.
        if not is_one_label(host.node_name) and (
            not is_domain_name(host.node_name) or len(host.node_name) > _LONGEST_LABEL_VALUE
        ):
            _refuse_name(host, findings)
    _resolve_addresses(hosts, resolved, findings)
    _check_duplicates(hosts, resolved, findings)
    for family in resolved.families:
        _check_ranges(family, resolved, findings)
    for host in hosts:
        if host.pod_prefixes or host.max_pods is not None:
            _check_own_size(host, resolved, findings)


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
    members = sum("etcd" in host.groups for host in hosts)
    if members and members % 2 == 0:
        findings.warn(
            "etcd-even",
            f"group etcd, {members} hosts",
            f"{members} members survive the loss of {(members - 1) // 2}, as many as {members - 1} do",
            f"use {members - 1} or {members + 1}",
        )


def _refuse_name(host: Host, findings: Findings) -> None:
    reason, fix = "it is not a lower-case DNS name", "set node_name to one like node-a"
    if is_domain_name(host.node_name):
        reason = "it has more than 63 characters, which the label kubernetes.io/hostname cannot hold"
        fix = "set node_name to a shorter one"
    findings.add("node-name", f"node_name {host.node_name!r}", reason, fix, host.inventory_name)


def _resolve_addresses(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> None:
    families = resolved.families
    values = resolved.addresses = {family: {} for family in families}
    wanted = len(families)
    quick = values["ipv4"] if families == ["ipv4"] else None
    for host in hosts:
        name, found = host.inventory_name, 0
        texts: dict[Family, str] = {}
        if quick is not None and len(host.addresses) == 1:
            # The most common case when it is right.
            try:
                quick[name] = int.from_bytes(inet_pton(AF_INET, host.addresses[0]), "big")
            except (OSError, ValueError):
                pass
            else:
                resolved.texts[name] = [host.addresses[0]]
                continue
        for text in host.addresses:
            try:
                family, value = parse_address(text)
            except FlatnetError as error:
                reason = split_error(error, text)[0]
                findings.add(
                    "node-address",
                    f"address {text!r}",
                    reason,
                    "set node_address to an IP address",
                    name,
                )
                found = wanted
                continue
            if family not in values:
                _warn_unused(name, text, family, resolved, findings)
            elif name in values[family]:
                findings.add(
                    "node-address",
                    f"address {text!r}",
                    f"it is a second {family} address",
                    "give one per family",
                    name,
                )
            else:
                values[family][name] = value
                # An IPv4 text that can be read is canonical; IPv6 has many ways to write an address.
                texts[family] = text if family == "ipv4" else address_text(family, value)
                found += 1
        if found < wanted:
            _refuse_missing(name, resolved, findings)
        resolved.texts[name] = [texts[family] for family in families if family in texts]


def _warn_unused(name: str, text: str, family: Family, resolved: Resolved, findings: Findings) -> None:
    if resolved.pods:
        findings.warn(
            "node-address-unused", f"address {text!r}", f"there are no {family} pods", "nothing", name
        )


def _refuse_missing(name: str, resolved: Resolved, findings: Findings) -> None:
    for family in resolved.families:
        if name not in resolved.addresses[family]:
            findings.add(
                "node-address",
                "",
                f"it has no {family} address",
                f"set node_address, or node_addresses to a list with one {family} address",
                name,
            )


def _check_duplicates(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> None:
    kinds: list[tuple[str, list[str], Callable[[int], object]]] = []
    names = [host.inventory_name for host in hosts]
    node_names = [host.node_name for host in hosts]
    if len(set(names)) < len(names):
        kinds.append(("inventory name", names, names.__getitem__))
    if len(set(node_names)) < len(node_names):
        kinds.append(("node name", names, node_names.__getitem__))
    for family, values in resolved.addresses.items():
        numbers = list(values.values())
        if len(set(numbers)) < len(numbers):
            texts = [address_text(family, number) for number in numbers]
            kinds.append(("address", list(values), texts.__getitem__))
    for kind, owners, value_of in kinds:
        seen: dict[object, str] = {}
        for index, name in enumerate(owners):
            value = value_of(index)
            if value in seen:
                findings.add(
                    "host-duplicate",
                    f"{name}: {kind} {value}",
                    f"{seen[value]} has it too",
                    f"give one of the two another {kind}",
                )
            seen[value] = name


def _check_ranges(family: Family, resolved: Resolved, findings: Findings) -> None:
    values = resolved.addresses[family]
    ordered = sorted(values.values())

    def inside(network: Network) -> Iterable[tuple[str, str]]:
        """Return (host, value) of the addresses in the network; without any, no host is looked at."""
        if network.family != family or bisect_left(ordered, network.first) == bisect_right(
            ordered, network.last
        ):
            return ()
        found = [(name, value) for name, value in values.items() if network.first <= value <= network.last]
        return [(name, f"address '{address_text(family, value)}'") for name, value in found]

    for network in _UNUSABLE:
        for name, value in inside(network):
            findings.add(
                "node-address",
                value,
                "the kubelet refuses loopback, unspecified, link-local and multicast addresses",
                "set node_address to the address under which the other hosts reach this one",
                name,
            )
    for setting, network in resolved.named():
        if setting in ("pod_cidrs", "service_cidrs", "extra_service_cidrs"):
            fix, rule = f"move {setting} to a free network", "network-overlap"
        elif setting == "excluded_cidrs":
            fix, rule = "list networks of the hosts under host_cidrs instead", "address-excluded"
        else:
            continue
        for name, value in inside(network):
            findings.add(rule, value, f"it is inside {setting} {network}", fix, name)
    _warn_outside(family, values, ordered, resolved, findings)


def _warn_outside(
    family: Family, values: dict[str, int], ordered: list[int], resolved: Resolved, findings: Findings
) -> None:
    networks = sorted({network for network in resolved.hosts_networks if network.family == family})
    # Networks nest or are apart, so that those not inside their predecessor are apart.
    apart = [n for i, n in enumerate(networks) if not any(other.contains(n) for other in networks[:i])]
    inside = sum(bisect_right(ordered, n.last) - bisect_left(ordered, n.first) for n in apart)
    if not networks or inside == len(ordered):
        return
    listed = ", ".join(map(str, networks))
    for name, value in values.items():
        address = Address(family, value)
        if not any(network.holds(address) for network in networks):
            findings.warn(
                "host-outside",
                f"address '{address}'",
                f"it is outside host_cidrs {listed}",
                "complete host_cidrs",
                name,
            )


def _check_own_size(host: Host, resolved: Resolved, findings: Findings) -> None:
    name, families = host.inventory_name, resolved.families
    listed = ", ".join(map(str, host.pod_prefixes))
    if host.max_pods is not None and host.max_pods < 1:
        findings.add(
            "pod-prefix", f"max_pods {host.max_pods}", "it is below 1", "use 110 or leave it out", name
        )
    if not host.pod_prefixes or not families:
        return
    if len(host.pod_prefixes) != len(families):
        findings.add(
            "pod-prefix",
            f"pod_prefix {listed}",
            f"there are {len(host.pod_prefixes)} for the families {', '.join(families)}",
            "give one per family, in the order of pod_cidrs",
            name,
        )
        return
    for family, prefix in zip(families, host.pod_prefixes, strict=True):
        widest = min(network.prefix for network in resolved.pods if network.family == family)
        if not widest <= prefix <= WIDTH[family]:
            findings.add(
                "pod-prefix",
                f"pod_prefix {prefix}",
                f"no {family} pod network can be split into /{prefix} networks",
                f"use a prefix length from {widest} to {WIDTH[family]}",
                name,
            )
