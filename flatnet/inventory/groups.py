"""Whether the groups of an inventory are the field's, and hold every host of the cluster."""

import difflib
import re
from collections.abc import Mapping, Sequence

from flatnet.plan.names import listed_names

CLUSTER = "k8s_cluster"
PARTS = ("etcd", "kube_control_plane", "kube_node")
# What else the field calls them: kubespray's names of before 2.15, kubeasz, k3s-ansible, OpenShift.
_ELSEWHERE = {
    "agent": "kube_node",
    "agents": "kube_node",
    "control_plane": "kube_control_plane",
    "controlplane": "kube_control_plane",
    "controllers": "kube_control_plane",
    "k8s": CLUSTER,
    "kube_cluster": CLUSTER,
    "kube_master": "kube_control_plane",
    "kube_masters": "kube_control_plane",
    "kube_worker": "kube_node",
    "kube_workers": "kube_node",
    "kubernetes": CLUSTER,
    "kubernetes_cluster": CLUSTER,
    "master": "kube_control_plane",
    "masters": "kube_control_plane",
    "node": "kube_node",
    "nodes": "kube_node",
    "server": "kube_control_plane",
    "servers": "kube_control_plane",
    "worker": "kube_node",
    "workers": "kube_node",
}
# Short names as well: etcds is nearly etcd.
_NEARLY = 0.85


def cluster_hosts(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return every host of the cluster's groups, sorted: those of a part that are not in k8s_cluster too."""
    return sorted({host for group in (CLUSTER, *PARTS) for host in groups.get(group, ())})


def group_findings(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a sentence for each group that is meant to be another, and for hosts that have no part.

    A group may be called as it likes as long as its hosts are where its name belongs: `kube_nodes` inside
    `kube_node` takes nothing away. Names that have other uses, such as `workers`, only count for hosts of the
    cluster, or where there is no cluster.
    """
    members = {group: frozenset(groups.get(group, ())) for group in (CLUSTER, *PARTS)}
    everybody = frozenset(cluster_hosts(groups))
    found = []
    for group in sorted(set(groups) - set(members)):
        meant, is_sure = _meant(group)
        missing = frozenset(groups[group]) - members.get(meant, frozenset())
        if meant and not is_sure and everybody:
            missing &= everybody
        if meant and missing:
            found.append(
                f"the group {group} is read by nothing; do you mean {meant}, "
                f"which lacks {listed_names(missing)}?"
            )
    if not everybody:
        found.append(
            f"the inventory has no host in {CLUSTER}; "
            f"put the hosts into the groups {', '.join(PARTS)} and those into {CLUSTER}"
        )
    elif idle := members[CLUSTER].difference(*(members[part] for part in PARTS)):
        found.append(
            f"{listed_names(idle)}: in {CLUSTER} but in none of {', '.join(PARTS)}, so that nothing would "
            f"run there; put it into one of them, or take it out of {CLUSTER}"
        )
    return found


def meant_group(name: str) -> str:
    """Return the field's group that a name nearly is; nothing where it is another, or exactly that."""
    near = difflib.get_close_matches(re.sub(r"\W", "_", name.lower()), (CLUSTER, *PARTS), n=1, cutoff=_NEARLY)
    return near[0] if near and near[0] != name else ""


def _meant(group: str) -> tuple[str, bool]:
    """Return the field's group that a name is surely or perhaps meant to be; nothing for any other name."""
    if near := meant_group(group):
        return near, True
    return _ELSEWHERE.get(re.sub(r"\W", "_", group.lower()), ""), False
