"""Take over a cluster that exists: what its nodes have becomes what the allocations say."""

import json
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Family, Network, parse_network
from flatnet.plan.allocations import Allocations, Entry
from flatnet.plan.findings import Findings
from flatnet.plan.names import is_domain_name

_HOW = "give what `kubectl get nodes -o json` prints"


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
    """Networks of running nodes that the inventory lacks, and those that a pin replaces."""


def adopt_nodes(
    before: Allocations,
    existing_nodes: object,
    inventory: Collection[str] | None,
    findings: Findings,
    pins: Mapping[str, Entry] = MappingProxyType({}),
) -> Adopted:
    """Return the allocations with the networks of running nodes; what disagrees becomes a finding.

    A node that `before` knows must have the same networks there: Node.spec.podCIDRs is immutable, and what a
    running node has is what packets follow. Only a pin may say otherwise, which is a warning. `inventory` are
    the node names of the inventory; None: not known.
    """
    running = _node_networks(existing_nodes, findings)
    nodes, removed = dict(before.nodes), dict(before.removed)
    known_names = {*running, *nodes} if inventory is None else set(inventory)
    for name in nodes.keys() - known_names:
        removed[name] = nodes.pop(name)
    apart: dict[str, Entry] = {}
    for name, entry in sorted(running.items()):
        known, pinned = nodes.get(name, {}), pins.get(name, {})
        kept: dict[Family, Network] = {}
        for family, network in entry.items():
            old, pin = known.get(family), pinned.get(family)
            if pin and pin != network:
                apart[name] = entry
                findings.warn(
                    "pin-moves-node",
                    f"pod_cidr {pin} in place of {network}",
                    "Node.spec.podCIDRs is immutable",
                    "drain and delete the Node object before this is applied, or pin what it has",
                    name,
                )
                continue
            if old and old != network:
                findings.add(
                    "adoption-conflict",
                    f"Node.spec.podCIDRs has {network}, the allocations have {old}",
                    "what a Node has is immutable",
                    "write what it has into the allocations, or drain it and delete its Node object",
                    name,
                )
            kept[family] = network
        nodes[name] = {**removed.pop(name, {}), **known, **kept}
        if name not in known_names:
            apart[name] = nodes[name]
            findings.warn(
                "adoption-stranger",
                "Node object",
                "it is no node of the inventory, and its network is kept for it",
                "add it to kube_node, or delete the Node object",
                name,
            )
    _check_pins(pins, apart, findings)
    _drop_tombstones(running, removed, findings)
    return Adopted(Allocations(nodes, removed, before.pins, before.cluster), apart)


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


def _drop_tombstones(running: Mapping[str, Entry], removed: dict[str, Entry], findings: Findings) -> None:
    """Forget what was kept for a node that left and is a running node's."""
    held = [(network, name) for name, entry in running.items() for network in entry.values()]
    for gone, entry in list(removed.items()):
        rest = {
            family: old
            for family, old in entry.items()
            if not any(old.overlaps(network) for network, _ in held)
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


def _node_networks(existing_nodes: object, findings: Findings) -> dict[str, Entry]:
    """Return node name -> networks of every Node object that has any."""
    running: dict[str, Entry] = {}
    for item in _items(existing_nodes, findings):
        metadata, spec = item.get("metadata"), item.get("spec")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        if not isinstance(name, str) or not is_domain_name(name):
            findings.add("adoption-format", f"a Node object named {name!r}", "no node has such a name", _HOW)
            continue
        if name in running:
            findings.add("adoption-format", name, "there are two Node objects of that name", _HOW)
        spec = spec if isinstance(spec, Mapping) else {}
        listed = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        entry = _entry(str(name), listed, findings)
        if entry:
            running[str(name)] = entry
    return running


def _entry(name: str, listed: object, findings: Findings) -> Entry:
    entry: dict[Family, Network] = {}
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        findings.add("adoption-format", f"{name}: podCIDRs {listed!r}", "they are not a list", _HOW)
        return entry
    for text in listed:
        try:
            network = parse_network(text) if isinstance(text, str) else None
        except FlatnetError as error:
            findings.add("adoption-format", f"{name}: podCIDRs", str(error).partition("; ")[0], _HOW)
            continue
        if network is None:
            findings.add("adoption-format", f"{name}: podCIDRs {text!r}", "it is not text", _HOW)
        else:
            entry[network.family] = network
    return entry


def _items(existing_nodes: object, findings: Findings) -> list[Mapping[str, Any]]:
    data = existing_nodes
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError) as error:
            findings.add("adoption-format", "the Node objects", f"they are not JSON: {error}", _HOW)
            return []
    if isinstance(data, Mapping):
        data = data.get("items") if "items" in data else [data]
    if not isinstance(data, Sequence) or isinstance(data, str):
        findings.add("adoption-format", "the Node objects", "they are not a list", _HOW)
        return []
    wrong = [item for item in data if not isinstance(item, Mapping)]
    if wrong:
        findings.add("adoption-format", f"{wrong[0]!r}", "it is not a Node object", _HOW)
    return [item for item in data if isinstance(item, Mapping)]
