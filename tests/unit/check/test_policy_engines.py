"""Engines with one defect each: the check finds it, and finds nothing wrong with one that has none."""

import copy
from collections.abc import Callable, Iterator

import pytest
from check_example import SETTINGS, right, wrong
from policy_cases import NAMES, NODES, Api, policies_cluster, policy_checks, ports_of, running

from flatnet.check.findings import findings
from flatnet.check.model import Check, Json
from flatnet.check.policy.cases import CHANGED, CLOSED, STEPS
from flatnet.check.policy.objects import policies, policy_pods

# What an engine makes of the policies that the API has, in place.
Reading = Callable[[list[Json]], object]


def _failed(reading: Reading, late: bool = False) -> set[str]:
    """Return the cases of which checks fail, with their direction. late: whether changes are not heeded."""
    cluster, objects = policies_cluster(), policy_pods(SETTINGS, NAMES)
    made: list[Check] = []
    probes: dict[str, Json] = {node: {"results": []} for node in NODES}
    for step in STEPS:
        applied = policies(SETTINGS, cluster.known(), CLOSED if late and step == CHANGED else step)
        understood = copy.deepcopy(applied)
        reading(understood)
        api = Api(objects, running(objects, NAMES), understood)
        for check in policy_checks(cluster, step):
            source, target = check["source"]["address"], check["target"]["address"]
            passes = api.lets_through(source, target, ports_of(objects)[check["how"]["port"]])
            made.append(check)
            result = wrong(check, observed=source) if passes else wrong(check, error="refused")
            is_right = (source in check["expected"]) == passes
            probes[check["source"]["node"]]["results"].append(right(check) if is_right else result)
    found = [one["id"] for one in findings(cluster.cluster, made, probes) if not one["ok"]]
    return {name.split("/")[4].rsplit("-", 2)[0] for name in found}


def _rules(applied: list[Json]) -> Iterator[Json]:
    for policy in applied:
        yield from policy["spec"].get("ingress") or policy["spec"].get("egress") or ()


def _peers(applied: list[Json]) -> Iterator[Json]:
    for rule in _rules(applied):
        yield from rule.get("from") or rule.get("to") or ()


def _ports(applied: list[Json]) -> Iterator[Json]:
    for rule in _rules(applied):
        yield from rule.get("ports") or ()


def _nothing(applied: list[Json]) -> None:
    del applied


def _no_ranges(applied: list[Json]) -> None:
    for port in _ports(applied):
        port.pop("endPort", None)


def _no_exceptions(applied: list[Json]) -> None:
    for peer in _peers(applied):
        peer.get("ipBlock", {}).pop("except", None)


def _no_protocols(applied: list[Json]) -> None:
    for port in _ports(applied):
        port.pop("protocol", None)


def _no_names_of_ports(applied: list[Json]) -> None:
    for rule in _rules(applied):
        rule["ports"] = [port for port in rule.get("ports", ()) if not isinstance(port["port"], str)]


def _no_ports(applied: list[Json]) -> None:
    for rule in _rules(applied):
        rule.pop("ports", None)


def _no_namespaces(applied: list[Json]) -> None:
    for peer in _peers(applied):
        peer.pop("namespaceSelector", None)


def _any_namespace(applied: list[Json]) -> None:
    for peer in _peers(applied):
        if "ipBlock" not in peer:
            peer["namespaceSelector"] = {}


def _no_labels_of_pods(applied: list[Json]) -> None:
    for peer in _peers(applied):
        if "podSelector" in peer:
            peer["podSelector"] = {}


def _pods_or_namespaces(applied: list[Json]) -> None:
    for rule in _rules(applied):
        key = "from" if "from" in rule else "to"
        if key in rule:
            rule[key] = [{name: one} for peer in rule[key] for name, one in peer.items()]


def _first_rule_alone(applied: list[Json]) -> None:
    for policy in applied:
        direction = policy["spec"]["policyTypes"][0].lower()
        policy["spec"][direction] = policy["spec"][direction][:1]


def _last_policy_alone(applied: list[Json]) -> None:
    def selects(policy: Json) -> object:
        return policy["spec"]["policyTypes"], policy["spec"]["podSelector"]

    last = [
        one
        for at, one in enumerate(applied)
        if all(selects(one) != selects(two) for two in applied[at + 1 :])
    ]
    applied[:] = last


def _of(kind: str) -> Reading:
    def reading(applied: list[Json]) -> None:
        applied[:] = [policy for policy in applied if policy["spec"]["policyTypes"] == [kind]]

    return reading


def _nobody_allowed(applied: list[Json]) -> None:
    for policy in applied:
        policy["spec"][policy["spec"]["policyTypes"][0].lower()] = []


def _none_without_rules(applied: list[Json]) -> None:
    applied[:] = [policy for policy in applied if list(_rules([policy]))]


EVERY = {
    "deny",
    "pod",
    "namespace",
    "pod-in-namespace",
    "port",
    "named-port",
    "port-range",
    "udp",
    "block",
    "added",
}


@pytest.mark.parametrize(
    ("reading", "cases"),
    [
        (_nothing, set()),
        (_no_ranges, {"port-range"}),
        (_no_exceptions, {"block"}),
        (_no_protocols, {"udp"}),
        (_no_names_of_ports, {"named-port", "added"}),
        (_no_ports, {"port", "named-port", "port-range", "udp", "added"}),
        (_no_namespaces, {"namespace", "pod-in-namespace", "added"}),
        (_any_namespace, {"pod", "namespace", "pod-in-namespace", "added"}),
        (_no_labels_of_pods, {"pod", "pod-in-namespace", "added"}),
        (_pods_or_namespaces, {"pod-in-namespace"}),
        (_first_rule_alone, {"added"}),
        (_last_policy_alone, {"pod"}),
        (_nobody_allowed, (EVERY | {"allow"}) - {"deny"}),
        (_none_without_rules, {"deny", "allow"}),
    ],
    ids=lambda value: getattr(value, "__name__", "").lstrip("_"),
)
def test_a_defect_of_an_engine_fails_the_cases_that_are_about_it(reading: Reading, cases: set[str]) -> None:
    assert _failed(reading) == {
        f"{direction}-{case}" for direction in ("ingress", "egress") for case in cases
    }


@pytest.mark.parametrize("kind", ["Ingress", "Egress"])
def test_an_engine_of_one_direction_fails_all_of_the_other(kind: str) -> None:
    other = {"Ingress": "egress", "Egress": "ingress"}[kind]
    assert _failed(_of(kind)) == {f"{other}-{case}" for case in EVERY | {"allow"}}


def test_an_engine_that_heeds_no_change_fails_what_changes() -> None:
    cases = {"deny", "pod", "pod-in-namespace", "port-range", "added", "allow"}
    assert _failed(_nothing, late=True) == {
        f"{direction}-{case}" for direction in ("ingress", "egress") for case in cases
    }
