"""The cases: each is a NetworkPolicy for pods of its own, and who may still reach what.

The rules are those of the API (networking.k8s.io/v1, NetworkPolicySpec) and of
https://kubernetes.io/docs/concepts/services-networking/network-policies/: a pod that a policy of a direction
selects is isolated in that direction, and what several policies allow adds up.

Peers are the other end of a subject's connections; there is one of each kind on every node:
friend and stranger in the subjects' own namespace, outsider in another one, with the same labels as a friend.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal

from flatnet.check.model import Json

FRIEND, STRANGER, OUTSIDER = "friend", "stranger", "outsider"
PEERS = (FRIEND, STRANGER, OUTSIDER)
# Ports of every pod by name: transport and number. The two of TCP belong to two containers.
HTTP, UDP, SECOND = "http", "udp", "second"
PORTS: Mapping[str, tuple[str, int]] = {HTTP: ("TCP", 8080), UDP: ("UDP", 8081), SECOND: ("TCP", 8082)}
# Labels: what a policy chooses peers by, whom it selects, another namespace; and all pods of the cases.
ROLE, SUBJECT, OUTSIDE = "flatnet/policy-role", "flatnet/policy-subject", "flatnet/policy-outside"
POD = "flatnet/policy-pod"
OPEN, CLOSED, CHANGED = STEPS = ("open", "closed", "changed")

Direction = Literal["ingress", "egress"]
Reach = frozenset[tuple[str, str]]
ALL: Reach = frozenset((peer, port) for peer in PEERS for port in PORTS)
NOTHING: Reach = frozenset()


@dataclass(frozen=True)
class Known:
    """What policies need to know of a running cluster: pools and the addresses of the strangers."""

    pod_cidrs: tuple[str, ...]
    strangers: tuple[str, ...]


Rules = Callable[[Known], list[Json] | None]


@dataclass(frozen=True)
class Case:
    """One case.

    name: part of the object's name and of the checks' ids. allows: what the policy leaves, in words that end
    "allows only ...". rules: the policy's `ingress` or `egress`, None where there shall be no policy.
    reach: who may still connect to which port (ingress), or be connected to (egress).
    changed: rules and reach after the change, where they differ. denied: whether another policy selects the
    same pods and allows nothing, as one that denies by default does: it takes nothing from what others allow.
    """

    name: str
    direction: Direction
    allows: str
    rules: Rules
    reach: Reach
    changed: tuple[Rules, Reach] | None = None
    denied: bool = False

    def rules_in(self, step: str) -> Rules:
        """Return the rules of a step."""
        if step == OPEN:
            return _without
        return self.changed[0] if step == CHANGED and self.changed else self.rules

    def reach_in(self, step: str) -> Reach:
        """Return who may connect in a step; before there are policies, everybody may."""
        if step == OPEN:
            return ALL
        return self.changed[1] if step == CHANGED and self.changed else self.reach


def _without(known: Known) -> None:
    del known


def _rules(*rules: Json) -> Rules:
    def made(known: Known) -> list[Json]:
        del known
        return list(rules)

    return made


def _address_block(key: str) -> Rules:
    """Return rules for everybody in the pools but the strangers, by family."""

    def made(known: Known) -> list[Json]:
        blocks = []
        for cidr in known.pod_cidrs:
            strangers = [one for one in known.strangers if (":" in one) == (":" in cidr)]
            length = 128 if ":" in cidr else 32
            inside = [f"{address}/{length}" for address in strangers if _is_inside(address, cidr)]
            blocks.append({"ipBlock": {"cidr": cidr, **({"except": inside} if inside else {})}})
        return [{key: blocks}]

    return made


def _is_inside(address: str, cidr: str) -> bool:
    return ip_address(address) in ip_network(cidr)


def _to(peers: Iterable[str] = PEERS, ports: Iterable[str] = PORTS) -> Reach:
    wanted = set(ports)
    return frozenset((peer, port) for peer in peers for port in wanted)


def _cases(direction: Direction) -> list[Case]:
    key = "from" if direction == "ingress" else "to"
    friend = {"podSelector": {"matchLabels": {ROLE: FRIEND}}}
    stranger = {"podSelector": {"matchLabels": {ROLE: STRANGER}}}
    outside = {"namespaceSelector": {"matchLabels": {OUTSIDE: "true"}}}
    own_strangers = {
        **stranger,
        "namespaceSelector": {"matchExpressions": [{"key": OUTSIDE, "operator": "DoesNotExist"}]},
    }
    tcp = {"protocol": "TCP", "port": PORTS[HTTP][1]}
    to_friend = _rules({key: [friend]})
    return [
        Case("deny", direction, "nothing at all", _rules(), NOTHING, (_without, ALL)),
        Case(
            "pod",
            direction,
            "pods by their labels",
            to_friend,
            _to([FRIEND]),
            (_rules({key: [stranger]}), _to([STRANGER])),
            denied=True,
        ),
        Case("namespace", direction, "pods of a namespace", _rules({key: [outside]}), _to([OUTSIDER])),
        Case(
            "pod-in-namespace",
            direction,
            "pods by their labels in a namespace",
            _rules({key: [own_strangers]}),
            _to([STRANGER]),
            (_rules({key: [{**friend, **outside}]}), _to([OUTSIDER])),
        ),
        Case("port", direction, "one port", _rules({"ports": [tcp]}), _to(ports=[HTTP])),
        Case(
            "named-port",
            direction,
            "a port by its name",
            _rules({"ports": [{"protocol": "TCP", "port": SECOND}]}),
            _to(ports=[SECOND]),
        ),
        # It begins at the number of the UDP port, whose protocol it does not name, and ends at another's.
        Case(
            "port-range",
            direction,
            "a range of ports",
            _rules({"ports": [{**tcp, "port": PORTS[UDP][1], "endPort": PORTS[SECOND][1]}]}),
            _to(ports=[SECOND]),
            (_rules({"ports": [{**tcp, "endPort": PORTS[SECOND][1]}]}), _to(ports=[HTTP, SECOND])),
        ),
        Case(
            "udp",
            direction,
            "a port over UDP",
            _rules({"ports": [{"protocol": "UDP", "port": PORTS[UDP][1]}]}),
            _to(ports=[UDP]),
        ),
        Case(
            "block",
            direction,
            "a block of addresses with exceptions",
            _address_block(key),
            _to([FRIEND, OUTSIDER]),
        ),
        # What is added adds up, and what was allowed before stays: connections that are open, too.
        Case(
            "added",
            direction,
            "pods by their labels on one port",
            _rules({key: [friend], "ports": [tcp]}),
            _to([FRIEND], [HTTP]),
            (
                _rules({key: [friend], "ports": [tcp]}, {key: [outside], "ports": [{"port": SECOND}]}),
                _to([FRIEND], [HTTP]) | _to([OUTSIDER], [SECOND]),
            ),
        ),
        # A rule that names nobody means everybody.
        Case("allow", direction, "everybody", _rules({}), ALL, (_rules(), NOTHING)),
    ]


CASES: tuple[Case, ...] = (*_cases("ingress"), *_cases("egress"))
