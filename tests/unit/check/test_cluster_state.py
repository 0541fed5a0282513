"""What the API server holds about the cluster's DNS, and what follows from it."""

import pytest
from check_example import SETTINGS, checks, cluster, plan, right, wrong

from flatnet.check.cluster_state import cluster_checks
from flatnet.check.facts import cluster_facts
from flatnet.check.findings import findings
from flatnet.check.model import Json

_LABELS = {"k8s-app": "kube-dns"}


def _deployment(replicas: int = 2) -> Json:
    return {
        "kind": "Deployment",
        "metadata": {"name": "coredns", "labels": _LABELS},
        "spec": {"replicas": replicas},
    }


def _service(selector: dict[str, str] | None = None) -> Json:
    return {
        "kind": "Service",
        "metadata": {"name": "kube-dns"},
        "spec": {"clusterIP": "10.32.0.10", "selector": selector or _LABELS},
    }


def _pod(name: str, *, ready: bool = True, state: Json | None = None, last: Json | None = None) -> Json:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {**_LABELS, "pod-template-hash": "x"}},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"state": state or {}, "lastState": last or {}}],
        },
    }


_LOOP = {"terminated": {"reason": "Error", "message": "plugin/loop: Loop (127.0.0.1:53 -> :53) detected"}}


@pytest.mark.parametrize(
    ("found", "observed"),
    [
        ([_deployment(), _service(), _pod("a"), _pod("b", ready=False)], "ready pods"),
        ([_deployment(0), _service()], "CoreDNS has no pods: its Deployment coredns is scaled to 0"),
        ([_deployment(), _service()], "CoreDNS has no pods"),
        (
            [_deployment(), _service({"k8s-app": "dns"}), _pod("a")],
            "the Service kube-dns selects none of the pods of CoreDNS: its selector is k8s-app=dns",
        ),
        (
            [
                _deployment(),
                _service(),
                _pod("a", ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}}, last=_LOOP),
            ],
            "no pod of CoreDNS is ready: a: CrashLoopBackOff; Error; plugin/loop: Loop (127.0.0.1:53 -> :53) "
            "detected",
        ),
    ],
)
def test_why_no_pod_answers_for_dns_is_named(found: list[Json], observed: str) -> None:
    results = {check["class"]: result for check, result in cluster_checks(cluster(), SETTINGS, found)}
    assert results["dns_pods"]["observed"] == observed
    assert results["dns_pods"]["ok"] == (observed == "ready pods")


def test_a_dns_that_is_not_where_the_plan_has_it_is_not_judged() -> None:
    elsewhere = _service()
    elsewhere["spec"]["clusterIP"] = "10.32.0.53"
    made = cluster_checks(cluster(), SETTINGS, [_deployment(0), elsewhere])
    assert "dns_pods" not in {check["class"] for check, _ in made}


def test_what_dns_does_not_answer_is_laid_to_its_having_no_pods() -> None:
    facts = cluster()
    whole = cluster_checks(facts, SETTINGS, [_deployment(0), _service()])
    made = checks(facts)
    results = [
        wrong(check, error="timeout", detail="no answer")
        if check["class"].startswith("dns_")
        else right(check)
        for check in made
    ]
    probes = {"node-0": {"results": [*results, *(result for _, result in whole)]}}
    found = findings(facts, [*(check for check, _ in whole), *made], probes)
    failed = [finding for finding in found if not finding["ok"]]
    assert {finding["class"] for finding in failed} == {"dns_pods", "dns_service", "dns_outside_refused"}
    assert {finding["cause"] for finding in failed} == {
        "CoreDNS has no pods: its Deployment coredns is scaled to 0"
    }


def test_a_control_plane_without_its_controllers_is_one_cause_on_all_nodes() -> None:
    facts = cluster_facts(plan(), [], [], message="0 of 9 pods are ready")
    made = checks(facts)
    results = [wrong(check, error="none", detail=check["how"].get("reason", "")) for check in made]
    stopped = {"state": "inactive/dead", "restarts": 0, "last": ""}
    states = {"node-0": {"units": {"kube-controller-manager": stopped}}}
    found = findings(facts, made, {"node-0": {"results": results}}, states)
    assert {finding["cause"] for finding in found} == {
        "kube-controller-manager does not run on node-0 (inactive/dead)"
    }


@pytest.mark.parametrize(
    ("unit", "cause"),
    [
        ("", "the API server does not answer: connection refused"),
        ("etcd", "etcd does not run on node-0 (failed/failed): no space left"),
    ],
)
def test_a_cluster_without_an_api_server_is_one_cause(unit: str, cause: str) -> None:
    facts = cluster_facts(plan(), [], [], message="connection refused")
    whole = cluster_checks(facts, SETTINGS, [], "connection refused")
    assert [check["class"] for check, _ in whole] == ["api_server"]
    made = checks(facts)
    results = [wrong(check, error="none", detail=check["how"].get("reason", "")) for check in made]
    probes = {"node-0": {"results": [*results, *(result for _, result in whole)]}}
    failed_unit = {"state": "failed/failed", "restarts": 0, "last": "no space left"}
    states = {"node-0": {"units": {unit: failed_unit} if unit else {}}}
    found = findings(facts, [*(check for check, _ in whole), *made], probes, states)
    assert {finding["cause"] for finding in found} == {cause}
