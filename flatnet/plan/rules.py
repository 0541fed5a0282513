"""The rules that cluster-wide networks must keep. Each adds findings; none stops at the first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flatnet.contract import Resolved as Backend
from flatnet.errors import FlatnetError
from flatnet.plan.addresses import (
    WIDTH,
    Address,
    Family,
    Network,
    parse_network,
    pod_capacity,
    prefix_for_pods,
)
from flatnet.plan.findings import Findings, split_error
from flatnet.plan.limits import NODE_MASK_BITS, PRIVATE, SPECIAL
from flatnet.settings import Settings

DEFAULT_NODE_PREFIX: Mapping[Family, int] = {"ipv4": 24, "ipv6": 64}


Owned = tuple[int, str, str]
"""A host's address as an integer, its inventory name, and the address as text."""


@dataclass
class Resolved:
    """Settings and hosts after parsing; what could not be parsed is a finding and is absent here."""

    pods: list[Network] = field(default_factory=list)
    services: list[Network] = field(default_factory=list)
    extra_services: list[Network] = field(default_factory=list)
    node_prefixes: dict[Family, int] = field(default_factory=dict)
    hosts_networks: list[Network] = field(default_factory=list)
    tunnels: list[Network] = field(default_factory=list)
    excluded: list[Network] = field(default_factory=list)
    non_masquerade: list[Network] = field(default_factory=list)
    dns: list[Address] = field(default_factory=list)
    addresses: dict[Family, list[Owned]] = field(default_factory=dict)
    """Family in use -> the addresses of hosts, sorted."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Inventory name -> the host's addresses in the order of the families."""

    @property
    def families(self) -> list[Family]:
        """The families in use, in their order."""
        return list(dict.fromkeys(network.family for network in self.pods))

    def named(self) -> list[tuple[str, Network]]:
        """Return (setting, network) for every network; those of the cluster first."""
        return [
            (name, network)
            for name, networks in (
                ("cluster_pod_cidrs", self.pods),
                ("cluster_service_cidrs", self.services),
                ("cluster_extra_service_cidrs", self.extra_services),
                ("cluster_host_cidrs", self.hosts_networks),
                ("cluster_tunnel_cidrs", self.tunnels),
                ("cluster_excluded_cidrs", self.excluded),
            )
            for network in networks
        ]


def resolve_networks(settings: Settings, contract: Backend, findings: Findings, nodes: int = 1) -> Resolved:
    """Parse the networks in the settings and check every rule about them.

    nodes: how many nodes need a network, so that only prefix lengths are advised that hold them all.
    """
    resolved = Resolved(
        pods=_networks("cluster_pod_cidrs", settings.pod_cidrs, findings),
        services=_networks("cluster_service_cidrs", settings.service_cidrs, findings),
        extra_services=_networks("cluster_extra_service_cidrs", settings.extra_service_cidrs, findings),
        hosts_networks=_networks("cluster_host_cidrs", settings.host_cidrs, findings),
        tunnels=_networks("cluster_tunnel_cidrs", settings.tunnel_cidrs, findings),
        excluded=_networks("cluster_excluded_cidrs", settings.excluded_cidrs, findings),
        non_masquerade=_networks("cluster_non_masquerade_cidrs", settings.non_masquerade_cidrs, findings),
    )
    _check_counts(settings, resolved, contract, findings)
    _check_families(settings, resolved, contract, findings)
    most_pods = settings.max_pods if contract.ipam == "plan" else 0
    _check_prefixes(settings, resolved, findings)
    for network in resolved.pods:
        _check_split(
            network, fitting_prefixes(network.family, resolved, most_pods, nodes), resolved, findings
        )
    _check_capacity(settings, resolved, contract, nodes, findings)
    _check_overlaps(resolved, findings)
    _check_special(resolved, findings)
    return resolved


def _networks(name: str, texts: Sequence[str], findings: Findings) -> list[Network]:
    parsed = []
    for text in texts:
        try:
            parsed.append(parse_network(text))
        except FlatnetError as error:
            findings.add("network-format", f"{name} {text!r}", *split_error(error, text))
    return parsed


def _check_counts(settings: Settings, resolved: Resolved, contract: Backend, findings: Findings) -> None:
    for name, given in (
        ("cluster_pod_cidrs", settings.pod_cidrs),
        ("cluster_service_cidrs", settings.service_cidrs),
    ):
        if not given:
            findings.add(
                "network-missing", name, "it is empty", "give one network, or one per address family"
            )
    listed = ", ".join(map(str, resolved.pods))
    if len(resolved.families) < len(resolved.pods) and not contract.several_pod_cidrs:
        findings.add(
            "family-twice",
            f"cluster_pod_cidrs {listed}",
            f"a family has two networks, and backend {contract.name} carries one per family",
            "give one per family, or use a backend that carries several",
        )
    listed = ", ".join(map(str, resolved.services))
    if len({network.family for network in resolved.services}) < len(resolved.services):
        findings.add(
            "family-twice",
            f"cluster_service_cidrs {listed}",
            "a family has two networks",
            "give one per family, and further ones as cluster_extra_service_cidrs",
        )


def _check_families(settings: Settings, resolved: Resolved, contract: Backend, findings: Findings) -> None:
    pods = resolved.families
    services = list(dict.fromkeys(network.family for network in resolved.services))
    complete = len(resolved.pods) == len(settings.pod_cidrs) and len(resolved.services) == len(
        settings.service_cidrs
    )
    if complete and pods and services and pods != services:
        findings.add(
            "family-order",
            f"cluster_pod_cidrs {', '.join(pods)} but cluster_service_cidrs {', '.join(services)}",
            "pods and services have different families or a different order of them",
            "give both lists the same families in the same order",
        )
    for network in resolved.pods:
        if network.family not in contract.families:
            findings.add(
                "family-unsupported",
                f"cluster_pod_cidrs {network}",
                f"backend {contract.name} carries {' and '.join(contract.families)} only",
                f"remove the {network.family} network or use another backend",
            )
    for network in resolved.extra_services:
        if complete and network.family not in services:
            findings.add(
                "family-order",
                f"cluster_extra_service_cidrs {network}",
                f"there are no {network.family} services to add to",
                f"remove it, or add an {network.family} network to cluster_pod_cidrs and "
                "cluster_service_cidrs",
            )


def _check_prefixes(settings: Settings, resolved: Resolved, findings: Findings) -> None:
    families = resolved.families
    given = list(settings.node_prefixes) or [DEFAULT_NODE_PREFIX[family] for family in families]
    if len(resolved.pods) == len(settings.pod_cidrs) and len(given) != len(families):
        findings.add(
            "node-prefix-count",
            f"cluster_node_prefixes {', '.join(map(str, given))}",
            f"there are {len(given)} for the families {', '.join(families)}",
            "give one per family, in the order of cluster_pod_cidrs",
        )
        return
    # An unreadable pod network is a finding of its own; nobody knows which prefix was meant for which other.
    resolved.node_prefixes = dict(zip(families, given, strict=False))


def fitting_prefixes(family: Family, resolved: Resolved, max_pods: int, nodes: int) -> range:
    """Return the prefix lengths of node networks that hold so many pods, and as many as there are nodes.

    It is empty where the pod networks of the family are too small for both.
    """
    pools = [network.prefix for network in resolved.pods if network.family == family]
    least = max(pools, default=0)
    while least < WIDTH[family] and sum(1 << (least - pool) for pool in pools) < nodes:
        least += 1
    most = prefix_for_pods(family, max_pods) if max_pods else WIDTH[family]
    return range(least, most + 1)


def prefixes_text(
    families: Iterable[Family], prefixes: Mapping[Family, int], new: Mapping[Family, int]
) -> str:
    """Return what to write into cluster_node_prefixes, where some prefix lengths are new."""
    every = [str(new.get(family, prefixes.get(family, 0))) for family in families]
    return every[0] if len(every) == 1 else f"[{', '.join(every)}]"


def _check_split(network: Network, fitting: range, resolved: Resolved, findings: Findings) -> None:
    prefix = resolved.node_prefixes.get(network.family)
    if prefix is None or network.prefix <= prefix <= WIDTH[network.family]:
        return
    fix = f"use a prefix length from {fitting.start} to {fitting.stop - 1}"
    findings.add(
        "node-prefix",
        f"cluster_node_prefixes {prefix}",
        f"{network} cannot be split into /{prefix} networks",
        fix if fitting else "use a larger pod network",
    )


def _check_capacity(
    settings: Settings, resolved: Resolved, contract: Backend, nodes: int, findings: Findings
) -> None:
    if contract.ipam != "plan":
        return
    for family, prefix in resolved.node_prefixes.items():
        if 0 <= prefix <= WIDTH[family]:
            fitting = fitting_prefixes(family, resolved, 0, nodes)

            def written(new: int, family: Family = family) -> str:
                return prefixes_text(resolved.families, resolved.node_prefixes, {family: new})

            setting = Sizes("cluster_node_prefixes", "cluster_max_pods", fitting.start, written)
            check_pods(family, prefix, settings.max_pods, setting, "", findings)
    for network in resolved.pods:
        prefix = resolved.node_prefixes.get(network.family, network.prefix)
        if prefix - network.prefix > NODE_MASK_BITS[network.family]:
            most = network.prefix + NODE_MASK_BITS[network.family]
            findings.warn(
                "node-mask-limit",
                f"cluster_node_prefixes {prefix}",
                f"it is {prefix - network.prefix} bits longer than {network}; flatnet allocates that, "
                f"kube-controller-manager could not ({NODE_MASK_BITS[network.family]} bits at most)",
                f"nothing, or use {most} to be able to hand allocation over",
            )


class Sizes(NamedTuple):
    """What the size of a node's network, and the number of its pods, are set with."""

    prefix: str
    pods: str
    least: int = 0
    """The shortest prefix length that there is room for."""
    written: Callable[[int], str] = str
    """What to write for a prefix length."""


def check_pods(
    family: Family, prefix: int, max_pods: int, set_with: Sizes, host: str, findings: Findings
) -> None:
    """Check that a node network of the prefix length is large enough for the pods of a node.

    Twice as many addresses as pods is the usual rule (Google's GKE documents it: an address is not free at
    the moment its pod ends); fewer is a warning, fewer than pods is refused.
    """
    pods = pod_capacity(Network(family, 0, prefix))
    enough, double = prefix_for_pods(family, max_pods), prefix_for_pods(family, 2 * max_pods)
    value, reason = f"{set_with.pods} {max_pods}", f"a /{prefix} network addresses {pods} pods"
    fixes = [f"lower {set_with.pods} to {pods}"] if pods else []
    if pods < max_pods:
        if enough >= set_with.least:
            usual = f", or to {set_with.written(double)} for the usual two addresses per pod"
            fix = f"set {set_with.prefix} to {set_with.written(enough)}"
            fixes.append(fix + (usual if double >= set_with.least else ""))
        findings.add("max-pods", value, reason, " or ".join(fixes) or "use a larger pod network", host)
    elif pods < 2 * max_pods:
        fixes = [f"set {set_with.prefix} to {set_with.written(double)}"] if double >= set_with.least else []
        fixes += [f"lower {set_with.pods} to {pods // 2}"] if pods > 1 else []
        findings.warn(
            "max-pods-tight",
            value,
            f"{reason}, and pods that end and start need about two addresses each",
            ", or ".join(fixes) or "use a larger pod network",
            host,
        )


# Pairs of networks of one kind that may overlap: they only say what is taken.
_LISTS_ONLY = ("cluster_host_cidrs", "cluster_tunnel_cidrs", "cluster_excluded_cidrs")


def _check_overlaps(resolved: Resolved, findings: Findings) -> None:
    named = resolved.named()
    for index, (name, network) in enumerate(named):
        for other_name, other in named[index + 1 :]:
            if network.overlaps(other) and not (name == other_name and name in _LISTS_ONLY):
                fix = f"move {name} to a free network"
                if name in _LISTS_ONLY:
                    fix = f"list an address under one of {name} and {other_name} only"
                findings.add("network-overlap", f"{name} {network}", f"it overlaps {other_name} {other}", fix)


def _check_special(resolved: Resolved, findings: Findings) -> None:
    for name, network in resolved.named():
        if name in _LISTS_ONLY:
            continue
        for special, what in SPECIAL.items():
            if network.overlaps(special):
                findings.add(
                    "network-special",
                    f"{name} {network}",
                    f"it overlaps {special}, which is {what}",
                    "use a private network such as one in 10.0.0.0/8 or fd00::/8",
                )
        if not any(private.overlaps(network) for private in PRIVATE):
            findings.warn(
                "network-public",
                f"{name} {network}",
                "it is of the internet's public addresses, and whoever has them is out of reach for pods",
                "nothing if they are yours, else use a private network such as one in 10.0.0.0/8 or fd00::/8",
            )
