"""The plan of a switch: what it prints, what it refuses, and what the plays are told."""

import json
from dataclasses import replace
from typing import Any

import pytest
from plan_cases import FLANNEL, HOSTS, KUBENET, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Settings
from flatnet.switch.ends import End
from flatnet.switch.outline import Cluster
from flatnet.switch.progress import DONE, REMOVING, Progress, parse_progress, progress_towards
from flatnet.switch.task import Asked, SwitchTask, switch_task

DEPLOYED = prepare().plan
WANTED = prepare(contract=FLANNEL).plan
NAMES = [one.inventory_name for one in HOSTS]


def pod(name: str, node: str, **changes: object) -> dict[str, Any]:
    return {
        "uid": name,
        "name": name,
        "node": node,
        "controller": "ReplicaSet",
        "static": False,
        "restarts": True,
        "ready": True,
        "containers": ["c1"],
        **changes,
    }


def node(name: str, reason: str = "", *, closed: bool = False) -> dict[str, Any]:
    return {"name": name, "reason": reason, "closed": closed}


CLUSTER = Cluster(
    nodes=[node("node-a"), node("node-b"), node("node-c")],
    pods=[
        pod("shop/web-1", "node-a"),
        pod("shop/web-2", "node-b"),
        pod("logs/agent-x", "node-b", controller="DaemonSet"),
        pod("shop/loose", "node-c", controller=""),
        pod("shop/once", "node-c", controller="", restarts=False),
        pod("kube-system/static-a", "node-a", controller="Node", static=True),
        pod("shop/broken", "node-a", ready=False),
    ],
    budgets=[],
)
BUDGET = {"name": "shop/web", "allowed": 1, "nodes": ["node-a", "node-b"]}


def switch(cluster: Cluster = CLUSTER, wanted: dict[str, Any] = WANTED, **changes: object) -> SwitchTask:
    asked = Asked(plan=wanted, deployed=End.of_plan(DEPLOYED), found=None, hosts=NAMES)
    given: dict[str, Any] = {"image": "probe", **changes}
    return switch_task(replace(asked, **given), cluster)


def reasons(cluster: Cluster, **changes: object) -> list[str]:
    given: dict[str, Any] = {**changes}
    with pytest.raises(FlatnetError) as caught:
        switch(cluster, **given)
    return [line.removeprefix("- ") for line in str(caught.value).splitlines()[1:]]


def test_switching_to_what_is_deployed_says_so_and_does_nothing() -> None:
    task = switch(wanted=DEPLOYED)
    assert task.text == "Nothing to switch: cluster kubernetes has kubenet with kube-proxy in mode iptables."
    assert not task.data["is_needed"]
    assert task.data["to_do"] == []


def test_the_plan_names_what_goes_what_comes_and_every_kind_of_pod() -> None:
    assert switch().text.splitlines() == [
        "Switch of cluster kubernetes: from kubenet with kube-proxy in mode iptables to flannel with "
        "kube-proxy in "
        "mode iptables",
        "  Goes: cni_kubenet",
        "  Comes: cni_flannel",
        "  Hosts: node-a, node-b, node-c, all at once",
        "  Pods made anew: 7, by their kubelets",
        "  of DaemonSets: logs/agent-x",
        "  static: kube-system/static-a",
        "  without a controller: shop/loose",
        "  that end for good, as nobody starts them again: shop/once",
        "  not ready now, and not waited for: shop/broken",
        "  Interruption: about 10 s, for all pods and services at once",
        "  Addresses: pods get others of their node's network; services, nodes and networks keep theirs",
    ]


def test_a_change_of_kube_proxy_leaves_the_pods_alone() -> None:
    task = switch(wanted=prepare(Settings(kube_proxy_mode="nftables")).plan)
    assert "Pods" not in task.text
    assert "Addresses" not in task.text
    assert "about 3 s for new connections to services" in task.text
    assert task.data["pods"] is None
    assert (task.data["owners"], task.data["gone"]) == (["kube_proxy"], [])


def test_the_plays_are_told_who_loses_what() -> None:
    data = switch().data
    assert data["to_do"] == data["removing"] == NAMES
    assert (data["owners"], data["gone"], data["batch"]) == (["cni_kubenet"], ["cni_kubenet"], 3)
    assert data["nodes"] == {"node-a": "node-a", "node-b": "node-b", "node-c": "node-c"}
    assert len(data["pods"]) == 7
    assert data["made"] == data["probe"]["objects"][:1]
    # The node that is a node alone is asked from outside.
    assert data["probe"]["address"] == "192.0.2.12"
    assert [one["spec"]["nodeName"] for one in data["probe"]["objects"] if one["kind"] == "Pod"] == [
        "node-b",
        "node-c",
    ]


@pytest.mark.parametrize(("image", "reason"), [("", ""), ("probe", "KubeletNotReady: down")])
def test_nothing_is_measured_without_an_image_or_a_node_that_is_ready(image: str, reason: str) -> None:
    cluster = replace(CLUSTER, nodes=[node(name, reason) for name in NAMES])
    found = progress_towards(None, "kubernetes", End.of_plan(DEPLOYED), End.of_plan(WANTED), NAMES)
    assert switch(cluster, image=image, found=found and found.moved(NAMES, REMOVING)).data["probe"] == {
        "objects": []
    }
    assert switch(image="").data["made"] == []


def test_a_switch_that_goes_on_waits_for_what_was_ready_when_it_began_and_does_not_measure() -> None:
    fresh = switch().data
    assert parse_progress(json.loads(fresh["note"])).unready == ("shop/broken",)
    found = replace(begun(), unready=("shop/broken",)).moved(["node-b"], DONE).moved(["node-a"], "installing")
    # By now no pod of it is ready.
    down = replace(CLUSTER, pods=[{**one, "ready": False} for one in CLUSTER.pods])
    data = switch(down, found=found).data
    assert data["to_do"] == ["node-a", "node-c"]
    assert data["removing"] == ["node-c"]
    assert {one["name"]: one["ready"] for one in data["pods"]} == {
        "kube-system/static-a": True,
        "shop/broken": False,
        "shop/loose": True,
        "shop/once": True,
        "shop/web-1": True,
    }
    assert parse_progress(json.loads(data["note"])).unready == ("shop/broken",)
    assert data["probe"] == {"objects": []}
    # What the killed run measured on is still there.
    assert [one["metadata"]["name"] for one in data["made"]] == ["flatnet-switch"]


def test_one_whose_hosts_are_all_done_still_has_to_be_ended() -> None:
    data = switch(found=begun().moved(NAMES, DONE)).data
    assert data["is_needed"]
    assert data["to_do"] == []


def test_nodes_that_a_killed_run_has_closed_are_opened_though_it_goes_back() -> None:
    cluster = replace(
        CLUSTER, nodes=[node("node-a", closed=True), node("node-b", closed=True), node("node-c")]
    )
    found = begun().moved(["node-b"], REMOVING)
    back = switch(cluster, wanted=DEPLOYED, found=found).data
    assert (back["to_do"], back["closed"]) == (["node-b"], ["node-a"])
    assert switch(cluster, found=found).data["closed"] == []


def begun() -> Progress:
    found = progress_towards(None, "kubernetes", End.of_plan(DEPLOYED), End.of_plan(WANTED), NAMES)
    assert found is not None
    return found


def test_a_limit_tells_who_is_left_and_leaves_what_they_need_in_the_api() -> None:
    task = switch(hosts=["node-a", "node-b"])
    assert "  Left as they are, until a run for them: node-c" in task.text
    assert task.data["left_out"] == ["node-c"]


def test_batches_are_told() -> None:
    task = switch(batch=1)
    assert "node-a, node-b, node-c, 1 at a time" in task.text
    assert "until the last one, pods of the two networks do not all reach each other" in task.text
    assert task.data["batch"] == 1


def test_without_a_record_there_is_nothing_to_switch_from() -> None:
    with pytest.raises(
        FlatnetError, match=r"nothing is recorded as deployed.*run playbooks/provision_network.yml"
    ):
        switch(deployed=None)


def test_a_node_that_is_down_is_named_with_two_ways_on() -> None:
    cluster = replace(
        CLUSTER, nodes=[node("node-b", "NodeStatusUnknown: Kubelet stopped posting node status.")]
    )
    assert reasons(cluster) == [
        "node-b is down (NodeStatusUnknown: Kubelet stopped posting node status.); bring it back, or leave "
        "it out "
        "with --limit '!node-b' and run again for it later"
    ]
    assert switch(cluster, hosts=["node-a", "node-c"]).data["is_needed"]


def test_a_node_between_two_networks_is_no_node_that_is_down() -> None:
    cluster = replace(CLUSTER, nodes=[node("node-b", "KubeletNotReady: no network")])
    assert switch(cluster, found=begun().moved(["node-b"], REMOVING)).data["is_needed"]


def test_a_budget_that_forbids_it_is_named_with_what_to_do() -> None:
    cluster = replace(CLUSTER, budgets=[BUDGET])
    assert reasons(cluster) == [
        "the PodDisruptionBudget shop/web allows 1 of its pods to go, and 2 of them would be made anew at "
        "once; a "
        "smaller cluster_switch_batch, more replicas, or cluster_switch_ignored_budgets: [shop/web] lets it "
        "through"
    ]
    assert switch(cluster, batch=1).data["is_needed"]
    assert switch(cluster, ignored_budgets=["shop/web"]).data["is_needed"]
    assert switch(cluster, wanted=prepare(Settings(kube_proxy_mode="nftables")).plan).data["is_needed"]
    assert len(reasons(replace(CLUSTER, budgets=[{**BUDGET, "allowed": 0}]), batch=1)) == 1


def test_pods_of_a_backend_that_gives_out_addresses_get_others_of_the_pool() -> None:
    wanted = prepare(
        contract=KUBENET
        | {
            "name": "pools",
            "check": dict.fromkeys(KUBENET["check"], "node_address"),
            "ipam": "backend",
            "routes": "backend",
        }
    ).plan
    assert (
        "Addresses: pods get others of 10.200.0.0/16; services and nodes keep theirs"
        in switch(wanted=wanted).text
    )
