"""What a running cluster does not follow by itself: the one judgement on a change to what is deployed.

Found on the daemons of v1.36.3: they start with a changed service network and go on with the old one ("The
default ServiceCIDR ... does not match the controller flag configurations"), except that a second family is
taken over; Node.spec.podCIDRs is refused as immutable. etcd takes its members from its own data once it has
any.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import parse_network
from flatnet.plan.options import options_words

# Each way was gone on a running cluster, to the end. The bridge goes because it would keep the old gateway.
_REPLACE_NODE = (
    "drain the node, stop its kubelet, delete its Node object with kubectl and the bridge of its pods with "
    "ip link delete, and provision"
)
_EVERY_POD = "create every pod again"
_SWITCH = "run playbooks/switch_network.yml, which takes the cluster there and removes"


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


class Kind(NamedTuple):
    """Why changes of a kind are refused; all three are parts of a sentence."""

    rule: str
    reason: str
    keep: str
    """The way that keeps what is deployed."""
    is_switched: bool = False
    """Whether a switch of the network carries it out."""


_KEEP = "keep what is deployed"
KINDS: Mapping[str, Kind] = {
    "pod_cidrs": Kind(
        "immutable-pod-cidr",
        "nodes have networks in what is deployed",
        f"{_KEEP}, and widen it or add another network beside it",
    ),
    "service_cidrs": Kind(
        "immutable-service-cidr",
        "a Service keeps its addresses, and the API server goes on with what is deployed",
        f"{_KEEP}, and add networks with cluster_extra_service_cidrs",
    ),
    "families": Kind(
        "immutable-families",
        "Services and Nodes keep the families that they were created with",
        f"{_KEEP}; a second family is added at the end",
    ),
    "dns_domain": Kind(
        "immutable-dns-domain",
        "a pod that runs looks names up below the domain that it was created with, and its token is from an "
        "issuer of that name, which the API server would no longer believe",
        _KEEP,
    ),
    "dns_addresses": Kind(
        "immutable-dns-address",
        "a Service keeps its addresses, and a pod the DNS address that it was created with",
        _KEEP,
    ),
    "node_pod_cidrs": Kind(
        "immutable-node-cidr",
        "Node.spec.podCIDRs is immutable, and pods that run keep their addresses",
        f"{_KEEP}, with a pin if need be",
    ),
    "node_names": Kind("immutable-node-name", "a Node object keeps its name", _KEEP),
    "backend": Kind(
        "immutable-backend",
        "pods of two backends do not reach each other while the nodes change over, and what the first one "
        "made stays on the hosts",
        _KEEP,
        is_switched=True,
    ),
    "backend_mode": Kind(
        "immutable-backend-mode",
        "pods of two modes do not reach each other while the nodes change over",
        _KEEP,
        is_switched=True,
    ),
    "policy_engine": Kind(
        "immutable-policy-engine",
        "what the engine made stays on the hosts and goes on to refuse connections",
        _KEEP,
        is_switched=True,
    ),
    "control_plane": Kind(
        "immutable-control-plane",
        "the daemons of the former host go on, and two controller managers and schedulers, each with an API "
        "server of its own, are in charge of the same nodes",
        "keep the host in the group kube_control_plane",
    ),
    "etcd_members": Kind(
        "immutable-etcd-members",
        "etcd takes its members and their addresses from its own data once it has any",
        "keep the group etcd, its node names and its addresses as they are",
    ),
}


def immutable_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    """Return the changes from the deployed plan to the wanted one that no running cluster follows by itself.

    Both are plans or documents of plans, or parts: what one of the two does not say is not compared. Raises
    FlatnetError when the deployed one is not a plan.
    """
    _check_shape(deployed)
    changes = _family_changes(deployed, wanted)
    judges = [
        _dns_changes,
        _backend_changes,
        _engine_changes,
        _node_changes,
        _control_plane_changes,
        _etcd_changes,
    ]
    if not changes:
        judges = [_pod_changes, _service_changes, *judges, _node_network_changes]
    return changes + [change for judge in judges for change in judge(deployed, wanted)]


def matched_hosts(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, str]:
    """Return wanted inventory name -> deployed inventory name, of hosts that are in both.

    Both are `nodes` of a plan. A host is the one with the same Node object, or else with the same inventory
    name.
    """
    by_node_name = {node.get("name"): name for name, node in deployed.items()}
    matched = {
        name: by_node_name[node["name"]] for name, node in wanted.items() if node["name"] in by_node_name
    }
    taken = set(matched.values())
    return matched | {
        name: name for name in wanted if name not in matched and name in deployed and name not in taken
    }


def _texts(plan: Mapping[str, Any], key: str) -> list[str] | None:
    value = plan.get(key)
    return [str(item) for item in value] if isinstance(value, list | tuple) else None


def _check_shape(deployed: Mapping[str, Any]) -> None:
    nodes = deployed.get("nodes", {})
    if not isinstance(nodes, Mapping) or not all(isinstance(node, Mapping) for node in nodes.values()):
        raise FlatnetError("its nodes are not mappings")
    for name, node in nodes.items():
        _check_node(name, node)
    for key in ("families", "pod_cidrs", "service_cidrs", "dns_addresses"):
        if key in deployed and _texts(deployed, key) is None:
            raise FlatnetError(f"its {key} is not a list")
    for key in ("pod_cidrs", "service_cidrs"):
        for text in _texts(deployed, key) or []:
            parse_network(text)


def _check_node(name: str, node: Mapping[str, Any]) -> None:
    if not isinstance(node.get("name", ""), str):
        raise FlatnetError(f"the name of its node {name} is not text")
    for key in ("groups", "addresses", "pod_cidrs"):
        if key in node and _texts(node, key) is None:
            raise FlatnetError(f"{key} of its node {name} is not a list")
    for text in _texts(node, "pod_cidrs") or []:
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
    return [Change("pod_cidrs", f"cluster_pod_cidrs {', '.join(new)}", ", ".join(gone), how)] if gone else []


def _service_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    old, new = _texts(deployed, "service_cidrs"), _texts(wanted, "service_cidrs")
    # A second family at the end is taken over by the API server.
    if not old or not new or new[: len(old)] == old:
        return []
    how = (
        "delete every Service and the ServiceCIDR kubernetes with kubectl delete --wait=false, stop every "
        "API server before it makes them again, provision twice, since the network is taken over some "
        "seconds after the start, and create every Service and every pod again"
    )
    return [Change("service_cidrs", f"cluster_service_cidrs {', '.join(new)}", ", ".join(old), how)]


def _dns_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    changes = []
    old, new = deployed.get("dns_domain"), wanted.get("dns_domain")
    if old and new and old != new:
        how = f"provision, and {_EVERY_POD} at once"
        changes.append(Change("dns_domain", f"cluster_dns_domain_name {new}", str(old), how))
    before, after = _texts(deployed, "dns_addresses"), _texts(wanted, "dns_addresses")
    if before and after and after[: len(before)] != before:
        how = f"delete the Service kube-dns in kube-system, provision, and {_EVERY_POD}"
        changes.append(
            Change(
                "dns_addresses", f"cluster_dns_service_addresses {', '.join(after)}", ", ".join(before), how
            )
        )
    return changes


def _backend_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    before, after = (
        backend if isinstance(backend := plan.get("backend"), Mapping) else {} for plan in (deployed, wanted)
    )
    old, new = before.get("name"), after.get("name")
    if not old or not new:
        return []
    if old == new:
        return _mode_changes(new, before, after)
    return [Change("backend", f"cluster_network_backend {new}", str(old), f"{_SWITCH} {old}")]


def _engine_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    before, after = (
        engine if isinstance(engine := plan.get("policy_engine"), Mapping) else {}
        for plan in (deployed, wanted)
    )
    old, new = before.get("name"), after.get("name")
    # Who was nobody, or the backend, has left nothing of its own.
    if "role" not in before or not new or old == new:
        return []
    return [Change("policy_engine", f"policy engine {new}", str(old), f"{_SWITCH} {old}")]


def _mode_changes(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    old, new = before.get("mode"), after.get("mode")
    if not old or not new:
        return []
    if old != new:
        how = f"{_SWITCH} what mode {old} made"
        return [Change("backend_mode", f"backend {name} in mode {new}", f"mode {old}", how)]
    old_numbers, new_numbers = (options_words(one) or "its defaults" for one in (before, after))
    if old_numbers == new_numbers:
        return []
    how = f"{_SWITCH} what was made with {old_numbers}"
    return [Change("backend_mode", f"backend {name} with {new_numbers}", old_numbers, how)]


def _stayed(
    deployed: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield (inventory name, deployed node, wanted node) of hosts that are in both, by name."""
    before, after = deployed.get("nodes", {}), wanted.get("nodes") or {}
    for host, former in sorted(matched_hosts(before, after).items()):
        yield host, before[former], after[host]


def _node_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    how = f"{_REPLACE_NODE} (its pod network stays with the old name)"
    changes = [
        Change("node_names", f"node name {planned['name']}", node["name"], how, host)
        for host, node, planned in _stayed(deployed, wanted)
        if node.get("name", planned["name"]) != planned["name"]
    ]
    exchanged = exchanged_names(deployed.get("nodes", {}), wanted.get("nodes") or {})
    return changes + [
        Change("node_names", f"node name {planned['name']} at {address}", other, _REPLACE_NODE, host)
        for host, _, planned in _stayed(deployed, wanted)
        if host in exchanged
        for address, other in [exchanged[host]]
    ]


def exchanged_names(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return inventory name -> (address, node name there) of nodes that stand where another one is deployed.

    Both are `nodes` of a plan. The other one is still planned, elsewhere: the names of two machines, or their
    addresses, were exchanged. On the machine are the pods, the certificates and the Node object of the other.
    """
    places = {
        str(address): str(node.get("name"))
        for node in deployed.values()
        for address in node.get("addresses") or ()
    }
    names = {str(node.get("name")) for node in deployed.values()}
    # A plan that is refused has no addresses.
    planned = {node["name"] for node in wanted.values() if node.get("addresses")}
    return {
        host: (str(address), places[address])
        for host, node in wanted.items()
        if node["name"] in names
        for address in list(node.get("addresses") or ())[:1]
        if places.get(address, node["name"]) != node["name"] and places[address] in planned
    }


def _node_network_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    changes = []
    for host, node, planned in _stayed(deployed, wanted):
        old, new = _texts(node, "pod_cidrs"), planned["pod_cidrs"]
        # A host that is no longer a node leaves like one that is gone; one with another name is another node.
        if old and new and old != new and node.get("name", planned["name"]) == planned["name"]:
            value = f"pod network {', '.join(new)}"
            changes.append(Change("node_pod_cidrs", value, ", ".join(old), _REPLACE_NODE, host))
    return changes


def _control_plane_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    """Compare the hosts of the control plane by node name; a further one takes nothing from anybody."""
    old, new = (
        {
            str(node.get("name"))
            for node in (plan.get("nodes") or {}).values()
            if "kube_control_plane" in node.get("groups", ())
        }
        for plan in (deployed, wanted)
    )
    gone = sorted(old - new)
    if not new or not gone:
        return []
    units = "kube-apiserver, kube-controller-manager and kube-scheduler"
    how = f"stop and disable {units} on {', '.join(gone)}, and provision every host in the same run"
    return [Change("control_plane", f"control plane {', '.join(sorted(new))}", ", ".join(gone), how)]


def _etcd_changes(deployed: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    """Compare the members of etcd by node name, and their addresses where there are several."""
    old, new = (
        {
            str(node.get("name")): str((node.get("addresses") or [""])[0])
            for node in (plan.get("nodes") or {}).values()
            if "etcd" in node.get("groups", ())
        }
        for plan in (deployed, wanted)
    )
    if not old or not new or old == new:
        return []
    if old.keys() != new.keys():
        how = "tell etcd first, with etcdctl member add and etcdctl member remove, one member after the other"
        return [Change("etcd_members", f"etcd on {', '.join(sorted(new))}", ", ".join(sorted(old)), how)]
    # A single member goes on with its data at its new address.
    if len(new) == 1:
        return []
    moved = [name for name in sorted(new) if old[name] and new[name] and old[name] != new[name]]
    if not moved:
        return []
    value = "etcd at " + ", ".join(new[name] for name in moved)
    how = "tell etcd first, with etcdctl member update, one member after the other"
    return [Change("etcd_members", value, ", ".join(old[name] for name in moved), how)]
