"""The rules about services, names, ports and the backend's abilities. Each adds findings."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain, pairwise

from flatnet.contract import Resolved as Contract
from flatnet.contract.schema import COMPONENT
from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, Address, Family, Network, parse_address
from flatnet.plan.derive import DNS_INDEX
from flatnet.plan.endpoint import address_of, parse_endpoint
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.limits import (
    ASKED,
    EXTRA_SERVICE_PREFIXES,
    LONGEST_DNS_DOMAIN,
    SERVICE_PREFIXES,
    hostless,
)
from flatnet.plan.names import is_cluster_name, is_domain_name, is_san
from flatnet.plan.rules import Resolved
from flatnet.plan.upstreams import check_upstreams
from flatnet.settings import Settings

# What the contract of the control plane calls it; its port is a setting.
API_SERVER = "kube-apiserver"
# RFC 1035, section 3.5, and RFC 3596, section 2.5.
_REVERSE = ("in-addr.arpa", "ip6.arpa")
# Of the kubelet, on loopback alone, so that no contract lists it: kubernetes,
# pkg/kubelet/apis/config/v1beta1/defaults.go.
_ON_LOOPBACK = {10248: "kubelet"}
# Its own address, that of the Service kubernetes, that of DNS, and the last one.
_LEAST_WITH_DNS = 4
_USUAL_API_PORT = 6443
_USUAL_NODE_PORTS = (30000, 32767)
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})", re.ASCII)


def check_services(
    settings: Settings, resolved: Resolved, used: Sequence[Contract], findings: Findings
) -> None:
    """Check everything in the settings that is not a pod network, and resolve the DNS addresses.

    used: the contracts of everything that is put on hosts, for their ports.
    """
    for name, networks, limits in (
        ("cluster_service_cidrs", resolved.services, SERVICE_PREFIXES),
        ("cluster_extra_service_cidrs", resolved.extra_services, EXTRA_SERVICE_PREFIXES),
    ):
        is_with_dns = name == "cluster_service_cidrs" and not settings.dns_addresses
        _check_sizes(name, networks, limits, is_with_dns, findings)
    _resolve_dns(settings, resolved, findings)
    _check_names(settings, findings)
    check_upstreams(settings, resolved, findings)
    _check_endpoints(settings, resolved, findings)
    _check_ports(settings, used, findings)


def _check_sizes(
    name: str,
    networks: Sequence[Network],
    limits: Mapping[Family, tuple[int, int]],
    is_with_dns: bool,
    findings: Findings,
) -> None:
    """Check the sizes of networks; one `is_with_dns` has to hold a tenth address as well."""
    for network in networks:
        shortest, longest = limits[network.family]
        if shortest <= network.prefix <= longest:
            continue
        large = network.prefix < shortest
        advised = (
            min(longest, WIDTH[network.family] - (DNS_INDEX + 1).bit_length()) if is_with_dns else longest
        )
        findings.add(
            "service-network-size",
            f"{name} {network}",
            f"{ASKED} gives out no address of a network {'larger' if large else 'smaller'} than "
            f"/{shortest if large else longest}",
            f"use a prefix length from {shortest} to {advised}",
        )


def _resolve_dns(settings: Settings, resolved: Resolved, findings: Findings) -> None:
    if not settings.dns_addresses:
        for network in resolved.services:
            if network.size <= DNS_INDEX + 1:
                findings.add(
                    "dns-address",
                    f"cluster_service_cidrs {network}",
                    "it has no tenth address for DNS",
                    "set cluster_dns_service_addresses or use a larger network",
                )
            else:
                resolved.dns.append(Address(network.family, network.first + DNS_INDEX))
        return
    for text in settings.dns_addresses:
        try:
            address = parse_address(text)
        except FlatnetError as error:
            findings.add("dns-address", f"cluster_dns_service_addresses {text!r}", *split_error(error, text))
            continue
        _check_dns(address, resolved, findings)
        resolved.dns.append(address)
    order = {network.family: index for index, network in enumerate(resolved.services)}
    resolved.dns.sort(key=lambda address: order.get(address.family, len(order)))
    listed = ", ".join(map(str, resolved.dns))
    if len({address.family for address in resolved.dns}) < len(resolved.dns):
        findings.add(
            "dns-address",
            f"cluster_dns_service_addresses {listed}",
            "a family has two",
            "give one per service network",
        )


def _check_dns(address: Address, resolved: Resolved, findings: Findings) -> None:
    value = f"cluster_dns_service_addresses {address}"
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
            fix = f"use {network.nth_address(min(DNS_INDEX, network.size - 2))}"
            if network.size < _LEAST_WITH_DNS:
                fix = "use a larger service network"
            findings.add("dns-address", value, f"it is {reserved[address.value]} of {network}", fix)


def _check_names(settings: Settings, findings: Findings) -> None:
    if not is_cluster_name(settings.cluster_name):
        findings.add(
            "cluster-name",
            f"cluster_name {settings.cluster_name!r}",
            "it is not 1 to 63 letters, digits, '-', '_' and '.'",
            "use a name like kubernetes",
        )
    if not is_domain_name(settings.dns_domain):
        findings.add(
            "dns-domain",
            f"cluster_dns_domain_name {settings.dns_domain!r}",
            "it is not a lower-case DNS name",
            "use a name like cluster.local",
        )
    elif len(settings.dns_domain) > LONGEST_DNS_DOMAIN:
        findings.add(
            "dns-domain",
            f"cluster_dns_domain_name {settings.dns_domain!r}",
            f"it has more than {LONGEST_DNS_DOMAIN} characters, and names of services below it too many",
            "use a name like cluster.local",
        )
    elif settings.dns_domain in _REVERSE:
        findings.add(
            "dns-domain",
            f"cluster_dns_domain_name {settings.dns_domain!r}",
            "it is the domain of addresses, which the cluster's DNS serves beside its own",
            "use a name like cluster.local",
        )
    for rule, name, texts in (
        ("apiserver-san", "cluster_apiserver_extra_sans", settings.extra_apiserver_sans),
        ("apiserver-san", "cluster_apiserver_certificate_sans", settings.apiserver_certificate_sans),
        ("apiserver-endpoint", "cluster_apiserver_endpoints", settings.apiserver_endpoints),
    ):
        for text in texts:
            if address_of(text) is None and not is_san(text):
                findings.add(
                    rule,
                    f"{name} {text!r}",
                    "it is neither an address nor a lower-case DNS name",
                    "use a name like api.example.com or an address, without a port",
                )


def _check_endpoints(settings: Settings, resolved: Resolved, findings: Findings) -> None:
    named = [("cluster_apiserver_endpoints", text, text) for text in settings.apiserver_endpoints]
    if settings.api_endpoint:
        value = f"cluster_api_endpoint {settings.api_endpoint!r}"
        try:
            name, _ = parse_endpoint(settings.api_endpoint, settings.api_port)
            named.append(("cluster_api_endpoint", settings.api_endpoint, name))
        except FlatnetError as error:
            findings.add("apiserver-endpoint", value, *split_error(error, settings.api_endpoint))
    for setting, text, host in named:
        address = address_of(host)
        what = hostless(address) if address else "a wildcard" if host.startswith("*.") else ""
        if what:
            findings.add(
                "apiserver-endpoint",
                f"{setting} {text!r}",
                f"it is {what}, and nobody can call the API server by that",
                "use a name like api.example.com or the address of a host",
            )
        for name, network in resolved.named():
            if address is None or not network.holds(address):
                continue
            if name == "cluster_excluded_cidrs":
                findings.add(
                    "address-excluded",
                    f"{setting} {text!r}",
                    f"it is inside {name} {network}",
                    "exclude only what the cluster does not use",
                )
            elif name in ("cluster_pod_cidrs", "cluster_service_cidrs", "cluster_extra_service_cidrs"):
                findings.add(
                    "apiserver-endpoint",
                    f"{setting} {text!r}",
                    f"it is inside {name} {network}, where no load balancer can be",
                    f"move {name} to a free network",
                )


def missing_sans(given: Sequence[str], wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names and addresses that a certificate with the given ones lacks.

    `wanted` is the plan's `apiserver_sans`. A name `*.example.com` stands for any one label (RFC 6125).
    """
    addresses = {str(address) for text in given if (address := address_of(text))}
    names = {text.lower() for text in given}
    missing = [
        name for name in wanted["dns"] if name not in names and f"*.{name.partition('.')[2]}" not in names
    ]
    return missing + [address for address in wanted["ip"] if address not in addresses]


def port_range(text: str) -> tuple[int, int] | None:
    """Return (first, last) of a range of ports such as 30000-32767, or None when it is none."""
    match = _PORTS.fullmatch(text)
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    return (first, last) if 1 <= first <= last <= 65535 else None


def _check_ports(settings: Settings, used: Sequence[Contract], findings: Findings) -> None:
    """Check the port of the API server and the range of node ports against each other and the daemons'."""
    others = _used_ports(used)
    api_port, value = settings.api_port, f"cluster_node_port_range {settings.node_port_range!r}"
    ports = port_range(settings.node_port_range)
    if owner := others.get(api_port):
        free = _free_port(_USUAL_API_PORT, {*others, *(range(ports[0], ports[1] + 1) if ports else ())})
        findings.add("api-port", f"cluster_api_port {api_port}", f"it is the port of {owner}", f"use {free}")
    taken = others | {api_port: others.get(api_port, API_SERVER)}
    free_range = "{}-{}".format(*_free_range(ports, taken))
    if ports is None:
        reason = "it is not a range of ports"
        findings.add("node-port-range", value, reason, f"write it like {free_range}")
        return
    for number, owner in sorted(taken.items()):
        if ports[0] <= number <= ports[1]:
            findings.add(
                "node-port-range",
                value,
                f"it holds port {number} of {owner}",
                f"use a range without it like {free_range}",
            )


def _free_port(wanted: int, taken: Container[int]) -> int:
    """Return the port, or the first after it that nobody has, or before it."""
    every = chain(range(wanted, 65536), range(wanted - 1, 0, -1))
    return next((port for port in every if port not in taken), wanted)


def _free_range(wanted: tuple[int, int] | None, taken: Iterable[int]) -> tuple[int, int]:
    """Return the usual range, or its larger part, or that of the wanted one, where nobody has a port."""
    numbers = sorted(set(taken))
    for first, last in (_USUAL_NODE_PORTS, wanted or _USUAL_NODE_PORTS):
        ends = [first - 1, *(port for port in numbers if first <= port <= last), last + 1]
        start, end = max(pairwise(ends), key=lambda pair: pair[1] - pair[0])
        if end - start > 1:
            return start + 1, end - 1
    return _USUAL_NODE_PORTS


def _used_ports(used: Sequence[Contract]) -> dict[int, str]:
    """Return port -> who listens on it on the hosts, but for the API server, whose port is a setting."""
    taken = dict(_ON_LOOPBACK)
    for contract in used:
        for port in contract.ports:
            # Components say which of their daemons it is.
            owner = port.purpose if contract.kind == COMPONENT else contract.title
            if port.port and owner != API_SERVER:
                taken.setdefault(port.port, owner)
    return taken
