"""The cases of network policies: what they expect is what the API says of their objects."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network

import pytest
from check_example import SETTINGS, cluster, plan, right, wrong
from check_symptoms import Symptom

from flatnet.check.cluster_state import cluster_checks
from flatnet.check.facts import Cluster, cluster_facts
from flatnet.check.findings import findings
from flatnet.check.model import SILENCE, Check, Finding, Json, Result
from flatnet.check.policy.cases import CASES, POD, STEPS, SUBJECT
from flatnet.check.policy.matrix import PolicyCluster, policy_cluster, policy_part
from flatnet.check.policy.objects import lifted, policies, policy_pods
from flatnet.check.report import difference

NODES = ("node-0", "node-1", "node-2")
_NAMES = [f"n{index}.example" for index in range(3)]


def _policy_cluster(engine: str = "calico", nodes: int = 3) -> PolicyCluster:
    """Return a cluster with the pods of the cases, each with an address of its node's network."""
    network = {**plan(nodes), "policy_engine": {"name": engine}}
    facts = cluster_facts(network, [], [])
    return policy_cluster(facts, _running(policy_pods(SETTINGS, _NAMES[:nodes]), _NAMES[:nodes]))


def _running(objects: Iterable[Json], nodes: list[str]) -> list[Json]:
    found = []
    for item in objects:
        if item["kind"] == "DaemonSet":
            found += [
                (item["metadata"], item["spec"]["template"]["metadata"]["labels"], node) for node in nodes
            ]
        elif item["kind"] == "Pod":
            found.append((item["metadata"], item["metadata"]["labels"], item["spec"]["nodeName"]))
    return [
        {
            "name": f"{metadata['name']}-{number}",
            "namespace": metadata["namespace"],
            "uid": f"uid-{number}",
            "node": node,
            "ips": [f"10.200.{nodes.index(node)}.{20 + number}"],
            "labels": labels,
            "ready": True,
        }
        for number, (metadata, labels, node) in enumerate(found)
    ]


def _checks(policy: PolicyCluster, step: str) -> list[Check]:
    return [check for node in policy.cluster.nodes for check in policy_part(policy, SETTINGS, node, step)]


def _fits(labels: Mapping[str, str], selector: Json) -> bool:
    """Tell whether a label selector fits (apimachinery, LabelSelector), as far as the cases use it."""
    wanted = selector.get("matchLabels", {}).items()
    absent = [entry["key"] for entry in selector.get("matchExpressions", [])]
    return all(labels.get(key) == value for key, value in wanted) and not set(absent) & set(labels)


class _Api:
    """What the API says about the objects: an evaluation of NetworkPolicy that knows nothing of the cases."""

    def __init__(self, objects: list[Json], pods: list[Json], applied: list[Json]) -> None:
        self.namespaces = {
            item["metadata"]["name"]: item["metadata"]["labels"]
            for item in objects
            if item["kind"] == "Namespace"
        }
        self.pods = {pod["ips"][0]: pod for pod in pods}
        self.policies = applied

    def lets_through(self, source: str, target: str, port: Json) -> bool:
        return self._direction("ingress", target, source, port) and self._direction(
            "egress", source, target, port
        )

    def _direction(self, direction: str, subject: str, peer: str, port: Json) -> bool:
        selecting = [
            policy["spec"]
            for policy in self.policies
            if policy["metadata"]["namespace"] == self.pods[subject]["namespace"]
            and direction.capitalize() in policy["spec"]["policyTypes"]
            and _fits(self.pods[subject]["labels"], policy["spec"]["podSelector"])
        ]
        rules = [rule for spec in selecting for rule in spec.get(direction, [])]
        key = "from" if direction == "ingress" else "to"
        own = self.pods[subject]["namespace"]
        return not selecting or any(
            (not rule.get(key) or any(self._peer(entry, peer, own) for entry in rule[key]))
            and (not rule.get("ports") or any(self._port(entry, port) for entry in rule["ports"]))
            for rule in rules
        )

    def _peer(self, entry: Json, address: str, own: str) -> bool:
        if "ipBlock" in entry:
            block = entry["ipBlock"]
            excepted = any(ip_address(address) in ip_network(cidr) for cidr in block.get("except", []))
            return ip_address(address) in ip_network(block["cidr"]) and not excepted
        pod = self.pods[address]
        if "namespaceSelector" in entry:
            inside = _fits(self.namespaces[pod["namespace"]], entry["namespaceSelector"])
        else:
            inside = pod["namespace"] == own
        return inside and _fits(pod["labels"], entry.get("podSelector", {}))

    @staticmethod
    def _port(entry: Json, port: Json) -> bool:
        if entry.get("protocol", "TCP") != port["protocol"]:
            return False
        if isinstance(entry["port"], str):
            return bool(entry["port"] == port["name"])
        return bool(entry["port"] <= port["containerPort"] <= entry.get("endPort", entry["port"]))


@pytest.mark.parametrize("step", STEPS)
def test_the_cases_expect_what_the_api_says_of_their_objects(step: str) -> None:
    policy = _policy_cluster()
    objects = policy_pods(SETTINGS, _NAMES)
    ports = {
        port["containerPort"]: port
        for item in objects
        if item["kind"] == "Pod"
        for container in item["spec"]["containers"]
        for port in container["ports"]
    }
    applied = policies(SETTINGS, policy.known(), step)
    api = _Api(objects, _running(objects, _NAMES), applied)
    made = _checks(policy, step)
    for check in made:
        source, target = check["source"]["address"], check["target"]["address"]
        allowed = api.lets_through(source, target, ports[check["how"]["port"]])
        assert check["expected"] == ([source] if allowed else list(SILENCE)), check["id"]
    # 20 cases, 3 peers, 3 ports, the subject's own node and another.
    assert len({check["id"] for check in made}) == 20 * 3 * 3 * 2


def test_what_a_policy_denies_has_passed_before_and_something_passes_beside_it() -> None:
    policy = _policy_cluster()
    steps = {
        step: {tuple(check["id"].split("/", 4)[4:]): check for check in _checks(policy, step)}
        for step in STEPS
    }
    denied = {key for key, check in steps["closed"].items() if check["expected"] == list(SILENCE)}
    assert all(steps["open"][key]["expected"] != list(SILENCE) for key in denied)
    for case in CASES:
        reach = case.reach_in("closed")
        assert case.name == "deny" or reach, case
        assert reach < case.reach_in("open")


def test_the_change_takes_away_what_no_longer_is_and_keeps_a_connection_that_stays_allowed() -> None:
    policy = _policy_cluster()
    gone = {item["metadata"]["name"] for item in lifted(SETTINGS, policy.known())}
    assert gone == {"ingress-deny", "egress-deny"}
    held = {step: [check for check in _checks(policy, step) if "hold" in check["how"]] for step in STEPS}
    assert {step: {check["how"]["hold"] for check in made} for step, made in held.items()} == {
        "open": set(),
        "closed": {"keep"},
        "changed": {"use"},
    }
    # From the subject's own node and from another.
    assert len(held["closed"]) == len(held["changed"]) == 2
    assert all(check["expected"] == [check["source"]["address"]] for made in held.values() for check in made)


def test_pods_that_did_not_start_prove_nothing() -> None:
    facts = cluster()
    policy = policy_cluster(facts, [], "1 of 19 pods are ready")
    assert {check["how"]["method"] for check in _checks(policy, "closed")} == {"none"}
    assert "1 of 19 pods are ready" in _checks(policy, "closed")[0]["how"]["reason"]


def test_a_cluster_of_one_node_has_its_policies_checked_on_it() -> None:
    policy = _policy_cluster(nodes=1)
    assert {check["target"]["node"] for check in _checks(policy, "closed")} == {"node-0"}


def test_no_pod_of_the_cases_is_outside_of_the_two_namespaces_that_are_removed() -> None:
    objects = policy_pods(SETTINGS, _NAMES)
    own = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    assert own == {"flatnet-check-policy", "flatnet-check-policy-outside"}
    inside = [item for item in objects if item["kind"] != "Namespace"]
    assert {item["metadata"]["namespace"] for item in inside} == own
    for item in inside:
        labels = item["metadata"].get("labels") or item.get("spec", {}).get("template", {}).get(
            "metadata", {}
        ).get("labels", {})
        assert item["kind"] == "ServiceAccount" or labels[POD] == "subject" or SUBJECT not in labels


def _run(symptom: Symptom, engine: str = "calico") -> list[Finding]:
    policy = _policy_cluster(engine)
    made = [check for step in STEPS for check in _checks(policy, step)]
    probes: dict[str, Json] = {node: {"results": []} for node in NODES}
    for check in made:
        probes[check["source"]["node"]]["results"].append(symptom(check) or right(check))
    return [finding for finding in findings(policy.cluster, made, probes) if not finding["ok"]]


def _denied(check: Check) -> bool:
    return check["expected"] == list(SILENCE)


def test_an_engine_that_does_nothing_on_a_node_is_one_cause() -> None:
    def symptom(check: Check) -> Json | None:
        subject = check["target"] if "/ingress-" in check["id"] else check["source"]
        broken = _denied(check) and subject["node"] == "node-1"
        return wrong(check, observed=check["source"]["address"]) if broken else None

    failed = _run(symptom)
    assert {finding["cause"] for finding in failed} == {"calico enforces no NetworkPolicy on node-1"}
    first = failed[0]
    assert difference(first) == (
        f"{first['source']['node']}/{first['source']['name']} ({first['source']['address']}) reached "
        f"{first['target']['node']}/{first['target']['name']} ({first['target']['address']}), which saw "
        f"{first['source']['address']}, which nothing should let it do"
    )


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
    made = cluster_checks(_policy_cluster().cluster, SETTINGS, [_policy_object("shop", "deny")])
    assert "network_policies" not in {check["class"] for check, _ in made}
