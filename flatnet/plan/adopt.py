"""Take over a cluster that exists: what its nodes have becomes what the allocations say.

Seen on the API server of v1.36.3: Node.spec.podCIDRs may be set once. It takes neither another network
afterwards, nor one more, nor the same ones in another order. So a plan that wants any of that is refused.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flatnet.plan.addresses import WIDTH, Family, Network
from flatnet.plan.allocate import ranges_of
from flatnet.plan.allocations import Allocations, Entry
from flatnet.plan.conflicts import overlaps
from flatnet.plan.findings import Findings
from flatnet.plan.node_objects import node_networks
from flatnet.plan.pool import is_touched, merged_ranges
from flatnet.plan.request import Request

_IMMUTABLE = "Node.spec.podCIDRs is immutable"
_REPLACE = "drain it, delete its Node object and give the Node objects again"


def adopted_allocations(existing_nodes: object, allocations: object = None) -> dict[str, Any]:
    """Return the allocations, as plain data, after Spec.podCIDRs of the Node objects are imported.

    `existing_nodes` is what `kubectl get nodes -o json` prints, as text or read already, or a list of Node
    objects. Raises FlatnetError that lists every conflict.
    """
    findings = Findings()
    before = allocations if isinstance(allocations, Allocations) else Allocations.from_mapping(allocations)
    adopted = adopt_nodes(before, existing_nodes, None, findings)
    findings.raise_if_any()
    return adopted.allocations.to_mapping()


class Adopted(NamedTuple):
    """The allocations with what running nodes have, and what of that is not the inventory's to plan with."""

    allocations: Allocations
    apart: Mapping[str, Entry]
    """Networks of running nodes that the inventory lacks."""


def adopt_nodes(
    before: Allocations, existing_nodes: object, request: Request | None, findings: Findings
) -> Adopted:
    """Return the allocations with the networks of running nodes; what disagrees becomes a finding.

    What a running node has is what packets follow: neither `before`, nor a pin, nor the sizes and families
    of the request may say otherwise. Without a request (None) nothing is known of the inventory.
    """
    running = node_networks(existing_nodes, findings)
    nodes, removed = dict(before.nodes), dict(before.removed)
    known_names = {*running, *nodes} if request is None else set(request.nodes)
    for name in nodes.keys() - known_names:
        removed[name] = nodes.pop(name)
    apart: dict[str, Entry] = {}
    for name, entry in sorted(running.items()):
        known = nodes.get(name, {})
        if name not in known_names:
            _warn_stranger(name, entry, findings)
            if entry:
                apart[name] = entry
        elif request is not None:
            _check_request(name, entry, known, request, findings)
        if entry:
            pinned = request.pins.get(name, {}) if request else {}
            _check_known(name, entry, known, pinned, findings)
            nodes[name] = {**removed.pop(name, {}), **known, **entry}
    pins = request.pins if request else {}
    _check_pins(pins, apart, findings)
    _drop_conflicts(running, nodes, pins, findings)
    _drop_tombstones(running, removed, findings)
    return Adopted(Allocations(nodes, removed, before.pins, before.cluster), apart)


def _warn_stranger(name: str, entry: Entry, findings: Findings) -> None:
    if entry:
        findings.warn(
            "adoption-stranger",
            "Node object",
            "it is not a node of the inventory, and its network is kept for it",
            "add it to kube_node, with node_name if the host has another name, or delete the Node object",
            name,
        )
    else:
        findings.warn(
            "adoption-missing",
            "Node.spec.podCIDRs is empty",
            "it is not a node of the inventory, and may be given a network that is planned for another",
            "give the Node objects again once it has one",
            name,
        )


def _check_request(name: str, entry: Entry, known: Entry, request: Request, findings: Findings) -> None:
    """Refuse what cannot be applied to a running node of the inventory."""
    pinned = request.pins.get(name, {})
    if not entry:
        if not all(family in known or family in pinned for family in request.pools):
            findings.add(
                "adoption-missing",
                "Node.spec.podCIDRs is empty",
                "what the cluster gives it later may not be what is planned now",
                "give the Node objects again once it has one; pin one if nothing in the cluster gives any",
                name,
            )
        return
    if list(entry) != list(request.pools):
        findings.add(
            "adoption-families",
            f"Node.spec.podCIDRs has {', '.join(map(str, entry.values()))}",
            f"nodes are planned with {', '.join(request.pools)}, and {_IMMUTABLE}",
            f"write cluster_pod_cidrs and cluster_service_cidrs for {', '.join(entry)}, or {_REPLACE}",
            name,
        )
    for family, network in entry.items():
        pin = pinned.get(family)
        if pin and pin != network:
            findings.add(
                "pin-moves-node",
                f"pod_cidr {pin} in place of {network}",
                f"its Node object has that, and {_IMMUTABLE}",
                f"pin what it has, or {_REPLACE}",
                name,
            )
        elif family in request.pools and network not in (pin, known.get(family)):
            _check_prefix(name, network, request, findings)


def _check_prefix(name: str, network: Network, request: Request, findings: Findings) -> None:
    wanted = request.prefix_of(name, network.family)
    # A host's own max_pods says something about its size, too; whether that fits is checked for all nodes.
    is_own = name in request.own_max_pods and name not in request.own_prefixes
    if network.prefix != wanted and not is_own:
        findings.add(
            "adoption-prefix",
            f"Node.spec.podCIDRs has {network}",
            f"nodes are planned with a /{wanted}",
            f"write {network.prefix} into cluster_node_prefixes, or pod_prefix: {network.prefix} on "
            "that host",
            name,
        )


def _check_known(name: str, entry: Entry, known: Entry, pinned: Entry, findings: Findings) -> None:
    """Refuse allocations that say otherwise, unless a pin on what the node has settles it."""
    for family, network in entry.items():
        old = known.get(family)
        if old and old != network and family not in pinned:
            findings.add(
                "adoption-conflict",
                f"Node.spec.podCIDRs has {network}, the allocations have {old}",
                _IMMUTABLE,
                "delete its entry from the allocations to adopt that, or drain it and delete its Node object",
                name,
            )


def _check_pins(pins: Mapping[str, Entry], apart: Mapping[str, Entry], findings: Findings) -> None:
    """Refuse pins on what another node has as long as its Node object is there."""
    held = [(network, name) for name, entry in sorted(apart.items()) for network in entry.values()]
    for name, entry in sorted(pins.items()):
        for pin in entry.values():
            for network, owner in held:
                if owner != name and pin.overlaps(network):
                    findings.add(
                        "pin-conflict",
                        f"{name}: {pin}",
                        f"it overlaps {network} of the running node {owner}",
                        "pin another network, or delete that Node object first",
                    )


def _drop_conflicts(
    running: Mapping[str, Entry], nodes: dict[str, Entry], pins: Mapping[str, Entry], findings: Findings
) -> None:
    """Refuse entries on what a running node has, and drop them, so that they are told of once."""
    for family in WIDTH:
        held = sorted(
            (network.first, network.last, name, network)
            for name, entry in nodes.items()
            if (network := entry.get(family))
            and (family in running.get(name, {}) or family not in pins.get(name, {}))
        )
        for (_, _, one, _), (_, _, other, _) in overlaps(held):
            _drop_conflict(family, one, other, running, nodes, findings)


def _drop_conflict(
    family: Family,
    one: str,
    other: str,
    running: Mapping[str, Entry],
    nodes: dict[str, Entry],
    findings: Findings,
) -> None:
    runs = [name for name in (one, other) if family in running.get(name, {})]
    if not runs or not all(family in nodes[name] for name in (one, other)):
        # Without a running node among the two it is the allocations alone that are wrong.
        return
    owner = runs[0]
    loser = other if owner == one else one
    network = nodes[loser][family]
    value = f"Node.spec.podCIDRs has {network}" if len(runs) > 1 else f"the allocations have {network}"
    fix = (
        "drain one of the two and delete its Node object"
        if len(runs) > 1
        else "delete its entry from the allocations, so that it gets another network"
    )
    reason = f"the running node {owner} has {nodes[owner][family]}"
    findings.add("adoption-conflict", value, reason, fix, loser)
    nodes[loser] = {kept: value for kept, value in nodes[loser].items() if kept != family}


def _drop_tombstones(running: Mapping[str, Entry], removed: dict[str, Entry], findings: Findings) -> None:
    """Forget what was kept for a node that left and is a running node's."""
    held = {family: merged_ranges(ranges_of(family, running)) for family in WIDTH}
    for gone, entry in list(removed.items()):
        rest = {
            family: old for family, old in entry.items() if not is_touched(held[family], old.first, old.last)
        }
        if len(rest) == len(entry):
            continue
        findings.warn(
            "adoption-conflict",
            f"{gone}: {', '.join(str(old) for family, old in entry.items() if family not in rest)}",
            "it was kept for a node that left, and a running node has it",
            "nothing, unless that node is to return",
        )
        if rest:
            removed[gone] = rest
        else:
            del removed[gone]
