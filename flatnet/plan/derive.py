"""What follows from a plan's addresses: service addresses, SANs, MTU, arguments. All pure."""

from collections.abc import Iterable, Mapping, Sequence

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import node_network, parse_address, parse_network

DNS_INDEX = 10


def node_pod_cidr(cluster_cidr: str, node_index: int, prefix: int) -> str:
    """Return the pod network of the node at node_index (0-based).

    Computed, not enumerated, so splitting a /8 costs the same as splitting a /16.
    Raises FlatnetError when the cluster network holds no such node.
    """
    return str(node_network(parse_network(cluster_cidr), node_index, prefix))


def _service_address(service_cidr: str, index: int, what: str) -> str:
    network = parse_network(service_cidr)
    if index >= network.size:
        raise FlatnetError(
            f"{network} is too small for {what} at index {index}; use a larger service network"
        )
    return network.nth_address(index)


def first_service_address(service_cidr: str) -> str:
    """Return the address of the Service `kubernetes`: the first after the network's own.

    Source: kubernetes, pkg/controlplane/services.go, ServiceIPRange.
    Raises FlatnetError for a network without one.
    """
    return _service_address(service_cidr, 1, "the Service kubernetes")


def dns_address(service_cidr: str) -> str:
    """Return the address of the cluster's DNS service: the tenth, as kubeadm does (GetDNSIP).

    Raises FlatnetError when the network has no tenth address.
    """
    return _service_address(service_cidr, DNS_INDEX, "the DNS service")


def pod_mtu(underlay_mtu: int, overhead: Mapping[str, int], families: Sequence[str]) -> int:
    """Return the MTU of pod interfaces in bytes: the underlay's, less the largest overhead in use.

    Raises FlatnetError when what is left is below what the families demand: 576 bytes for IPv4 (RFC 791,
    section 3.1), 1280 for IPv6 (RFC 8200, section 5).
    """
    unknown = [family for family in families if family not in overhead]
    if unknown or not families:
        raise FlatnetError(
            f"no overhead is known for {unknown or 'no family'}; the contract declares one per family"
        )
    largest = max(overhead[family] for family in families)
    mtu, least = underlay_mtu - largest, 1280 if "ipv6" in families else 576
    if mtu < least:
        raise FlatnetError(
            f"underlay MTU {underlay_mtu} less {largest} bytes of overhead leaves {mtu}, "
            f"{' and '.join(families)} "
            f"needs {least}; raise the underlay MTU to {least + largest} or more"
        )
    return mtu


def apiserver_sans(
    dns_domain: str,
    service_cidrs: Sequence[str],
    control_plane_names: Iterable[str] = (),
    control_plane_addresses: Iterable[str] = (),
    extra: Iterable[str] = (),
) -> dict[str, list[str]]:
    """Return the subject alternative names of the API server's certificate, {dns: sorted, ip: sorted}.

    They are the names and addresses under which pods (the Service kubernetes), the control plane itself
    (localhost) and everybody else (each control-plane node, extra ones) reach it.
    Raises FlatnetError for an unreadable network or address.
    """
    services = [parse_network(cidr) for cidr in service_cidrs]
    dns = {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{dns_domain}",
    }
    dns |= {"localhost", *control_plane_names}
    addresses = {"127.0.0.1", *(first_service_address(cidr) for cidr in service_cidrs)}
    addresses |= {str(parse_address(text)) for text in control_plane_addresses}
    if any(network.family == "ipv6" for network in services):
        addresses.add("::1")
    for text in extra:
        try:
            addresses.add(str(parse_address(text)))
        except FlatnetError:
            dns.add(text)
    return {"dns": sorted(dns), "ip": sorted(addresses)}


def daemon_flags(flags: Mapping[str, object]) -> list[str]:
    """Return {flag: value} as sorted command-line arguments, `--flag=value`, booleans as true and false.

    Raises FlatnetError for a value that is neither text, number nor boolean.
    """
    lines = []
    for name, value in flags.items():
        if not isinstance(value, str | int | float):
            raise FlatnetError(f"flag --{name} has the value {value!r}; give a text, a number or a boolean")
        text = str(bool(value)).lower() if isinstance(value, bool) else str(value)
        lines.append(f"--{name}={text}")
    return sorted(lines)


def is_overlapping(network: str, others: str | Sequence[str]) -> bool:
    """Tell whether the network shares an address with any of the others (one or a list).

    Networks of different families never overlap. Raises FlatnetError for an unreadable network.
    """
    one = parse_network(network)
    listed = [others] if isinstance(others, str) else others
    # All are read before any is compared: an unreadable one must not hide behind an overlapping one.
    networks = [parse_network(text) for text in listed]
    return any(one.overlaps(other) for other in networks)
