"""What a failed check says about the network: its likely cause and where to look.

A diagnosis is a guess from the symptom, from what else failed, and from the evidence of the hosts. The rules
are tried in order and the first that recognises the failure names it. The cause is the same text for all
failures that share it, so that a report can group them.
"""

from collections.abc import Callable, Sequence

from flatnet.check.clues import BASE_CLASSES, Clues, Diagnosis, ends
from flatnet.check.diagnosis_answers import (
    bridge_bypass,
    cut_off,
    forwarding,
    hairpin_mode,
    not_translated,
    protocol,
    route,
    source_pod_unreachable,
    underlay,
)
from flatnet.check.diagnosis_hosts import filtered, neighbour
from flatnet.check.diagnosis_policy import policy_not_enforced
from flatnet.check.diagnosis_sources import rewritten
from flatnet.check.hosts.fault import SERVICE_CLASSES
from flatnet.check.hosts.node import CONTROL_PLANE
from flatnet.check.model import Finding

# The words of Go's resolver for NXDOMAIN and SERVFAIL, in which a probe pod reports its lookup.
_UNKNOWN_NAMES = ("no such host", "server misbehaving")


def explain(findings: Sequence[Finding], clues: Clues) -> None:
    """Fill in cause and look of every failed finding, those first that others follow from."""
    failed = [finding for finding in findings if not finding["ok"]]
    for finding in sorted(failed, key=_rank):
        diagnosis = diagnose(finding, clues)
        finding["cause"], finding["look"] = diagnosis
        clues.remember(finding, diagnosis)


def _rank(finding: Finding) -> int:
    if finding["class"] in BASE_CLASSES:
        return 0
    return 1 if finding["class"] == "packet_loss" else 2


def diagnose(finding: Finding, clues: Clues) -> Diagnosis:
    """Return (cause, where to look) of a failed check."""
    for rule in _RULES:
        diagnosis = rule(finding, clues)
        if diagnosis:
            return diagnosis
    source, target = ends(finding)
    what = "no answer" if finding["error"] else "a wrong answer"
    return (
        f"{what} from {target} to {source}, for a reason that the evidence does not show",
        f"tcpdump -ni any host {finding['target']['address'] or target} on {source}",
    )


def _not_made(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Lay to a host that could not be reached what it did not do, and that others do not reach it either."""
    if finding["error"] == "not made":
        return finding["detail"], f"ansible -m ping {finding['source']['node'] or finding['target']['node']}"
    for node in ends(finding) if finding["error"] else ():
        if node in clues.absent:
            return clues.absent[node], f"ansible -m ping {node}"
    return None


def _faulty_node(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Lay a failure to what is wrong with a node that takes part in it; and name that itself."""
    for node in dict.fromkeys(ends(finding)):
        for fault in clues.faults.get(node, ()):
            named = finding["class"] == "host_state" and finding["observed"] == fault.cause
            if named or (finding["class"] != "host_state" and fault.explains(finding)):
                return fault.diagnosis
    return None


def _no_control_plane(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Lay it to a control plane of which something does not run that there are no probes, on any node.

    Nor has the Service that DNS is asked for, a new one, endpoints then.
    """
    is_new_name = finding["class"] == "dns_service" and finding["error"] not in ("", "none")
    if finding["class"] != "api_server" and finding["error"] != "none" and not is_new_name:
        return None
    for fault in (fault for faults in clues.faults.values() for fault in faults):
        if fault.subject == "units" and fault.cause.partition(" ")[0] in CONTROL_PLANE:
            return fault.diagnosis
    if is_new_name or (finding["class"] != "api_server" and not clues.api_problem):
        return None
    # A namespace that does not go is no matter of the API server, but of who empties it.
    what = (
        "there can be no probes"
        if clues.api_problem.startswith("Namespace ")
        else "the API server does not answer"
    )
    return (
        f"{what}: {clues.api_problem}",
        "journalctl -u kube-apiserver -u etcd on the hosts of the control plane",
    )


def _no_dns_pods(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Lay what DNS does not answer to its having no pods; and name that itself."""
    look = "kubectl -n kube-system get deployments,services,pods -o wide -l k8s-app=kube-dns"
    if finding["class"] == "dns_pods":
        return finding["observed"], look
    asks_dns = finding["class"] in ("dns_service", "dns_outside_refused")
    return (clues.dns_problem, look) if asks_dns and clues.dns_problem else None


def _no_pod(finding: Finding, clues: Clues) -> Diagnosis | None:
    del clues
    if finding["error"] != "none":
        return None
    return finding["detail"], "kubectl get pods -o wide; journalctl -u kubelet -u containerd on the node"


def _lost_pods(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the pods that lost their link: a CNI plugin is called once for a pod, so nothing restores it."""
    del clues
    if finding["class"] != "running_pods":
        return None
    node = finding["source"]["node"]
    if finding["error"] != "lost":
        uids = "kubectl get pods --all-namespaces --output custom-columns=:.metadata.uid,:.metadata.name"
        return f"the pods of {node} are not known: {finding['detail']}", uids
    return (
        f"pods of {node} are not connected to it: {finding['detail']}",
        "kubectl delete pod: what its controller makes in its place is connected again",
    )


def _lost_host_ports(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name host ports whose rules are gone: portmap is called once for a pod, so nothing restores them."""
    node = finding["target"]["node"]
    if finding["class"] not in ("host_port", "running_host_ports") or node not in clues.lost_host_ports:
        return None
    return (
        f"host ports of pods of {node} do not answer: {clues.lost_host_ports[node]}",
        f"portmap in /etc/cni/net.d on {node}; what took its rules away, as the start of a firewall does: "
        "kubectl delete pod makes them anew",
    )


def _foreign_address(finding: Finding, clues: Clues) -> Diagnosis | None:
    if finding["class"] != "planned_address":
        return None
    node = finding["source"]["node"]
    files = clues.on(node).get("cni_files")
    listed = f" ({node} has {', '.join(files)})" if files else ""
    whose = "its pod network" if clues.cluster.plan["backend"]["ipam"] == "plan" else "the pod networks"
    return (
        f"pods of {node} get addresses outside {whose} {' or '.join(finding['expected'])}: "
        f"another CNI configuration is in force{listed}",
        f"ls /etc/cni/net.d on {node}: the first file in order of names is the one in force",
    )


def _shared_address(finding: Finding, clues: Clues) -> Diagnosis | None:
    if finding["class"] != "unique_address":
        return None
    backend = clues.cluster.plan["backend"]["name"]
    return (
        f"pods of different nodes have one address: {finding['source']['name']} on "
        f"{finding['source']['node']} has {finding['observed']}",
        f"kubectl get pods --all-namespaces -o wide; what {backend} has handed out, and to which node",
    )


def _mtu(finding: Finding, clues: Clues) -> Diagnosis | None:
    source, target = ends(finding)
    for node in (source, target) if finding["class"] in ("pod_mtu", "large_packets") else ():
        if node in clues.mtus:
            return (
                f"pods of {node} have MTU {clues.mtus[node]}, the plan says {clues.cluster.plan['mtu']}",
                f"mtu in /etc/cni/net.d on {node}; pods that run since before the change keep the former MTU",
            )
    if finding["class"] != "large_packets" or finding["error"] == "source":
        return None
    if not clues.has_passed("pod_to_pod_other_node", "http", source, target):
        return None
    # Where some get through, size is not the matter.
    if not finding["error"] and finding["protocol"] == "icmp":
        return None
    dropped = filtered(finding, clues)
    if dropped:
        return dropped
    address = clues.cluster.node_address(target, finding["family"])
    look = f"on {source}: ip link; ping -M do -s {clues.cluster.plan['mtu'] - 28} {address}"
    node = clues.common_node("large_packets")
    way = f"through {node}" if node else f"from {source} to {target}"
    return f"small packets pass {way}, full-sized ones do not: the MTU is too large", look


def _loss(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name where packets get lost: of all, not of those of one check."""
    source, target = ends(finding)
    if finding["class"] not in ("packet_loss", "large_packets") or finding["error"]:
        return None
    node = clues.common_node("packet_loss")
    where = f"on the way to and from {node}" if node else f"between {' and '.join(sorted((source, target)))}"
    return (
        f"packets get lost {where}",
        f"ip -statistics link on both ends: errors and drops; tc qdisc; cables, switches, a duplex of "
        f"{node or source}",
    )


def _own_address(finding: Finding, clues: Clues) -> Diagnosis | None:
    del clues
    if finding["class"] not in ("pod_own_address", "pod_mtu"):
        return None
    node, pod = finding["source"]["node"], finding["source"]["name"]
    look = f"ip address in the network namespace of {pod} on {node}"
    if finding["error"]:
        return f"{pod} on {node} cannot be inspected: {finding['detail']}", look
    known = " or ".join(finding["expected"])
    return (
        f"{pod} on {node} has {finding['observed']} on its interface, the cluster knows it as {known}",
        look,
    )


def _follow_on(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Blame what is below: a service cannot work where its pods are not reached, which may be on any node."""
    if finding["class"] in BASE_CLASSES or not finding["error"] or finding["error"] == "refused":
        return None
    own = next((clues.roots[node] for node in ends(finding) if node in clues.roots), None)
    if own or finding["target"]["node"] or finding["class"] not in SERVICE_CLASSES:
        return own
    return next(iter(clues.roots.values()), None)


def _lost_on_the_way(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Lay an answer of a service that did not come to the packets that get lost; its pods are on any node."""
    if finding["error"] != "timeout" or finding["class"] not in SERVICE_CLASSES or not clues.losses:
        return None
    own = next((clues.losses[node] for node in ends(finding) if node in clues.losses), None)
    return own or next(iter(clues.losses.values()))


def _dead_upstream(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the servers that DNS forwards to and that do not answer; names outside the cluster need them."""
    if finding["class"] not in ("dns_upstreams", "dns_outside_refused") or not clues.dead_upstreams:
        return None
    if finding["class"] == "dns_outside_refused" and finding["observed"] not in ("", "SERVFAIL"):
        return None
    dead = next(iter(clues.dead_upstreams.values()))
    whom = (
        f" pods of {' and '.join(sorted(clues.dead_upstreams))}" if clues.any_passed("dns_upstreams") else ""
    )
    return (
        f"CoreDNS forwards names outside the cluster to {dead}, which does not answer{whom}",
        "forward in the ConfigMap coredns of kube-system, which cluster_dns_upstreams makes; "
        "a firewall between the nodes and that server",
    )


def _server_failure(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name what DNS says of a Service that exists when it has not heard of it.

    CoreDNS answers SERVFAIL (RFC 1035, section 4.1.1) until it has read Services from the API server, and
    NXDOMAIN for a new one when it was cut off since; how long it waits before it asks again grows to half a
    minute. Its pods may be on any node, so what is below may have failed elsewhere than at the one who asks.
    """
    if finding["class"] != "dns_service":
        return None
    told = finding["error"] == "name" and any(words in finding["detail"] for words in _UNKNOWN_NAMES)
    if not told and finding["observed"] not in ("SERVFAIL", "NXDOMAIN"):
        return None
    return next(iter(clues.roots.values()), None) or (
        "DNS does not know a Service that exists: CoreDNS has not heard from the API server",
        "the log of the CoreDNS pods; the nodes that they are on",
    )


def _by_class(finding: Finding, clues: Clues) -> Diagnosis | None:
    """Name the part that makes this class of promises come true, where nothing else explains the failure."""
    del clues
    source, target = ends(finding)
    kind = finding["class"]
    if kind in ("cluster_ip", "hairpin"):
        return f"services do not work on {source}", f"journalctl -u kube-proxy on {source}, and its rules"
    if kind in ("node_port", "node_port_from_pod"):
        return (
            f"node ports of {target} do not answer",
            f"journalctl -u kube-proxy on {target}; firewalls on the node port range in front of it",
        )
    if kind == "host_port":
        return (
            f"host ports of {target} do not answer",
            f"portmap in /etc/cni/net.d on {target}, and its rules",
        )
    if kind == "dns_service":
        answered = "names resolve wrongly" if not finding["error"] else "DNS does not answer"
        return (
            f"{answered} on {source}",
            f"the CoreDNS pods and their log; journalctl -u kube-proxy on {source}",
        )
    if kind == "dns_outside_refused":
        seen = finding["observed"] or "no answer"
        return (
            f"a name outside the cluster gives {seen} instead of {finding['expected'][0]}",
            "forward in CoreDNS's Corefile, and network_check_dns_outside",
        )
    return None


_RULES: tuple[Callable[[Finding, Clues], Diagnosis | None], ...] = (
    _not_made,
    _no_control_plane,
    _no_dns_pods,
    _faulty_node,
    _no_pod,
    _lost_pods,
    _lost_host_ports,
    _foreign_address,
    _shared_address,
    policy_not_enforced,
    source_pod_unreachable,
    _mtu,
    _own_address,
    rewritten,
    neighbour,
    underlay,
    forwarding,
    route,
    filtered,
    _loss,
    bridge_bypass,
    protocol,
    cut_off,
    hairpin_mode,
    not_translated,
    _follow_on,
    _lost_on_the_way,
    _dead_upstream,
    _server_failure,
    _by_class,
)
