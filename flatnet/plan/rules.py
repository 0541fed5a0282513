"""The rules that cluster-wide settings must keep. Each adds findings; none stops at the first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, Address, Family, Network, parse_address, parse_network, pod_capacity
from flatnet.plan.contract import Contract
from flatnet.plan.derive import DNS_INDEX
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.settings import KUBE_PROXY_MODES, Settings

DEFAULT_NODE_PREFIX: Mapping[Family, int] = {"ipv4": 24, "ipv6": 64}

# RFC 1123 labels, as Kubernetes wants node names: apimachinery, util/validation, IsDNS1123Subdomain.
_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DOMAIN_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*", re.ASCII)
_SAN = re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?{_LABEL}(\.{_LABEL})*", re.ASCII)
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})", re.ASCII)

# Ports on which the control plane and the kubelet listen: https://kubernetes.io/docs/reference/networking/ports-and-protocols/
_DAEMON_PORTS = {
    2379: "etcd",
    2380: "etcd",
    6443: "kube-apiserver",
    10249: "kube-proxy",
    10250: "kubelet",
    10256: "kube-proxy",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
# kubernetes, pkg/controlplane/services.go: a smaller range is refused by the API server.
_LEAST_SERVICES = 8


@dataclass
class Resolved:
    """Settings and hosts after parsing; what could not be parsed is a finding and is absent here."""

    pods: list[Network] = field(default_factory=list)
    services: list[Network] = field(default_factory=list)
    node_prefixes: list[int] = field(default_factory=list)
    hosts_networks: list[Network] = field(default_factory=list)
    excluded: list[Network] = field(default_factory=list)
    dns: list[Address] = field(default_factory=list)
    addresses: dict[str, dict[Family, Address]] = field(default_factory=dict)
    """Inventory name -> the host's address per family in use."""

    @property
    def families(self) -> list[Family]:
        """The families in use, in their order."""
        return [network.family for network in self.pods]


def resolve_settings(settings: Settings, contract: Contract, findings: Findings) -> Resolved:
    """Parse the settings and check every rule that needs no host."""
    resolved = Resolved(
        pods=_networks("pod_cidrs", settings.pod_cidrs, findings),
        services=_networks("service_cidrs", settings.service_cidrs, findings),
        hosts_networks=_networks("host_cidrs", settings.host_cidrs, findings),
        excluded=_networks("excluded_cidrs", settings.excluded_cidrs, findings),
    )
    _check_families(settings, resolved, contract, findings)
    _check_prefixes(settings, resolved, findings)
    _check_overlaps(resolved, findings)
    _check_services(settings, resolved, findings)
    _check_names(settings, findings)
    _check_ports(settings, contract, findings)
    if settings.kube_proxy_mode not in KUBE_PROXY_MODES:
        listed = ", ".join(KUBE_PROXY_MODES)
        findings.add(
            "kube-proxy-mode",
            f"kube_proxy_mode {settings.kube_proxy_mode!r}",
            "it is unknown",
            f"use one of {listed}",
        )
    return resolved


def _networks(name: str, texts: Sequence[str], findings: Findings) -> list[Network]:
    parsed = []
    for text in texts:
        try:
            parsed.append(parse_network(text))
        except FlatnetError as error:
            findings.add("network-format", f"{name} {text!r}", *split_error(error, text))
    return parsed


def _check_families(settings: Settings, resolved: Resolved, contract: Contract, findings: Findings) -> None:
    for name, given, parsed in (
        ("pod_cidrs", settings.pod_cidrs, resolved.pods),
        ("service_cidrs", settings.service_cidrs, resolved.services),
    ):
        if not given:
            findings.add(
                "network-missing", name, "it is empty", "give one network, or one per address family"
            )
        if len({network.family for network in parsed}) < len(parsed):
            listed = ", ".join(map(str, parsed))
            findings.add(
                "family-twice", f"{name} {listed}", "a family has two networks", "give one per family"
            )
    both = [list(dict.fromkeys(x.family for x in found)) for found in (resolved.pods, resolved.services)]
    complete = len(resolved.pods) == len(settings.pod_cidrs) and len(resolved.services) == len(
        settings.service_cidrs
    )
    if complete and all(both) and both[0] != both[1]:
        findings.add(
            "family-order",
            f"pod_cidrs {', '.join(both[0])} but service_cidrs {', '.join(both[1])}",
            "pods and services have different families or a different order of them",
            "give both lists the same families in the same order",
        )
    for network in resolved.pods:
        if network.family not in contract.families:
            findings.add(
                "family-unsupported",
                f"pod_cidrs {network}",
                f"backend {contract.name} carries {', '.join(contract.families)} only",
                f"remove the {network.family} network or use another backend",
            )


def _check_prefixes(settings: Settings, resolved: Resolved, findings: Findings) -> None:
    given = settings.node_prefixes
    if settings.max_pods < 1:
        findings.add(
            "max-pods", f"max_pods {settings.max_pods}", "it is below 1", "use 110, the kubelet's default"
        )
    if given and len(given) != len(settings.pod_cidrs):
        listed = ", ".join(map(str, given))
        findings.add(
            "node-prefix-count",
            f"node_prefixes {listed}",
            f"there are {len(given)} for {len(settings.pod_cidrs)} pod networks",
            "give one per pod network, in the same order",
        )
        given = ()
    if len(resolved.pods) != len(settings.pod_cidrs):
        given = ()
    resolved.node_prefixes = list(given) or [DEFAULT_NODE_PREFIX[network.family] for network in resolved.pods]
    for network, prefix in zip(resolved.pods, resolved.node_prefixes, strict=True):
        width = WIDTH[network.family]
        if not network.prefix <= prefix <= width:
            findings.add(
                "node-prefix",
                f"node_prefixes {prefix}",
                f"{network} cannot be split into /{prefix} networks",
                f"use a prefix length from {network.prefix} to {width}",
            )
        elif pod_capacity(Network(network.family, 0, prefix)) < settings.max_pods:
            pods = pod_capacity(Network(network.family, 0, prefix))
            enough = f"set node_prefixes to {width - (settings.max_pods + 2).bit_length()}"
            findings.add(
                "max-pods",
                f"max_pods {settings.max_pods}",
                f"a /{prefix} network addresses {pods} pods",
                f"lower max_pods to {pods} or {enough}" if pods else enough,
            )


def _check_overlaps(resolved: Resolved, findings: Findings) -> None:
    ours = [("pod_cidrs", x) for x in resolved.pods] + [("service_cidrs", x) for x in resolved.services]
    theirs = [("host_cidrs", x) for x in resolved.hosts_networks] + [
        ("excluded_cidrs", x) for x in resolved.excluded
    ]
    for index, (name, network) in enumerate(ours):
        for other_name, other in [*ours[index + 1 :], *theirs]:
            if network.overlaps(other) and name != other_name:
                findings.add(
                    "network-overlap",
                    f"{name} {network}",
                    f"it overlaps {other_name} {other}",
                    f"move {name} to a free network",
                )


def _check_services(settings: Settings, resolved: Resolved, findings: Findings) -> None:
    for network in resolved.services:
        if network.size < _LEAST_SERVICES:
            findings.add(
                "service-network-small",
                f"service_cidrs {network}",
                f"it holds {network.size} addresses, the API server wants {_LEAST_SERVICES}",
                f"use a prefix length of {WIDTH[network.family] - 3} or less",
            )
    if not settings.dns_addresses:
        for network in resolved.services:
            if network.size <= DNS_INDEX + 1:
                findings.add(
                    "dns-address",
                    f"service_cidrs {network}",
                    "it has no tenth address for DNS",
                    "set dns_addresses or use a larger network",
                )
            else:
                resolved.dns.append(Address(network.family, network.first + DNS_INDEX))
        return
    for text in settings.dns_addresses:
        try:
            address = parse_address(text)
        except FlatnetError as error:
            findings.add("dns-address", f"dns_addresses {text!r}", *split_error(error, text))
            continue
        _check_dns(address, resolved, findings)
        resolved.dns.append(address)
    order = {network.family: index for index, network in enumerate(resolved.services)}
    resolved.dns.sort(key=lambda address: order.get(address.family, len(order)))
    if len({address.family for address in resolved.dns}) < len(resolved.dns):
        listed = ", ".join(map(str, resolved.dns))
        findings.add(
            "dns-address", f"dns_addresses {listed}", "a family has two", "give one per service network"
        )


def _check_dns(address: Address, resolved: Resolved, findings: Findings) -> None:
    value = f"dns_addresses {address}"
    networks = [network for network in resolved.services if network.holds(address)]
    if resolved.services and not networks:
        listed = ", ".join(map(str, resolved.services))
        findings.add("dns-address", value, f"it is outside {listed}", "use an address inside")
    for network in networks:
        reserved = {
            network.first: "the network's own address",
            network.first + 1: "the Service kubernetes's address",
        }
        if network.family == "ipv4":
            reserved[network.last] = "the broadcast address"
        if address.value in reserved:
            free = network.nth_address(min(DNS_INDEX, network.size - 2))
            findings.add("dns-address", value, f"it is {reserved[address.value]} of {network}", f"use {free}")


def _check_names(settings: Settings, findings: Findings) -> None:
    if not _CLUSTER_NAME.fullmatch(settings.cluster_name):
        findings.add(
            "cluster-name",
            f"cluster_name {settings.cluster_name!r}",
            "it is not 1 to 63 letters, digits, '-', '_' and '.'",
            "use a name like kubernetes",
        )
    if not DOMAIN_NAME.fullmatch(settings.dns_domain):
        findings.add(
            "dns-domain",
            f"dns_domain {settings.dns_domain!r}",
            "it is not a lower-case DNS name",
            "use a name like cluster.local",
        )
    for text in settings.extra_apiserver_sans:
        try:
            parse_address(text)
        except FlatnetError:
            if not _SAN.fullmatch(text) or text.replace(".", "").isdigit():
                findings.add(
                    "apiserver-san",
                    f"extra_apiserver_sans {text!r}",
                    "it is neither an address nor a lower-case DNS name",
                    "use a name like api.example.com or an address",
                )


def _check_ports(settings: Settings, contract: Contract, findings: Findings) -> None:
    value = f"node_port_range {settings.node_port_range!r}"
    match = _PORTS.fullmatch(settings.node_port_range)
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= first <= last <= 65535:
        findings.add("node-port-range", value, "it is not a range of ports", "write it like 30000-32767")
        return
    used = dict(_DAEMON_PORTS)
    for port in contract.ports:
        if isinstance(port.get("port"), int):
            used.setdefault(port["port"], f"backend {contract.name}")
    for number, owner in sorted(used.items()):
        if first <= number <= last:
            findings.add(
                "node-port-range",
                value,
                f"it holds port {number} of {owner}",
                "use a range without it like 30000-32767",
            )
