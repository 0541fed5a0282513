"""The checks of the cases: every kind of peer on the subject's own node and on another, every port."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from flatnet.check.facts import Cluster, Pod, pod_of
from flatnet.check.model import SILENCE, Check, Endpoint, Json, Settings
from flatnet.check.part import Part
from flatnet.check.policy.cases import (
    CASES,
    CHANGED,
    CLOSED,
    FRIEND,
    HTTP,
    PEERS,
    POD,
    PORTS,
    STRANGER,
    SUBJECT,
    Case,
    Known,
)
from flatnet.check.policy.objects import subject_nodes

# Of each direction, the connections that are open while policies change and stay allowed: case, peer, port.
KEPT = ("added", FRIEND, HTTP)


@dataclass(frozen=True)
class PolicyCluster:
    """The cluster, with the peers by (node, kind of peer) and the subjects by name.

    message: what was said when not all of them became ready, "" when they did.
    """

    cluster: Cluster
    peers: Mapping[tuple[str, str], Pod]
    subjects: Mapping[str, Pod]
    message: str = ""

    def known(self) -> Known:
        """Return what the policies need to know."""
        strangers = [
            address
            for (_, peer), pod in sorted(self.peers.items())
            if peer == STRANGER
            for address in pod.addresses
        ]
        return Known(tuple(self.cluster.plan["pod_cidrs"]), tuple(strangers))


def policy_cluster(cluster: Cluster, pods: Iterable[Json], message: str = "") -> PolicyCluster:
    """Return the cluster with the pods of the cases, as cluster_objects returns them.

    message: what was said when not all of them became ready.
    """
    names = {cluster.plan["nodes"][node]["name"]: node for node in cluster.plan["nodes"]}
    peers: dict[tuple[str, str], Pod] = {}
    subjects: dict[str, Pod] = {}
    for pod in pods:
        labels = pod.get("labels") or {}
        node = names.get(pod.get("node") or "")
        if SUBJECT in labels:
            subjects[labels[SUBJECT]] = pod_of(pod, message)
        elif node and POD in labels:
            peers[node, labels[POD]] = pod_of(pod, message)
    return PolicyCluster(cluster, peers, subjects, message)


def policy_part(policy: PolicyCluster, settings: Settings, node: str, step: str) -> list[Check]:
    """Return the checks of a step that leave a node."""
    return [
        check
        for family in policy.cluster.families
        for case in CASES
        for check in _checks(policy, Part(policy.cluster, settings, node, family), case, step)
    ]


def _checks(policy: PolicyCluster, part: Part, case: Case, step: str) -> Iterator[Check]:
    nodes = policy.cluster.nodes
    own = subject_nodes(nodes)[case.name]
    following = nodes[(nodes.index(own) + 1) % len(nodes)]
    for node in dict.fromkeys((own, following)):
        for peer in PEERS:
            other = _End(node, peer, policy.peers.get((node, peer)))
            subject = _End(own, case.name, policy.subjects.get(case.name))
            source, target = (other, subject) if case.direction == "ingress" else (subject, other)
            if source.node != part.node:
                continue
            problem = source.problem(part.family, policy.message) or target.problem(
                part.family, policy.message
            )
            for port in PORTS:
                address = source.endpoint(part.family)["address"]
                allowed = (peer, port) in case.reach_in(step)
                yield part.check(
                    "policy",
                    source.endpoint(part.family),
                    target.endpoint(part.family),
                    {**_connect(source, target.endpoint(part.family), port), **_hold(case, peer, port, step)},
                    expected=[address] if allowed else list(SILENCE),
                    protocol=PORTS[port][0].lower(),
                    problem=problem,
                    label=f"{step}/{case.direction}-{case.name}-{peer}-{port}",
                )


@dataclass(frozen=True)
class _End:
    """One end of a connection; `pod` is None where there is none."""

    node: str
    name: str
    pod: Pod | None

    def endpoint(self, family: str) -> Endpoint:
        address = self.pod.address(family) if self.pod else ""
        return {"kind": "pod", "node": self.node, "name": self.name, "address": address}

    def problem(self, family: str, message: str) -> str:
        """Return why the pod cannot take part, "" when it can."""
        if self.pod is None:
            why = f": {message}" if message else ""
            return f"there is no pod {self.name} of the policy check on {self.node}{why}"
        if self.pod.problem:
            return f"pod {self.pod.name} on {self.node} is not ready: {self.pod.problem}"
        return (
            "" if self.pod.address(family) else f"pod {self.pod.name} on {self.node} has no {family} address"
        )


def _connect(source: _End, target: Endpoint, port: str) -> Json:
    transport, number = PORTS[port]
    return {
        "method": "connect",
        "pod_uid": source.pod.uid if source.pod else "",
        "host": target["address"],
        "port": number,
        "transport": transport.lower(),
    }


def _hold(case: Case, peer: str, port: str, step: str) -> Json:
    """Return what keeps a connection open that outlasts the change, and what asks on it after that."""
    if (case.name, peer, port) != KEPT:
        return {}
    return {CLOSED: {"hold": "keep"}, CHANGED: {"hold": "use"}}.get(step, {})
