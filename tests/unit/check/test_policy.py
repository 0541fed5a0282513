"""The cases of network policies: what they expect is what the API says of their objects."""

from collections.abc import Mapping, Sequence

import pytest
from check_example import SETTINGS, cluster, right, wrong
from check_symptoms import Symptom
from policy_cases import NAMES, NODES, Api, policies_cluster, policy_checks, ports_of, running

from flatnet.check.cluster_state import cluster_checks
from flatnet.check.facts import Cluster
from flatnet.check.findings import findings
from flatnet.check.model import SILENCE, Check, Finding, Json, Result
from flatnet.check.policy.cases import CASES, POD, STEPS, SUBJECT
from flatnet.check.policy.matrix import policy_cluster
from flatnet.check.policy.objects import lifted, policies, policy_pods
from flatnet.check.report import difference


@pytest.mark.parametrize("step", STEPS)
def test_the_cases_expect_what_the_api_says_of_their_objects(step: str) -> None:
    policy = policies_cluster()
    objects = policy_pods(SETTINGS, NAMES)
    ports = ports_of(objects)
    applied = policies(SETTINGS, policy.known(), step)
    api = Api(objects, running(objects, NAMES), applied)
    made = policy_checks(policy, step)
    for check in made:
        source, target = check["source"]["address"], check["target"]["address"]
        allowed = api.lets_through(source, target, ports[check["how"]["port"]])
        assert check["expected"] == ([source] if allowed else list(SILENCE)), check["id"]
    # 22 cases, 3 peers, 3 ports, the subject's own node and another.
    assert len({check["id"] for check in made}) == 22 * 3 * 3 * 2


def test_what_a_policy_denies_has_passed_before_and_something_passes_beside_it() -> None:
    policy = policies_cluster()
    steps = {
        step: {tuple(check["id"].split("/", 4)[4:]): check for check in policy_checks(policy, step)}
        for step in STEPS
    }
    denied = {key for key, check in steps["closed"].items() if check["expected"] == list(SILENCE)}
    assert all(steps["open"][key]["expected"] != list(SILENCE) for key in denied)
    for case in CASES:
        reach = case.reach_in("closed")
        assert case.name == "deny" or reach, case
        # What allows everything denies it after the change.
        assert (case.reach_in("changed") if case.name == "allow" else reach) < case.reach_in("open")


def test_the_change_takes_away_what_no_longer_is_and_keeps_a_connection_that_stays_allowed() -> None:
    policy = policies_cluster()
    gone = {item["metadata"]["name"] for item in lifted(SETTINGS, policy.known())}
    assert gone == {"ingress-deny", "egress-deny"}
    held = {
        step: [check for check in policy_checks(policy, step) if "hold" in check["how"]] for step in STEPS
    }
    assert {step: {check["how"]["hold"] for check in made} for step, made in held.items()} == {
        "open": set(),
        "closed": {"keep"},
        "changed": {"use"},
    }
    # To and from the subject, each with a peer on its own node and one on another.
    assert len(held["closed"]) == len(held["changed"]) == 4
    # One process writes down how one of them goes, on the host that it leaves.
    assert len({(check["source"]["node"], check["how"]["host"]) for check in held["closed"]}) == 4
    assert all(check["expected"] == [check["source"]["address"]] for made in held.values() for check in made)


def test_pods_that_did_not_start_prove_nothing() -> None:
    facts = cluster()
    policy = policy_cluster(facts, [], "1 of 19 pods are ready")
    assert {check["how"]["method"] for check in policy_checks(policy, "closed")} == {"none"}
    assert "1 of 19 pods are ready" in policy_checks(policy, "closed")[0]["how"]["reason"]


def test_a_cluster_of_one_node_has_its_policies_checked_on_it() -> None:
    policy = policies_cluster(nodes=1)
    assert {check["target"]["node"] for check in policy_checks(policy, "closed")} == {"node-0"}


def test_no_pod_of_the_cases_is_outside_of_the_two_namespaces_that_are_removed() -> None:
    objects = policy_pods(SETTINGS, NAMES)
    own = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    assert own == {"flatnet-check-policy", "flatnet-check-policy-outside"}
    inside = [item for item in objects if item["kind"] != "Namespace"]
    assert {item["metadata"]["namespace"] for item in inside} == own
    for item in inside:
        labels = item["metadata"].get("labels") or item.get("spec", {}).get("template", {}).get(
            "metadata", {}
        ).get("labels", {})
        assert item["kind"] == "ServiceAccount" or labels[POD] == "subject" or SUBJECT not in labels


def _run(
    symptom: Symptom,
    engine: str = "calico",
    states: Mapping[str, Json] | None = None,
    units: Sequence[str] = (),
) -> list[Finding]:
    policy = policies_cluster(engine, units=units)
    made = [check for step in STEPS for check in policy_checks(policy, step)]
    probes: dict[str, Json] = {node: {"results": []} for node in NODES}
    for check in made:
        probes[check["source"]["node"]]["results"].append(symptom(check) or right(check))
    found = findings(policy.cluster, made, probes, states)
    return [finding for finding in found if not finding["ok"]]


def _denied(check: Check) -> bool:
    return check["expected"] == list(SILENCE)


def test_an_engine_that_does_nothing_on_a_node_is_one_cause() -> None:
    failed = _run(_nothing_on("node-1"))
    assert {finding["cause"] for finding in failed} == {"calico enforces no NetworkPolicy on node-1"}
    first = failed[0]
    assert difference(first) == (
        f"{first['source']['node']}/{first['source']['name']} ({first['source']['address']}) reached "
        f"{first['target']['node']}/{first['target']['name']} ({first['target']['address']}), which saw "
        f"{first['source']['address']}, which nothing should let it do"
    )


def _nothing_on(node: str) -> Symptom:
    """Return what an engine that does nothing on the node does to a check."""

    def symptom(check: Check) -> Json | None:
        subject = check["target"] if "/ingress-" in check["id"] else check["source"]
        broken = _denied(check) and subject["node"] == node
        return wrong(check, observed=check["source"]["address"]) if broken else None

    return symptom


def test_an_engine_whose_daemon_does_not_run_is_named_by_its_unit() -> None:
    stopped = {"kube-router": {"state": "inactive/dead", "restarts": 0, "last": ""}}
    failed = _run(_nothing_on("node-1"), "kube_router", {"node-1": {"units": stopped}}, ["kube-router"])
    assert {finding["cause"] for finding in failed} == {"kube-router does not run on node-1 (inactive/dead)"}
    # It is not the one to blame on another node.
    failed = _run(_nothing_on("node-2"), "kube_router", {"node-1": {"units": stopped}}, ["kube-router"])
    assert {finding["cause"] for finding in failed} == {"kube_router enforces no NetworkPolicy on node-2"}


@pytest.mark.parametrize(("setting", "named"), [("iptables", True), ("ip6tables", False)])
def test_bridged_packets_that_no_rule_sees_are_named(setting: str, named: bool) -> None:
    state = {"settings": {f"net.bridge.bridge-nf-call-{setting}": "0"}}
    failed = _run(_nothing_on("node-1"), "kube_router", {"node-1": state})
    assert {finding["cause"] for finding in failed} == {
        "bridged packets pass the rules of kube_router by on node-1: net.bridge.bridge-nf-call-iptables is 0"
        if named
        else "kube_router enforces no NetworkPolicy on node-1"
    }


def test_what_an_engine_lets_through_is_named_with_what_the_policy_allows() -> None:
    def symptom(check: Check) -> Json | None:
        broken = "/closed/ingress-block-stranger-http/" in check["id"] and check["target"]["node"] == "node-2"
        return wrong(check, observed=check["source"]["address"]) if broken else None

    assert {finding["cause"] for finding in _run(symptom)} == {
        "calico lets a stranger through on node-2 in spite of a policy that allows a block of addresses with "
        "exceptions (ingress-block)"
    }


def test_what_an_engine_cuts_off_is_named_with_what_the_policy_allows() -> None:
    def symptom(check: Check) -> Json | None:
        broken = "/closed/egress-udp-friend-udp/" in check["id"]
        return wrong(check, error="timeout", detail="no answer") if broken else None

    (cause,) = {finding["cause"] for finding in _run(symptom)}
    assert "cuts off a friend on node-" in cause
    assert "in spite of a policy that allows a port over UDP (egress-udp)" in cause


def test_silence_of_a_pod_that_could_not_ask_is_no_proof() -> None:
    def symptom(check: Check) -> Json | None:
        broken = "/closed/ingress-deny-friend-http/" in check["id"]
        return wrong(check, error="source", detail="no process of pod x runs here") if broken else None

    failed = _run(symptom)
    assert failed
    assert "that nothing comes back is not proven: no process of pod x runs here" in difference(failed[0])


def _policy_object(namespace: str, name: str) -> Json:
    return {"kind": "NetworkPolicy", "metadata": {"namespace": namespace, "name": name}}


def _policies(facts: Cluster, found: list[Json]) -> tuple[Check, Result]:
    made = cluster_checks(facts, SETTINGS, found)
    return next(pair for pair in made if pair[0]["class"] == "network_policies")


def test_policies_that_nobody_enforces_are_a_failed_check_with_their_names() -> None:
    facts = cluster()
    found = [_policy_object("shop", "deny"), _policy_object("flatnet-check-policy", "ingress-deny")]
    check, result = _policies(facts, found)
    assert (check["class"], result["ok"], result["observed"]) == ("network_policies", False, "shop/deny")
    (finding,) = findings(facts, [check], {"": {"results": [result]}})
    assert finding["cause"] == "nobody enforces the NetworkPolicy objects in this cluster: shop/deny"


def test_without_policies_or_with_an_engine_nothing_is_wrong_with_them() -> None:
    assert _policies(cluster(), [])[1]["ok"]
    made = cluster_checks(policies_cluster().cluster, SETTINGS, [_policy_object("shop", "deny")])
    assert "network_policies" not in {check["class"] for check, _ in made}
