"""Diagnoses of network policies: who lets through what they deny, and who cuts off what they allow."""

from flatnet.check.clues import Clues, Diagnosis, ends
from flatnet.check.hosts.fault import BRIDGED_SETTINGS
from flatnet.check.model import SILENCE, Finding
from flatnet.check.policy.cases import CASES, OPEN

_ALLOWS = {f"{case.direction}-{case.name}": case.allows for case in CASES}


def policy_not_enforced(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the node that should have enforced a policy, and what the policy allows."""
    if finding["class"] == "network_policies":
        return (
            f"nobody enforces the NetworkPolicy objects in this cluster: {finding['observed']}",
            "cluster_network_policy_engine; kubectl get networkpolicies --all-namespaces",
        )
    if finding["class"] != "policy" or finding["error"] in ("source", "none", "not made"):
        return None
    source, target = ends(finding)
    step, policy, peer, _ = _label(finding)
    # A policy is enforced where its pods are.
    node = target if policy.startswith("ingress") else source
    engine = clues.cluster.policy_engine
    look = f"the log of {engine} on {node}; NetworkPolicy {policy} in docs/verify.md"
    if step == OPEN:
        return (
            f"pods of {source} and {target} do not reach each other although no policy selects them",
            f"kubectl get networkpolicies --all-namespaces; the log of {engine} on {source} and {target}",
        )
    allows = f"a policy that allows {_ALLOWS[policy]} ({policy})"
    if set(finding["expected"]) <= set(SILENCE):
        setting = BRIDGED_SETTINGS[finding["family"]]
        if (clues.before.get(node, {}).get("settings") or {}).get(setting) == "0":
            return (
                f"bridged packets pass the rules of {engine} by on {node}: {setting} is 0",
                f"sysctl {setting} on {node}, and who sets it: grep -r bridge-nf /etc/sysctl.d",
            )
        if clues.lets_everything_through(node):
            return f"{engine} enforces no NetworkPolicy on {node}", look
        return f"{engine} lets a {peer} through on {node} in spite of {allows}", look
    if finding["error"]:
        return f"{engine} cuts off a {peer} on {node} in spite of {allows}", look
    return f"{engine} on {node} changes the source address of what {allows} lets through", look


def _label(finding: Finding) -> tuple[str, str, str, str]:
    """Return step, name of the policy, peer and port: what tells checks of the class apart."""
    step, rest = finding["id"].split("/")[3:5]
    policy, peer, port = rest.rsplit("-", 2)
    return step, policy, peer, port
