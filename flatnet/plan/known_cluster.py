"""Whose allocations these are. Those of another cluster say nothing about this one's nodes."""

from collections.abc import Iterable, Sequence

from flatnet.plan.allocations import Allocations
from flatnet.plan.findings import Findings
from flatnet.plan.hosts import Host
from flatnet.plan.names import listed_names
from flatnet.plan.node_objects import node_networks
from flatnet.settings import Settings

# One node may well have been replaced; that several were, and none is left, is hardly the same cluster.
_SEVERAL = 2
_FEW = 3


def shares_name(before: Allocations, settings: Settings, findings: Findings) -> bool:
    """Tell whether the allocations name this cluster, or none."""
    if before.cluster in ("", settings.cluster_name):
        return True
    findings.add(
        "allocation-cluster",
        f"cluster {before.cluster}",
        f"the allocations belong to that cluster, and this one is {settings.cluster_name}",
        f"give this cluster an allocations file of its own, or, if it was renamed, write cluster: "
        f"{settings.cluster_name} into the file",
    )
    return False


def shares_nodes(
    before: Allocations, hosts: Sequence[Host], existing_nodes: object, findings: Findings
) -> bool:
    """Tell whether the allocations have a node of this cluster, or too few nodes to say.

    Clusters that nobody named are all called the same. What tells them apart is that a cluster does not
    replace all of its nodes between two plans. A host that is no node any more is known all the same, and so
    is a node that runs, as Node objects to adopt tell. A pin says nothing: any cluster may have its network.
    """
    recorded = before.nodes.keys()
    ours = {host.node_name for host in hosts}
    if len(recorded) < _SEVERAL or not recorded.isdisjoint(ours):
        return True
    if existing_nodes and not recorded.isdisjoint(node_networks(existing_nodes, Findings())):
        return True
    findings.add(
        "allocation-cluster",
        f"nodes {_few(recorded)}",
        f"the inventory has none of them but {_few(ours)}, so that the allocations are another cluster's",
        "give this cluster an allocations file and a cluster_name of its own; if its nodes were renamed, "
        "rename the entries, and if really all were replaced at once, move the entries from nodes to removed",
    )
    return False


def _few(names: Iterable[str]) -> str:
    return listed_names(names, _FEW)
