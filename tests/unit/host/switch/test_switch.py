"""What a switch reads from the API server and does there."""

import threading
import time
from typing import Any

import pytest
from cluster_objects_server import FakeApi, pod

from flatnet.host.objects.errors import ObjectsError
from flatnet.host.switch.look import CLOSED, is_selected, look
from flatnet.host.switch.serve import answer
from flatnet.host.switch.steps import close_nodes, open_nodes, wait_for_pods_anew

Json = dict[str, Any]
PODS = "/api/v1/namespaces/shop/pods"
OWNED = [{"kind": "ReplicaSet", "name": "web", "controller": True}]


def put_node(api: FakeApi, name: str, *, ready: bool = True, **spec: object) -> None:
    condition = {"type": "Ready", "status": str(ready), "reason": "KubeletNotReady", "message": "no network"}
    node = {
        "metadata": {"name": name, "annotations": {}},
        "spec": spec,
        "status": {"conditions": [condition]},
    }
    api.put(f"/api/v1/nodes/{name}", node)


def make(name: str, container: str = "a", *, ready: bool = True, **fields: object) -> Json:
    """Return a pod with one container, which is the one of that identifier."""
    made = pod(
        name,
        ready=ready,
        containerStatuses=[{"name": "web", "ready": ready, "containerID": container, **fields}],
    )
    made["metadata"] |= {"uid": f"uid-{name}", "ownerReferences": OWNED}
    return made


@pytest.fixture(name="cluster")
def make_cluster(api: FakeApi) -> FakeApi:
    """Return an API with one node, a pod on its network and one on the host's."""
    api.kinds["/apis/policy/v1"] = [("poddisruptionbudgets", "PodDisruptionBudget", True)]
    put_node(api, "node1")
    api.put(f"{PODS}/web", make("web"))
    host = make("proxy")
    host["spec"]["hostNetwork"] = True
    api.put(f"{PODS}/proxy", host)
    return api


def test_a_look_tells_of_pods_on_the_pod_network(cluster: FakeApi) -> None:
    static = make("static")
    static["metadata"] |= {"annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": []}
    static["spec"]["restartPolicy"] = "Never"
    cluster.put(f"{PODS}/static", static)
    ended = make("ended")
    ended["status"]["phase"] = "Succeeded"
    cluster.put(f"{PODS}/ended", ended)
    put_node(cluster, "node2", ready=False, unschedulable=True)
    found = look(cluster.client())
    assert found["nodes"] == [
        {"name": "node1", "reason": "", "closed": False},
        {"name": "node2", "reason": "KubeletNotReady: no network", "closed": False},
    ]
    assert found["pods"] == [
        {
            "uid": "uid-web",
            "name": "shop/web",
            "node": "node1",
            "controller": "ReplicaSet",
            "static": False,
            "restarts": True,
            "ready": True,
            "containers": ["a"],
        },
        {
            "uid": "uid-static",
            "name": "shop/static",
            "node": "node1",
            "controller": "",
            "static": True,
            "restarts": False,
            "ready": True,
            "containers": ["a"],
        },
    ]


def test_a_budget_is_told_with_the_nodes_of_its_pods(cluster: FakeApi) -> None:
    budget = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 1},
    }
    cluster.put("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web", budget)
    assert look(cluster.client())["budgets"] == [{"name": "shop/web", "allowed": 1, "nodes": ["node1"]}]


def test_an_api_server_without_budgets_has_none(api: FakeApi) -> None:
    put_node(api, "node1")
    assert look(api.client()) == {
        "nodes": [{"name": "node1", "reason": "", "closed": False}],
        "pods": [],
        "budgets": [],
    }


@pytest.mark.parametrize(
    ("term", "fits"),
    [
        ({"operator": "In", "values": ["web", "api"]}, True),
        ({"operator": "In", "values": ["api"]}, False),
        ({"operator": "NotIn", "values": ["api"]}, True),
        ({"operator": "NotIn", "values": ["web"]}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "DoesNotExist"}, False),
        ({"operator": "NotIn", "values": ["x"], "key": "none"}, True),
        ({"operator": "In", "values": ["x"], "key": "none"}, False),
    ],
)
def test_selectors_have_expressions(term: Json, fits: bool) -> None:
    assert is_selected({"matchExpressions": [{"key": "app", **term}]}, {"app": "web"}) is fits


def test_an_empty_selector_fits_all() -> None:
    assert is_selected({}, {"app": "web"})
    assert not is_selected({"matchLabels": {"app": "api"}}, {"app": "web"})


def test_a_node_is_closed_and_opened_again_but_for_one_that_was_closed_before(cluster: FakeApi) -> None:
    put_node(cluster, "node2", unschedulable=True)
    client = cluster.client()
    assert close_nodes(client, ["node1", "node2", "gone"]) == ["node1"]
    # A run that was killed in between closes nothing twice, and still opens it.
    assert close_nodes(client, ["node1", "node2"]) == []
    assert cluster.objects["/api/v1/nodes/node1"]["metadata"]["annotations"] == {CLOSED: "true"}
    assert {one["name"]: one["closed"] for one in look(client)["nodes"]} == {"node1": True, "node2": False}
    assert open_nodes(client, ["node1", "node2"]) == ["node1"]
    assert open_nodes(client, ["node1", "node2"]) == []
    assert not cluster.objects["/api/v1/nodes/node1"]["spec"]["unschedulable"]
    assert cluster.objects["/api/v1/nodes/node2"]["spec"]["unschedulable"]


def test_pods_are_back_when_they_have_other_containers(cluster: FakeApi) -> None:
    before = look(cluster.client())["pods"]
    threading.Timer(0.2, lambda: cluster.put(f"{PODS}/web", make("web", "b"))).start()
    began = time.monotonic()
    assert wait_for_pods_anew(cluster.client(), ["node1"], before, 5) == []
    assert 0.15 < time.monotonic() - began < 4


def test_pods_that_were_not_ready_and_pods_of_other_nodes_are_not_waited_for(cluster: FakeApi) -> None:
    cluster.put(f"{PODS}/web", make("web", ready=False))
    elsewhere = make("far")
    elsewhere["spec"]["nodeName"] = "node2"
    cluster.put(f"{PODS}/far", elsewhere)
    before = look(cluster.client())["pods"]
    assert wait_for_pods_anew(cluster.client(), ["node1"], before, 1) == []


def test_a_pod_that_is_made_to_wait_is_made_anew_by_its_controller(cluster: FakeApi) -> None:
    before = look(cluster.client())["pods"]
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    cluster.put(f"{PODS}/web", make("web", "b", ready=False, state=waiting))
    threading.Timer(0.2, lambda: cluster.put(f"{PODS}/web-2", make("web-2", "c", ready=False))).start()
    threading.Timer(0.5, lambda: cluster.put(f"{PODS}/web-2", make("web-2", "c"))).start()
    assert wait_for_pods_anew(cluster.client(), ["node1"], before, 5) == ["shop/web"]


def test_what_does_not_come_back_is_named_with_its_reason(cluster: FakeApi) -> None:
    before = look(cluster.client())["pods"]
    cluster.put(f"{PODS}/web", make("web", "b", ready=False, state={"waiting": {"reason": "ErrImagePull"}}))
    with pytest.raises(ObjectsError) as caught:
        wait_for_pods_anew(cluster.client(), ["node1"], before, 0.3)
    assert str(caught.value) == (
        "the network is there, and 1 pods are not back after 0.3 s: web (on node1, Running): container web "
        "waits: "
        "ErrImagePull"
    )


def test_a_node_that_does_not_get_ready_is_named(cluster: FakeApi) -> None:
    put_node(cluster, "node1", ready=False)
    with pytest.raises(ObjectsError, match=r"1 of 1 nodes are not ready after 0.2 s: node1: KubeletNotReady"):
        wait_for_pods_anew(cluster.client(), ["node1"], [], 0.2)


def request(api: FakeApi, **changes: object) -> Json:
    asked = {"look": False, "close": [], "open": [], "before": None, "seconds": 1}
    return {"credentials": api.parameters()["credentials"], **asked, **changes}


def test_a_call_does_what_is_asked_and_no_more(cluster: FakeApi) -> None:
    nothing = {"changed": False, "found": {}, "closed": [], "opened": [], "deleted": []}
    assert answer(request(cluster)) == nothing
    assert answer(request(cluster, look=True))["found"].keys() == {"nodes", "pods", "budgets"}
    assert answer(request(cluster, close=["node1"])) == {**nothing, "changed": True, "closed": ["node1"]}
    # Nobody is waited for unless somebody is named.
    cluster.put(f"{PODS}/web", make("web", ready=False))
    assert answer(request(cluster, open=["node1"])) == {**nothing, "changed": True, "opened": ["node1"]}


def test_what_goes_wrong_is_a_failure_in_words(cluster: FakeApi) -> None:
    put_node(cluster, "node1", ready=False)
    failed = answer(request(cluster, open=["node1"], before=[], seconds=0.1))
    assert failed["failed"]
    assert "1 of 1 nodes are not ready" in failed["msg"]
