"""Holds the wanted plan against the one that is deployed."""

from collections.abc import Collection, Mapping
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import parse_network
from flatnet.plan.allocations import Entry
from flatnet.plan.findings import Findings
from flatnet.plan.immutable import KINDS, immutable_changes, matched_hosts
from flatnet.plan.names import listed_names


def check_deployed(
    deployed: object,
    wanted: Mapping[str, Any],
    allowed: Collection[str],
    findings: Findings,
    *,
    is_switch: bool = False,
) -> None:
    """Refuse changes that no running cluster follows by itself; those of an allowed kind are warnings.

    is_switch: whether the run carries out those that a switch of the network is for.
    """
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
    _warn_of_leaving(deployed, wanted, findings)
    for kind in sorted(set(allowed) - {change.kind for change in changes}):
        findings.warn(
            "allowed-change-unused",
            f"cluster_allowed_changes {kind}",
            "nothing of that kind changes",
            "remove it, so that it lets nothing through unseen later",
        )
    for change in changes:
        judged = KINDS[change.kind]
        value = f"{change.value} in place of {change.deployed}"
        if judged.is_switched and is_switch:
            continue
        if change.kind in allowed:
            findings.warn(judged.rule, value, judged.reason, change.how, change.host)
            continue
        fix = f"{judged.keep}; or {change.how}"
        if not judged.is_switched:
            fix += f", and say so with cluster_allowed_changes: [{change.kind}]"
        findings.add(judged.rule, value, judged.reason, fix, change.host)


def deployed_networks(deployed: object) -> dict[str, Entry]:
    """Return node name -> networks in what is deployed; what cannot be read is told by check_deployed."""
    nodes = deployed.get("nodes") if isinstance(deployed, Mapping) else None
    found: dict[str, Entry] = {}
    for node in nodes.values() if isinstance(nodes, Mapping) else ():
        if not isinstance(node, Mapping) or not isinstance(cidrs := node.get("pod_cidrs"), list):
            continue
        try:
            networks = [parse_network(text) for text in cidrs if isinstance(text, str)]
        except FlatnetError:
            continue
        if networks:
            found[str(node.get("name"))] = {network.family: network for network in networks}
    return found


def _warn_of_leaving(deployed: Mapping[str, Any], wanted: Mapping[str, Any], findings: Findings) -> None:
    """Tell of nodes that run pods in what is deployed and are not planned to any more."""
    before, after = deployed.get("nodes", {}), wanted.get("nodes") or {}
    stay = {former for host, former in matched_hosts(before, after).items() if _runs_pods(after[host])}
    leaving = [
        node.get("name", host)
        for host, node in sorted(before.items())
        if _runs_pods(node) and host not in stay
    ]
    if leaving and after:
        findings.warn(
            "node-leaving",
            listed_names(leaving),
            "deployed, and not among the planned nodes: the pods there are cut off from all others",
            "nothing, once the node is drained and deleted; else put it back, and do that first",
        )


def _runs_pods(node: Mapping[str, Any]) -> bool:
    # A pod network tells less: a backend that gives them out itself has none in the plan.
    return "kube_node" in node.get("groups", ())
