import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from cluster_objects_server import FakeApi, Json, pod

from flatnet.host.objects import rollout
from flatnet.host.objects.errors import ObjectsError
from flatnet.host.objects.run import run

PODS = "/api/v1/namespaces/shop/pods"
WEB = {"namespace": "shop", "label_selector": "app=web", "count": 2, "seconds": 10}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"replicas": 2},
}
DEPLOYMENT_PATH = "/apis/apps/v1/namespaces/shop/deployments/web"


def node(name: str, reason: str = "") -> Json:
    condition = {
        "type": "Ready",
        "status": "False" if reason else "True",
        "reason": reason,
        "message": "no network",
    }
    return {"metadata": {"name": name}, "spec": {}, "status": {"conditions": [condition]}}


def meanwhile(api: FakeApi, *steps: Callable[[], object]) -> threading.Thread:
    """Take the steps one after the other, each once the run watches."""

    def take() -> None:
        for step in steps:
            seen = len(api.requests)
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline and not (
                any("watch=true" in path for _, path in api.requests[:seen])
            ):
                time.sleep(0.005)
                seen = len(api.requests)
            time.sleep(0.02)
            step()

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def failure(api: FakeApi, **changes: object) -> str:
    with pytest.raises(ObjectsError) as caught:
        run(api.parameters(**changes), check=False, diff=False)
    return str(caught.value)


def test_pods_are_waited_for_by_a_watch_and_returned(api: FakeApi) -> None:
    api.put(f"{PODS}/web-1", pod("web-1", ready=False))
    api.put(f"{PODS}/other", pod("other", ready=False, labels={"app": "other"}))
    thread = meanwhile(
        api,
        lambda: api.put(f"{PODS}/web-1", pod("web-1")),
        lambda: api.put(f"{PODS}/web-2", pod("web-2", ready=False)),
        lambda: api.put(f"{PODS}/web-2", pod("web-2")),
    )
    selection = {"namespace": "shop", "label_selector": "app=web"}
    result = run(api.parameters(wait_for_pods=WEB, return_pods=selection), check=False, diff=False)
    thread.join()
    assert result["changed"] is False
    assert result["pods"][0] == {
        "name": "web-1",
        "namespace": "shop",
        "uid": api.objects[f"{PODS}/web-1"]["metadata"]["uid"],
        "node": "node1",
        "ip": "10.200.0.5",
        "ips": ["10.200.0.5"],
        "labels": {"app": "web"},
        "ready": True,
    }
    assert [item["name"] for item in result["pods"]] == ["web-1", "web-2"]
    # One list and one watch, however long it took, and the list for the result.
    assert [path.partition("?")[2].partition("&")[0] for _, path in api.requests] == [
        "labelSelector=app%3Dweb"
    ] * 3


def test_pods_that_leave_or_have_ended_do_not_count(api: FakeApi) -> None:
    leaving = pod("web-0")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    api.put(f"{PODS}/web-0", leaving)
    api.put(f"{PODS}/web-1", pod("web-1", ready=False, phase="Failed"))
    api.put(f"{PODS}/web-2", pod("web-2"))
    one = {**WEB, "count": None}
    assert run(api.parameters(wait_for_pods=one), check=False, diff=False)["changed"] is False
    assert failure(api, wait_for_pods={**WEB, "seconds": 0}) == (
        "1 of 2 pods with app=web in shop are ready after 0 s: no more pods exist: see that their controller"
        " runs and that the selector fits them"
    )


def test_a_watch_that_ends_is_begun_anew(api: FakeApi) -> None:
    api.watch_ends_after = 0.05
    api.put(f"{PODS}/web-1", pod("web-1"))
    timer = threading.Timer(0.4, lambda: api.put(f"{PODS}/web-2", pod("web-2")))
    timer.start()
    run(api.parameters(wait_for_pods=WEB), check=False, diff=False)
    timer.join()
    assert len([path for _, path in api.requests if "watch=true" in path]) > 1


def test_a_deleted_pod_is_forgotten(api: FakeApi) -> None:
    for name, ready in (("web-1", True), ("web-2", True), ("web-3", False)):
        api.put(f"{PODS}/{name}", pod(name, ready=ready))
    thread = meanwhile(api, lambda: api.drop(f"{PODS}/web-3"))
    run(api.parameters(wait_for_pods=WEB), check=False, diff=False)
    thread.join()


def test_a_failed_wait_explains_the_pods(api: FakeApi) -> None:
    waiting = {
        "name": "web",
        "ready": False,
        "state": {"waiting": {"reason": "ErrImagePull", "message": "no host"}},
    }
    crashed = {
        "name": "web",
        "ready": False,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
    }
    done = {"name": "init", "ready": False, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    api.put(
        f"{PODS}/web-1", pod("web-1", ready=False, containerStatuses=[waiting], initContainerStatuses=[done])
    )
    api.put(f"{PODS}/web-2", pod("web-2", ready=False, containerStatuses=[crashed], phase="Pending"))
    api.put(f"{PODS}/web-3", pod("web-3", ready=False))
    unscheduled = pod("web-4", ready=False)
    unscheduled["spec"] = {}
    unscheduled["status"] = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no nodes"}
        ],
    }
    api.put(f"{PODS}/web-0", {**unscheduled, "metadata": {**unscheduled["metadata"], "name": "web-0"}})
    uid = api.objects[f"{PODS}/web-2"]["metadata"]["uid"]
    for name, when, message in (("e1", "2026-01-02", "last"), ("e2", "2026-01-01", "first")):
        event = {"type": "Warning", "reason": "BackOff", "message": message, "lastTimestamp": when}
        api.put(
            f"/api/v1/namespaces/shop/events/{name}",
            {"metadata": {"name": name}, "involvedObject": {"uid": uid}, **event},
        )
    assert failure(api, wait_for_pods={**WEB, "seconds": 0.05, "advice": "; see the shop's page"}) == (
        "0 of 4 pods with app=web in shop are ready after 0.05 s:"
        " web-0 (on no node, Pending): Unschedulable: no nodes;"
        " web-1 (on node1, Running): container web waits: ErrImagePull: no host;"
        " web-2 (on node1, Pending): container web waits: CrashLoopBackOff (before, it ended with exit code"
        " 2: Error) [BackOff: last]; and 1 more; see the shop's page"
    )


def test_a_pod_that_ends_again_and_again_is_named_before_its_time(api: FakeApi) -> None:
    def crashed(restarts: int, state: Json) -> Json:
        ended = {"exitCode": 1, "message": "no such plugin: forwrad"}
        entry = {"name": "web", "restartCount": restarts, "state": state, "lastState": {"terminated": ended}}
        return api.put(f"{PODS}/web-1", pod("web-1", ready=False, containerStatuses=[entry]))

    waits: Json = {"waiting": {"reason": "CrashLoopBackOff"}}
    crashed(7, waits)
    # The seven are from before, and a container that runs may go on doing so.
    counts = [(8, waits), (9, waits), (10, {"running": {}}), (10, waits)]
    later = meanwhile(api, *(partial(crashed, *count) for count in counts))
    began = time.monotonic()
    message = failure(api, wait_for_pods={**WEB, "seconds": 30})
    later.join()
    assert time.monotonic() - began < 10
    assert message == (
        "0 of 2 pods with app=web in shop are ready after 0 s, and it ends again and again: web-1 (on node1, "
        "Running): container web waits: CrashLoopBackOff (before, it ended with exit code 1: no such plugin: "
        "forwrad); no more pods exist: see that their controller runs and that the selector fits them"
    )


def test_a_rollout_whose_new_pod_ends_again_and_again_is_not_waited_for(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "_LOOK_SECONDS", 0.02)
    old = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "generation": 2}}
    status = {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 2}
    api.put(DEPLOYMENT_PATH, {**old, "status": status})
    api.put(f"{PODS}/web-old", pod("web-old"))

    def crashed(restarts: int) -> Json:
        state = {"waiting": {"reason": "CrashLoopBackOff"}}
        entry = {"name": "web", "restartCount": restarts, "state": state}
        return api.put(f"{PODS}/web-new", pod("web-new", ready=False, containerStatuses=[entry]))

    crashed(0)
    later = threading.Timer(0.3, crashed, [3])
    later.start()
    began = time.monotonic()
    message = failure(api, objects=[DEPLOYMENT], wait_for_pods={**WEB, "seconds": 30})
    later.join()
    assert time.monotonic() - began < 10
    assert "1 of 2 pods with app=web in shop are ready after" in message
    assert "and it ends again and again: web-new" in message


def test_old_pods_are_not_taken_for_the_new_ones(api: FakeApi) -> None:
    old = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "generation": 2}}
    api.put(
        DEPLOYMENT_PATH, {**old, "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2}}
    )
    for name in ("web-1", "web-2"):
        api.put(f"{PODS}/{name}", pod(name))
    parameters = {"objects": [DEPLOYMENT], "wait_for_pods": {**WEB, "seconds": 0.05}}
    assert failure(api, **parameters) == (
        "2 of 2 pods with app=web in shop are ready after 0.05 s: Deployment web has not replaced its pods:"
        " see that kube-controller-manager runs"
    )
    progress = [
        {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1},
        {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2},
        {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2},
    ]
    written: list[float] = []

    def write(status: Json) -> None:
        written.append(time.monotonic())
        api.put(DEPLOYMENT_PATH, {**old, "status": status})

    thread = meanwhile(api, *(lambda status=status: write(status) for status in progress))
    run(api.parameters(objects=[DEPLOYMENT], wait_for_pods=WEB), check=False, diff=False)
    end = time.monotonic()
    thread.join()
    assert len(written) == 3
    assert end > written[-1]


def test_a_workload_that_cannot_make_pods_says_why(api: FakeApi) -> None:
    item = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "generation": 1}}
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    api.put(DEPLOYMENT_PATH, {**item, "status": {"observedGeneration": 1, "conditions": [condition]}})
    assert failure(api, objects=[DEPLOYMENT], wait_for_pods={**WEB, "seconds": 0.05}) == (
        "0 of 2 pods with app=web in shop are ready after 0.05 s: Deployment web: exceeded quota"
    )


@pytest.mark.parametrize(("updated", "settled"), [(2, True), (1, False)])
def test_a_daemon_set_is_as_large_as_its_nodes_make_it(api: FakeApi, updated: int, settled: bool) -> None:
    path = "/apis/apps/v1/namespaces/shop/daemonsets/web"
    item = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {},
    }
    status = {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": updated}
    api.put(path, {**item, "metadata": {**DEPLOYMENT["metadata"], "generation": 1}, "status": status})
    for name in ("web-1", "web-2"):
        api.put(f"{PODS}/{name}", pod(name))
    parameters = {"objects": [item], "wait_for_pods": {**WEB, "seconds": 0.05}}
    if settled:
        run(api.parameters(**parameters), check=False, diff=False)
    else:
        assert "DaemonSet web has not replaced its pods" in failure(api, **parameters)


def test_nodes_are_waited_for(api: FakeApi) -> None:
    api.put("/api/v1/nodes/node1", node("node1", "KubeletNotReady"))
    thread = meanwhile(
        api,
        lambda: api.put("/api/v1/nodes/node2", node("node2")),
        lambda: api.put("/api/v1/nodes/node1", node("node1")),
    )
    wanted = {"names": ["node1", "node2"], "seconds": 10}
    assert run(api.parameters(wait_for_nodes=wanted), check=False, diff=False)["changed"] is False
    thread.join()


def test_a_failed_wait_for_nodes_names_each_with_its_reason(api: FakeApi) -> None:
    api.put("/api/v1/nodes/node1", node("node1", "KubeletNotReady"))
    api.put("/api/v1/nodes/node2", node("node2"))
    api.put("/api/v1/nodes/node4", {"metadata": {"name": "node4"}, "spec": {}})
    wanted = {"names": ["node4", "node3", "node2", "node1"], "seconds": 0.05}
    assert failure(api, wait_for_nodes=wanted) == (
        "3 of 4 nodes are not ready after 0.05 s: node1: KubeletNotReady: no network; node3: not registered:"
        " look at the kubelet's log there; node4: no condition Ready yet"
    )


def test_removed_objects_are_waited_for_until_they_are_gone(api: FakeApi) -> None:
    path = "/api/v1/namespaces/shop/configmaps/settings"
    item: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
    }
    held = {
        **item["metadata"],
        "finalizers": ["example.com/hold"],
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }
    api.put(path, {**item, "metadata": held})
    parameters: Json = {"objects": [item], "state": "absent"}
    assert failure(api, **parameters, wait_gone_seconds=0.05) == (
        "ConfigMap shop/settings still exists after 0.05 s: finalizer example.com/hold: see that the"
        " controller that serves it runs"
    )
    thread = meanwhile(api, lambda: api.drop(path))
    result = run(api.parameters(**parameters, wait_gone_seconds=10), check=False, diff=False)
    thread.join()
    assert result["changed"] is False


def test_a_namespace_that_stays_says_what_is_in_it(api: FakeApi) -> None:
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    conditions = [
        {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "all deleted"},
        {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 resource instances"},
    ]
    api.put(
        "/api/v1/namespaces/shop",
        {
            "metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"conditions": conditions},
        },
    )
    assert failure(api, objects=[item], state="absent", wait_gone_seconds=0.05) == (
        "Namespace shop still exists after 0.05 s: finalizer kubernetes: see that the controller that serves"
        " it runs, pods. has 1 resource instances"
    )


def test_a_check_waits_for_nothing(api: FakeApi) -> None:
    begin = time.monotonic()
    parameters = api.parameters(wait_for_pods=WEB, wait_for_nodes={"names": ["node9"], "seconds": 30})
    assert run(parameters, check=True, diff=False)["changed"] is False
    assert time.monotonic() - begin < 5
