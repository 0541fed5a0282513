"""Faults of a node's rules for services: those of another mode of kube-proxy, and those of others."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_network

from flatnet.check.facts import Cluster
from flatnet.check.hosts.fault import Fault, about_services
from flatnet.check.model import Finding, Json


def service_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find rules for services that are not those of kube-proxy in its present mode."""
    mode = cluster.plan["kube_proxy_mode"]
    filters = state.get("filters") or []
    in_iptables = sorted({_name(found) for found in filters if found["services"] and found["name"] != "nft"})
    in_nft = [found for found in filters if found["services"] and found["name"] == "nft"]
    stale = []
    # A backend that carries services itself may do it in the way of kube-proxy.
    makes = cluster.plan["backend"].get("makes", {})
    if any(fnmatchcase("KUBE-SERVICES", pattern) for pattern in makes.get("chains", [])):
        in_iptables = []
    if any(table["name"] == "kube-proxy" for table in makes.get("tables", [])):
        in_nft = []
    if mode in ("nftables", "none") and in_iptables:
        stale.append(f"KUBE-SERVICES in {' and '.join(in_iptables)}")
    if mode == "iptables" and len({name.replace("ip6tables", "iptables") for name in in_iptables}) > 1:
        stale.append(f"KUBE-SERVICES in both {' and '.join(in_iptables)}")
    if mode != "nftables" and in_nft:
        stale.append("the nftables table kube-proxy")
    for what in stale:
        yield Fault(
            "services",
            f"{node} has rules of another mode of kube-proxy than {mode}: {what}",
            f"kube-proxy --cleanup removes those of all modes on {node}; then restart kube-proxy",
            about_services(node),
        )
    yield from _translations(cluster, node, filters)


def _name(found: Json) -> str:
    return str(found["name"])


def host_port_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find rules of portmap that lead a host port to a pod that is gone, whose address may be another's."""
    del cluster
    pods = set(state.get("pods") or [])
    for rule in (rule for found in state.get("filters") or [] for rule in found["host_ports"]):
        # Where no pod is recorded, it is the record that is missing.
        if not pods or rule["pod"] in pods:
            continue
        yield Fault(
            "host_ports",
            f"a rule of a pod that is gone leads the host port {rule['port']}/{rule['protocol']} of {node} "
            f"to {rule['pod']}: {rule['filter']}, chain {rule['chain']}",
            f"delete that rule on {node}; another CNI configuration may have kept portmap from doing so",
            _about_host_ports(node),
        )


def _about_host_ports(node: str) -> Callable[[Finding], bool]:
    return lambda finding: finding["class"] == "host_port" and finding["target"]["node"] == node


def _translations(cluster: Cluster, node: str, filters: Sequence[Json]) -> Iterator[Fault]:
    services = [ip_network(cidr) for cidr in cluster.plan["service_cidrs"]]
    for rule in (rule for found in filters for rule in found["translations"]):
        if not rule["destination"]:
            continue
        taken = ip_network(rule["destination"], strict=False)
        if any(taken.version == cidr.version and taken.overlaps(cidr) for cidr in services):
            yield Fault(
                "services",
                f"a rule on {node} that is not kube-proxy's leads the service address {rule['destination']} "
                f"elsewhere: {rule['filter']}, chain {rule['chain']}: {rule['rule']}",
                f"who made that rule on {node}",
                about_services(node),
            )
