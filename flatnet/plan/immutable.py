"""What a running cluster cannot have changed under it, and what would have to happen to change it.

Found on the API server and the controller manager of v1.36.3: they start with a changed service network and
go on with the old one ("The default ServiceCIDR ... does not match the controller flag configurations"),
except that a second family is taken over; Node.spec.podCIDRs is refused as immutable.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import parse_network
from flatnet.plan.findings import Findings

_REPLACE_NODE = (
    "drain the node, provision again, delete its Node object with kubectl and restart its kubelet, "
    "which registers it anew"
)
_EVERY_POD = "and every pod has to be created anew"


class Change(NamedTuple):
    """One change to what is deployed that no running cluster follows by itself."""

    kind: str
    """One of KINDS."""
    value: str
    """The setting, and what is wanted."""
    deployed: str
    """What is deployed."""
    how: str
    """What would have to happen."""
    host: str = ""
    """The inventory name of the host that the change is about."""


# Kind of change -> (rule, why it is not followed, the way that keeps what is deployed).
KINDS: Mapping[str, tuple[str, str, str]] = {
    "pod_cidrs": (
        "immutable-pod-cidr",
        "nodes have networks in what is deployed",
        "keep what is deployed, and widen it or add another network beside it",
    ),
    "service_cidrs": (
        "immutable-service-cidr",
        "the API server goes on with what is deployed",
        "keep what is deployed, and add networks with extra_service_cidrs",
    ),
    "families": (
        "immutable-families",
        "Services and Nodes keep the families that they were created with",
        "keep what is deployed; a second family is added at the end",
    ),
    "dns_domain": (
        "immutable-dns-domain",
        "a pod keeps the domain that it was created with",
        "keep what is deployed",
    ),
    "dns_addresses": (
        "immutable-dns-address",
        "a Service keeps its addresses, and a pod the DNS address that it was created with",
        "keep what is deployed",
    ),
    "node_pod_cidrs": (
        "immutable-node-cidr",
        "Node.spec.podCIDRs is immutable",
        "keep what is deployed, with a pin if need be",
    ),
    "node_names": ("immutable-node-name", "a Node object keeps its name", "keep what is deployed"),
}


def immutable_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    """Return the changes from the deployed plan to the wanted one that no running cluster follows by itself.

    Both are plans, or parts of plans: what one of the two does not say is not compared. Raises FlatnetError
    when the deployed one is no plan.
    """
    _check_shape(deployed)
    changes = _family_changes(deployed, wanted)
    if not changes:
        changes = [*_pod_changes(deployed, wanted), *_service_changes(deployed, wanted)]
    changes += _dns_changes(deployed, wanted)
    return changes + _node_changes(deployed, wanted)


def check_deployed(
    deployed: object, wanted: Mapping[str, Any], allowed: Collection[str], findings: Findings
) -> None:
    """Refuse changes that no running cluster follows by itself; those of an allowed kind are warnings."""
    for kind in sorted(set(allowed) - set(KINDS)):
        listed = ", ".join(KINDS)
        findings.add(
            "setting-type", f"allowed_changes {kind!r}", "there is no such kind", f"use some of {listed}"
        )
    try:
        if not isinstance(deployed, Mapping):
            raise FlatnetError("it is not a mapping")
        changes = immutable_changes(deployed, wanted)
    except FlatnetError as error:
        findings.add(
            "deployed-format",
            "the record of what is deployed",
            str(error),
            "restore it from version control, or delete it to have nothing compared",
        )
        return
    for change in changes:
        rule, reason, keep = KINDS[change.kind]
        value = f"{change.value} in place of {change.deployed}"
        if change.kind in allowed:
            findings.warn(rule, value, reason, change.how, change.host)
        else:
            fix = f"{keep}; or {change.how}, and say allowed_changes: [{change.kind}]"
            findings.add(rule, value, reason, fix, change.host)


def _texts(plan: Mapping[str, Any], key: str) -> list[str] | None:
    value = plan.get(key)
    return [str(item) for item in value] if isinstance(value, list | tuple) else None


def _check_shape(deployed: Mapping[str, Any]) -> None:
    nodes = deployed.get("nodes", {})
    if not isinstance(nodes, Mapping) or not all(isinstance(node, Mapping) for node in nodes.values()):
        raise FlatnetError("its nodes are not mappings")
    for key in ("families", "pod_cidrs", "service_cidrs", "dns_addresses"):
        if key in deployed and _texts(deployed, key) is None:
            raise FlatnetError(f"its {key} is not a list")
    for key in ("pod_cidrs", "service_cidrs"):
        for text in _texts(deployed, key) or []:
            parse_network(text)


def _family_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    old, new = _texts(deployed, "families"), _texts(wanted, "families")
    if not old or not new or new[: len(old)] == old:
        return []
    how = "make a new cluster and move the workloads"
    return [Change("families", f"families {', '.join(new)}", ", ".join(old), how)]


def _pod_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    old, new = _texts(deployed, "pod_cidrs"), _texts(wanted, "pod_cidrs")
    if not old or not new:
        return []
    kept = [parse_network(text) for text in new]
    gone = [text for text in old if not any(network.contains(parse_network(text)) for network in kept)]
    how = f"replace every node that has a network in it: {_REPLACE_NODE}"
    return [Change("pod_cidrs", f"pod_cidrs {', '.join(new)}", ", ".join(gone), how)] if gone else []


def _service_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    old, new = _texts(deployed, "service_cidrs"), _texts(wanted, "service_cidrs")
    # A second family at the end is taken over by the API server.
    if not old or not new or new[: len(old)] == old:
        return []
    how = (
        "delete and create anew every Service and the ServiceCIDR object kubernetes, issue the API server's "
        f"certificate again, restart every kubelet, {_EVERY_POD} to find DNS"
    )
    return [Change("service_cidrs", f"service_cidrs {', '.join(new)}", ", ".join(old), how)]


def _dns_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    changes = []
    old, new = deployed.get("dns_domain"), wanted.get("dns_domain")
    if old and new and old != new:
        how = (
            f"issue the API server's certificate again, reconfigure DNS, restart every kubelet, {_EVERY_POD}"
        )
        changes.append(Change("dns_domain", f"dns_domain {new}", str(old), how))
    before, after = _texts(deployed, "dns_addresses"), _texts(wanted, "dns_addresses")
    if before and after and after[: len(before)] != before:
        how = f"delete the DNS Service, since its addresses are immutable, provision again, {_EVERY_POD}"
        changes.append(Change("dns_addresses", f"dns_addresses {', '.join(after)}", ", ".join(before), how))
    return changes


def _node_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    changes = []
    nodes = wanted.get("nodes") or {}
    for host, node in deployed.get("nodes", {}).items():
        planned = nodes.get(host)
        if planned is None:
            continue
        if node.get("name") != planned["name"]:
            how = "drain and delete the old Node object; its pod network stays with the old name"
            changes.append(
                Change("node_names", f"node name {planned['name']}", str(node.get("name")), how, host)
            )
        elif node.get("pod_cidrs") and node["pod_cidrs"] != planned["pod_cidrs"]:
            new, old = ", ".join(planned["pod_cidrs"]) or "none", ", ".join(map(str, node["pod_cidrs"]))
            changes.append(Change("node_pod_cidrs", f"pod network {new}", old, _REPLACE_NODE, host))
    return changes
