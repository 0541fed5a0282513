"""The rules about hosts as they are: addresses, interfaces, routes, ports and kernels."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from flatnet.contract import Resolved as Backend
from flatnet.contract.schema import Makes
from flatnet.plan.addresses import WIDTH, Address, Network, parse_address, parse_network
from flatnet.plan.allocations import Entry
from flatnet.plan.chosen import Chosen
from flatnet.plan.findings import Findings
from flatnet.plan.hosts import Host
from flatnet.plan.limits import EPHEMERAL_PORTS
from flatnet.plan.live import (
    Interface,
    Route,
    ephemeral_ports,
    interfaces_of,
    listening_ports,
    nameservers_of,
    reserved_ports,
    routes_of,
)
from flatnet.plan.live_paths import check_paths
from flatnet.plan.live_ports import check_ports
from flatnet.plan.made import Made, made_of, what_is_made
from flatnet.plan.needs import needs_part
from flatnet.plan.rules import Resolved
from flatnet.plan.service_rules import port_range
from flatnet.settings import Settings

# What iptables needs of the kernel is tried by making rules.
_XTABLES, _VERSIONS = "xt_", (("Linux", "kernel"), ("nft", "nft"))
_MACHINE_ID = re.compile("[0-9a-f]{32}")
_LINK_LOCAL = (parse_network("169.254.0.0/16"), parse_network("fe80::/10"))
# Those of addresses of the host, which are judged where the address is.
_OF_ADDRESSES = frozenset({"local", "broadcast", "anycast", "multicast"})


def check_node_ports(settings: Settings, hosts: Sequence[Host], findings: Findings) -> None:
    """Check that node ports are used for nothing else on the hosts.

    A host that did not say which ports it uses for its own connections is taken to use those that Linux
    uses by default.
    """
    ports = port_range(settings.node_port_range)
    if ports is None:
        return
    value = f"cluster_node_port_range {settings.node_port_range!r}"
    told = False
    for host in hosts:
        if not host.facts:
            continue
        name = host.inventory_name
        used = ephemeral_ports(host, findings)
        told = told or used is not None
        reserved = reserved_ports(host, findings)
        shared = (max(used[0], ports[0]), min(used[1], ports[1])) if used else None
        if used and shared and not _are_reserved(*shared, reserved):
            findings.add(
                "node-port-ephemeral",
                value,
                f"the host uses {used[0]}-{used[1]} for its own connections (net.ipv4.ip_local_port_range)",
                "use a range before or after that, change that of the host, or keep the node ports out of it "
                "with net.ipv4.ip_local_reserved_ports",
                name,
            )
        taken = [
            f"{port} ({process})" if process else str(port)
            for port, process in sorted(listening_ports(host, findings).items())
            # kube-proxy answers the health checks of load balancers on such ports itself.
            if ports[0] <= port <= ports[1] and process != "kube-proxy"
        ]
        if taken:
            findings.add(
                "node-port-in-use",
                value,
                f"something on the host listens on {', '.join(taken)}",
                "move that to a port outside, or use another range",
                name,
            )
    first, last = EPHEMERAL_PORTS
    if not told and ports[0] <= last and first <= ports[1]:
        findings.warn(
            "node-port-ephemeral",
            value,
            f"Linux uses {first}-{last} for its own connections unless told otherwise",
            f"end the range before {first}, or set net.ipv4.ip_local_port_range on every host",
        )


def _are_reserved(first: int, last: int, reserved: Sequence[tuple[int, int]]) -> bool:
    """Tell whether every port from first to last is in one of the reserved ranges."""
    for start, end in sorted(reserved):
        if start > first:
            break
        first = max(first, end + 1)
    return first > last


def check_live(
    hosts: Sequence[Host],
    settings: Settings,
    resolved: Resolved,
    nodes: Mapping[str, Entry],
    chosen: Chosen,
    findings: Findings,
    leaving: Sequence[Makes] = (),
    neighbours: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Check those hosts that have facts, out of all.

    `nodes` is node name -> its planned pod network per family. `leaving` is what is about to go.
    `neighbours` is inventory name -> the hosts of its group, where routes to others lead through routers.
    """
    planned = chosen.backend.ipam == "plan"
    made, needs = what_is_made(chosen.contracts), needs_part(chosen.used)
    going = made_of(leaving)
    gateways = {host.inventory_name for host in hosts if "kube_node" in host.groups}
    through = _hops([chosen.backend.makes, *leaving], resolved)
    for host in hosts:
        if host.facts is None:
            continue
        own = tuple(nodes.get(host.node_name, {}).values()) if planned else tuple(resolved.pods)
        interfaces = interfaces_of(host, findings)
        live = _Live(host, resolved, own, made, going, through, findings)
        live.check_addresses(interfaces)
        routes = routes_of(host, findings)
        live.check_routes(routes)
        through_hosts = gateways.intersection((neighbours or {}).get(host.inventory_name, gateways))
        check_paths(host, interfaces, routes, through_hosts, chosen.backend, resolved, findings)
        check_ports(host, settings, chosen, made, findings)
        if not planned and not leaving:
            live.check_pools(interfaces, chosen.backend)
        for address in nameservers_of(host, findings):
            single = Network(address.family, address.value, WIDTH[address.family])
            live.check_free(f"DNS server {address}", single)
        _check_features(host, needs["kernel_features"], findings)
        _warn_of_features(host, needs["optional_kernel_features"], findings)
        _warn_of_drops(host, findings)
    _check_machine_ids(hosts, findings)


def _hops(every: Sequence[Makes], resolved: Resolved) -> frozenset[str]:
    """Return the addresses of the hosts where a backend that is or was there routes to pods through them."""
    if not any(route.leads_to for makes in every for route in makes.routes):
        return frozenset()
    return frozenset(text for texts in resolved.texts.values() for text in texts)


@dataclass(frozen=True)
class _Live:
    """One host as it is, and what of it is ours."""

    host: Host
    resolved: Resolved
    own: Sequence[Network]
    """The networks of the pods that may be on this host."""
    made: Made
    going: Made
    """What of that is about to be removed: it may have the networks of all pods."""
    through: Collection[str]
    """The addresses through which routes may lead to pods, whoever made them."""
    findings: Findings

    @property
    def services(self) -> list[Network]:
        """The networks of services."""
        return [*self.resolved.services, *self.resolved.extra_services]

    def check_addresses(self, interfaces: Sequence[Interface]) -> None:
        """Check that the host has the address it is planned with, and none of pods or services."""
        present = dict(pair for interface in interfaces for pair in interface.addresses)
        for text in self.resolved.texts[self.host.inventory_name]:
            if present and parse_address(text) not in present:
                self.findings.add(
                    "node-address-elsewhere",
                    f"address {text}",
                    "no interface of the host has it, so the kubelet would refuse it",
                    "set node_address to an address of the host",
                    self.host.inventory_name,
                )
            elif what := _end_of(present.get(parse_address(text)), parse_address(text)):
                self.findings.add(
                    "node-address",
                    f"address {text}",
                    f"it is {what}, which neighbours send to all",
                    "set node_address to another address of the host",
                    self.host.inventory_name,
                )
        # Even an interface to all pods has an address of this node's own.
        ours = {"own_pods": self.own, "all_pods": self.own, "services": self.services}
        for interface in interfaces:
            mine = self._carried(ours, interface.name)
            for address, network in interface.addresses:
                if not any(one.holds(address) for one in mine):
                    value = f"{interface.name} has {address}/{network.prefix}"
                    self.check_free(value, network, interface.name)

    def check_routes(self, routes: Sequence[Route]) -> None:
        """Check that no route of others leads to pods or services; wider ones are told alone."""
        ours = {"own_pods": self.own, "all_pods": self.resolved.pods, "services": self.services}
        for route in routes:
            if route.destination.prefix == 0 or route.type in _OF_ADDRESSES:
                continue
            mine = self._carried(ours, route.device)
            is_ours = self.made.is_route(route, self.through)
            if is_ours:
                mine = self.resolved.pods
            if not any(network.contains(route.destination) for network in mine):
                through = f" through {route.device}" if route.device else f", {route.type}"
                value = f"route to {route.destination}{through}"
                # The kernel's own tells that the addresses are the link's, where others may have them.
                is_wide = route.protocol != "kernel" and not is_ours
                self.check_free(value, route.destination, route.device, may_be_wider=is_wide)

    def _carried(self, ours: Mapping[str, Sequence[Network]], name: str) -> Sequence[Network]:
        """Return the networks that an interface of that name may have or lead to."""
        carried = self.made.carried_by(name) or ""
        is_going = carried.endswith("_pods") and self.going.carried_by(name) is not None
        return self.resolved.pods if is_going else ours.get(carried, ())

    def check_pools(self, interfaces: Sequence[Interface], backend: Backend) -> None:
        """Check that a backend which hands out addresses itself has done it from the planned networks."""
        patterns = [one.name for one in backend.makes.interfaces.values() if one.carries.endswith("_pods")]
        pools = ", ".join(map(str, self.resolved.pods))
        for interface in interfaces:
            if not any(fnmatchcase(interface.name, pattern) for pattern in patterns):
                continue
            for address, network in interface.addresses:
                text = f"{address}/{network.prefix}"
                if text in backend.makes.addresses or any(one.holds(address) for one in _LINK_LOCAL):
                    continue
                if not any(pool.holds(address) for pool in self.resolved.pods):
                    self.findings.add(
                        "backend-address",
                        f"{interface.name} has {text}",
                        f"{backend.title} gave it, and it is outside cluster_pod_cidrs {pools}",
                        "set cluster_pod_cidrs to what the backend uses, or reset the host",
                        self.host.inventory_name,
                    )

    def check_free(self, value: str, network: Network, device: str = "", may_be_wider: bool = False) -> None:
        """Check that a network of the host's shares no address with pods and services."""
        carried = self.made.carried_by(device)
        for name, mine in self.resolved.named():
            if name not in ("cluster_pod_cidrs", "cluster_service_cidrs", "cluster_extra_service_cidrs"):
                continue
            # kube-proxy leaves networks of an earlier plan on it, and takes them off when it starts.
            if not mine.overlaps(network) or (carried == "services" and name != "cluster_pod_cidrs"):
                continue
            fix = f"move {name} to a free network, or remove this from the host if it is left over"
            if carried == "own_pods" and mine.contains(network):
                # A node's pods are on it: the allocations were lost, or another installer made the cluster.
                fix = f"give the Node objects as cluster_existing_nodes if the cluster runs already, or {fix}"
            reason = f"it overlaps {name} {mine}"
            if may_be_wider and network.prefix < mine.prefix:
                reason = f"it leads to {name} {mine} as well, whose routes are narrower and go before it"
                fix = f"see that nobody behind it has addresses of {mine}"
                self.findings.warn("live-overlap", value, reason, fix, self.host.inventory_name)
                continue
            self.findings.add("live-overlap", value, reason, fix, self.host.inventory_name)


def _check_machine_ids(hosts: Sequence[Host], findings: Findings) -> None:
    """Check that no host is a copy of another (machine-id(5)).

    systemd makes the addresses of bridges and tunnels out of it and their names (systemd.link(5),
    MACAddressPolicy=persistent), and networkd what it tells a DHCP server.
    """
    seen: dict[str, str] = {}
    for host in hosts:
        told = (host.facts or {}).get("machine_id")
        if not isinstance(told, str) or not _MACHINE_ID.fullmatch(told):
            continue
        first = seen.setdefault(told, host.inventory_name)
        if first != host.inventory_name:
            findings.add(
                "machine-id",
                "",
                f"it has the machine ID of {first}, so that systemd gives both the same MAC addresses",
                "give it one of its own (rm /etc/machine-id /var/lib/dbus/machine-id; "
                "systemd-machine-id-setup) and boot it again",
                host.inventory_name,
            )


def _warn_of_drops(host: Host, findings: Findings) -> None:
    """Warn of base chains that drop what is forwarded: nobody but their owner knows what they let through."""
    drops = (host.facts or {}).get("forward_drops")
    if drops and isinstance(drops, list | tuple) and "kube_node" in host.groups:
        findings.warn(
            "forward-policy",
            "; ".join(map(str, drops)),
            "its policy is to drop what the host forwards (as Docker and ufw set it), and pods reach nobody "
            "beyond their node unless a rule there accepts them",
            "accept the networks of pods there, or set the policy to accept "
            "(ufw: DEFAULT_FORWARD_POLICY in /etc/default/ufw)",
            host.inventory_name,
        )


def _end_of(network: Network | None, address: Address) -> str:
    """Return which end of its network the address is, if that is one that no host can have.

    A network of two addresses has no such ends (RFC 3021), nor has one of IPv6.
    """
    if network is None or network.family == "ipv6" or network.size <= 2:
        return ""
    ends = {network.first: "the address of its network", network.last: "the broadcast address of its network"}
    return ends.get(address.value, "")


def _check_features(host: Host, needed: Mapping[str, Sequence[str]], findings: Findings) -> None:
    features = (host.facts or {}).get("kernel_features")
    if not isinstance(features, Mapping):
        return
    for feature, users in needed.items():
        # A feature that was not probed is not judged.
        if features.get(feature, True) in (False, None):
            lacks, fix = _feature_words(feature, host.facts or {})
            findings.add(
                "kernel-feature",
                "",
                f"it lacks {lacks}, which {' and '.join(users)} {'need' if users[1:] else 'needs'}",
                f"{fix}, or choose a backend or mode without it",
                host.inventory_name,
            )


def _warn_of_features(host: Host, optional: Mapping[str, Sequence[str]], findings: Findings) -> None:
    """Tell of what is missing and done without."""
    features = (host.facts or {}).get("kernel_features")
    if not isinstance(features, Mapping):
        return
    for feature, users in optional.items():
        if features.get(feature, True) in (False, None):
            lacks, fix = _feature_words(feature, host.facts or {})
            findings.warn(
                "kernel-feature-optional",
                "",
                f"it lacks {lacks}, and {' and '.join(users)} {'go' if users[1:] else 'goes'} without, a "
                "slower way",
                f"{fix}, or leave it so",
                host.inventory_name,
            )


def _feature_words(feature: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Return what is lacking, and what to do about it."""
    if feature == "nftables_services":
        has = ", ".join(f"{name} {facts[key]}" for name, key in _VERSIONS if facts.get(key))
        return (
            f"tables of nftables with maps of verdicts{f' (it has {has})' if has else ''}",
            "give it Linux 5.13 and nft 1.0.1, or later ones",
        )
    if feature.startswith(_XTABLES):
        name = feature.removeprefix(_XTABLES)
        return (
            f"rules of iptables with `{name}`",
            f"install or load the kernel module {feature} (Red Hat: in kernel-modules-extra)",
        )
    return f"the kernel feature {feature}", f"install or load the kernel module {feature}"
