"""Diagnoses of answers that name a wrong source address: somebody on the way put in another."""

from ipaddress import ip_address

from flatnet.check.clues import Clues, Diagnosis, ends
from flatnet.check.model import Finding

_ABOUT_SOURCES = frozenset(
    {
        "node_to_node",
        "pod_to_pod_same_node",
        "pod_to_pod_other_node",
        "node_to_pod",
        "control_plane_to_pod",
        "pod_to_node",
        "cluster_ip",
        "hairpin",
        "node_port",
        "host_port",
    }
)


def rewritten(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name whoever put its own address in the place of the source's."""
    observed = finding["observed"]
    if finding["error"] or finding["class"] not in _ABOUT_SOURCES or not _is_address(observed):
        return None
    source, target = ends(finding)
    owner, kind = clues.owners.get(observed, ("", ""))
    if finding["class"] == "hairpin":
        return (
            f"a pod on {source} that reaches itself through a service is seen as {observed}, "
            f"the backend promises {' or '.join(finding['expected'])}",
            f"nat rules of kube-proxy and of the CNI plugin on {source}",
        )
    if not owner:
        return (
            f"something between {source} and {target} rewrites the source to {observed}, "
            "which is not the address of a node: the underlay translates",
            "NAT rules of the machines, bridges and routers between the nodes",
        )
    if finding["class"] in ("node_to_pod", "control_plane_to_pod") and owner == source:
        return (
            f"{source} reaches pods from its {kind} address, the backend promises another of its addresses",
            f"ip route get {finding['target']['address']} on {source}: src names the address",
        )
    # The one setting of kube-proxy that makes it put in its own address for all.
    if finding["class"] == "cluster_ip" and (clues.before.get(owner, {}).get("kube_proxy") or {}).get(
        "masquerade_all"
    ):
        return (
            f"kube-proxy on {owner} masquerades all calls of services: masqueradeAll is on",
            f"masqueradeAll in kube-proxy's configuration on {owner}",
        )
    # Where pods keep their addresses except towards services, kube-proxy is the one that rewrites.
    if finding["class"] == "cluster_ip" and not clues.any_failed_from("pod_to_pod_other_node", source):
        return (
            f"{owner} does not recognise its pods when they call services: "
            "kube-proxy's clusterCIDR there does not hold the pod network",
            f"clusterCIDR in kube-proxy's configuration on {owner}",
        )
    return f"traffic is masqueraded on the way by {owner}, whose {kind} address it gets", _look(owner, clues)


def _look(node: str, clues: Clues) -> str:
    rules = clues.on(node).get("masquerade")
    listed = f"; rules that masquerade there: {' | '.join(rules[:3])}" if rules else ""
    return f"nat postrouting on {node} (nft list ruleset){listed}"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
