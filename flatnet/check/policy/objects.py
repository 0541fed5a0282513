"""Pods, namespaces and policies of the cases as Kubernetes objects."""

from collections.abc import Sequence

from flatnet.check.model import Json, Settings
from flatnet.check.objects import agnhost, labelled_namespace, pod_spec, service_account
from flatnet.check.policy.cases import (
    CASES,
    CHANGED,
    HTTP,
    OPEN,
    OUTSIDE,
    OUTSIDER,
    PEERS,
    POD,
    PORTS,
    ROLE,
    SECOND,
    SUBJECT,
    UDP,
    Case,
    Known,
)


def namespaces(settings: Settings) -> list[str]:
    """Return the namespaces of the cases; nothing else is in them."""
    return [_inside(settings), _outside(settings)]


def policy_pods(settings: Settings, nodes: Sequence[str]) -> list[Json]:
    """Return namespaces, a peer of each kind on every node, and the subjects, in turn on the nodes.

    nodes: names of the Node objects. A subject serves two cases, one of each direction.
    """
    return [
        labelled_namespace(_inside(settings)),
        labelled_namespace(_outside(settings), {OUTSIDE: "true"}),
        *(service_account(namespace) for namespace in namespaces(settings)),
        *(_peer(settings, peer) for peer in PEERS),
        *(_subject(settings, name, node) for name, node in subject_nodes(nodes).items()),
    ]


def subject_nodes(nodes: Sequence[str]) -> dict[str, str]:
    """Return the node of each pod that policies select, by the pod's name."""
    names = dict.fromkeys(case.name for case in CASES)
    return {name: nodes[index % len(nodes)] for index, name in enumerate(names)}


def policies(settings: Settings, known: Known, step: str) -> list[Json]:
    """Return the policies of a step."""
    made = ((case, case.rules_in(step)(known)) for case in CASES)
    found = [_policy(settings, case, rules) for case, rules in made if rules is not None]
    beside = [case for case in CASES if case.denied and step != OPEN]
    return found + [_policy(settings, case, [], f"{policy_name(case)}-denied") for case in beside]


def lifted(settings: Settings, known: Known) -> list[Json]:
    """Return the policies that the change takes away."""
    kept = {policy["metadata"]["name"] for policy in policies(settings, known, CHANGED)}
    return [_policy(settings, case, []) for case in CASES if policy_name(case) not in kept]


def policy_name(case: Case) -> str:
    """Return the name of a case's policy."""
    return f"{case.direction}-{case.name}"


def _policy(settings: Settings, case: Case, rules: list[Json], name: str = "") -> Json:
    kind = case.direction.capitalize()
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name or policy_name(case), "namespace": _inside(settings)},
        "spec": {
            "podSelector": {"matchLabels": {SUBJECT: case.name}},
            "policyTypes": [kind],
            case.direction: rules,
        },
    }


def _inside(settings: Settings) -> str:
    return f"{settings.namespace}-policy"


def _outside(settings: Settings) -> str:
    return f"{settings.namespace}-policy-outside"


def _peer(settings: Settings, peer: str) -> Json:
    # An outsider has the labels of a friend: only its namespace tells them apart.
    role = "friend" if peer == OUTSIDER else peer
    labels = {POD: peer, ROLE: role}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": peer,
            "namespace": _outside(settings) if peer == OUTSIDER else _inside(settings),
        },
        "spec": {
            "selector": {"matchLabels": {POD: peer}},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(_containers(settings))},
        },
    }


def _subject(settings: Settings, name: str, node: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": _inside(settings),
            "labels": {POD: "subject", SUBJECT: name},
        },
        "spec": {**pod_spec(_containers(settings)), "nodeName": node},
    }


def _containers(settings: Settings) -> list[Json]:
    http, udp, second = (PORTS[name][1] for name in (HTTP, UDP, SECOND))
    return [
        agnhost(
            settings,
            "first",
            [f"--http-port={http}", f"--udp-port={udp}"],
            # It answers only after the UDP server listens too. No policy forbids the node itself to ask.
            {"httpGet": {"path": "/readyz", "port": HTTP}},
            [
                {"name": HTTP, "containerPort": http, "protocol": "TCP"},
                {"name": UDP, "containerPort": udp, "protocol": "UDP"},
            ],
        ),
        agnhost(
            settings,
            "second",
            [f"--http-port={second}", "--udp-port=-1"],
            {"tcpSocket": {"port": SECOND}},
            [{"name": SECOND, "containerPort": second, "protocol": "TCP"}],
        ),
    ]
