"""The rules that the inventory's hosts must keep. Each adds findings; none stops at the first."""

from collections.abc import Sequence

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Address, Family, parse_address, parse_network
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.rules import DOMAIN_NAME, Resolved
from flatnet.plan.settings import Host


def resolve_hosts(hosts: Sequence[Host], resolved: Resolved, findings: Findings) -> None:
    """Parse the hosts' addresses into `resolved` and check every rule about the inventory's hosts."""
    _check_groups(hosts, findings)
    owners: dict[tuple[str, str], str] = {}
    for host in sorted(hosts, key=lambda h: (h.inventory_name, h.node_name, h.addresses)):
        name = host.inventory_name
        if not DOMAIN_NAME.fullmatch(host.node_name):
            findings.add(
                "node-name",
                f"{name}: node_name {host.node_name!r}",
                "it is not a lower-case DNS name",
                "set node_name to one like node-a",
            )
        found = _host_addresses(host, resolved, findings)
        resolved.addresses[name] = found
        uses = {("inventory name", name), ("node name", host.node_name)}
        uses |= {("address", str(address)) for address in found.values()}
        for kind, value in sorted(uses):
            if (kind, value) in owners:
                findings.add(
                    "host-duplicate",
                    f"{name}: {kind} {value}",
                    f"{owners[kind, value]} has it too",
                    f"give one of the two another {kind}",
                )
            owners[kind, value] = name


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


def _host_addresses(host: Host, resolved: Resolved, findings: Findings) -> dict[Family, Address]:
    found: dict[Family, Address] = {}
    wrong = False
    for text in host.addresses:
        place = f"{host.inventory_name}: address {text!r}"
        try:
            address = parse_address(text)
        except FlatnetError as error:
            findings.add(
                "node-address", place, split_error(error, text)[0], "set node_address to an IP address"
            )
            wrong = True
            continue
        if address.family not in resolved.families:
            if resolved.pods:
                findings.warn("node-address-unused", place, f"there are no {address.family} pods", "nothing")
        elif _is_unusable(address):
            findings.add(
                "node-address",
                place,
                "the kubelet refuses loopback, unspecified, link-local and multicast addresses",
                "set node_address to the address under which the other hosts reach this one",
            )
            wrong = True
        elif address.family in found:
            findings.add(
                "node-address", place, f"it is a second {address.family} address", "give one per family"
            )
        else:
            found[address.family] = address
            _check_host_address(place, address, resolved, findings)
    for family in resolved.families:
        if family not in found and not wrong:
            findings.add(
                "node-address",
                host.inventory_name,
                f"it has no {family} address",
                f"set node_address, or node_addresses to a list with one {family} address",
            )
    return found


def _check_host_address(place: str, address: Address, resolved: Resolved, findings: Findings) -> None:
    for name, networks in (("pod_cidrs", resolved.pods), ("service_cidrs", resolved.services)):
        for network in networks:
            if network.holds(address):
                findings.add(
                    "network-overlap",
                    place,
                    f"it is inside {name} {network}",
                    f"move {name} to a free network",
                )
    same_family = [network for network in resolved.hosts_networks if network.family == address.family]
    if same_family and not any(network.holds(address) for network in same_family):
        listed = ", ".join(map(str, same_family))
        findings.warn("host-outside", place, f"it is outside host_cidrs {listed}", "complete host_cidrs")


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


def _is_unusable(address: Address) -> bool:
    return any(network.holds(address) for network in _UNUSABLE)
