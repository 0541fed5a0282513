"""Whose allocations these are."""

from dataclasses import replace

import pytest
from plan_cases import ALL_GROUPS, HOSTS, OWN_IPAM, findings, pod_cidrs, prepare

from flatnet.plan import Settings


def test_allocations_of_another_cluster_are_refused_with_the_way_out() -> None:
    ledger = {"cluster": "berlin", "nodes": {"node-a": ["10.9.0.0/24"]}}
    assert findings(Settings(cluster_name="paris"), allocations=ledger) == [
        "[allocation-cluster] cluster berlin: the allocations belong to that cluster, and this one is paris. "
        "Fix: give this cluster an allocations file of its own, or, if it was renamed, "
        "write cluster: paris into the file."
    ]
    assert prepare(Settings(cluster_name="berlin")).allocations.cluster == "berlin"


WEB = {f"web-{i}": [f"10.200.{i}.0/24"] for i in range(9)}
OF_ANOTHER = (
    "[allocation-cluster] nodes {}: the inventory has none of them but node-a, node-b, node-c, so that the "
    "allocations are another cluster's. Fix: give this cluster an allocations file and a cluster_name of its "
    "own; if its nodes were renamed, rename the entries, and if really all were replaced at once, move the "
    "entries from nodes to removed."
)


@pytest.mark.parametrize("cluster", ["", "kubernetes"])
def test_allocations_whose_nodes_are_all_unknown_are_another_clusters_of_the_same_name(cluster: str) -> None:
    ledger = {"cluster": cluster, "nodes": WEB | {"db-1": [], "db-3": [], "x": []}}
    assert findings(allocations=ledger) == [OF_ANOTHER.format("db-1, db-3, web-[0:8] and 1 more")]


def test_nodes_that_were_all_replaced_are_moved_to_removed_by_hand() -> None:
    assert pod_cidrs(prepare(allocations={"removed": WEB}))["node-a"] == ["10.200.9.0/24"]


def test_one_node_that_was_replaced_is_the_same_cluster() -> None:
    planned = prepare(allocations={"nodes": {"web-1": ["10.200.1.0/24"]}})
    assert list(planned.allocations.removed) == ["web-1"]


def test_a_host_that_is_no_node_any_more_tells_that_it_is_the_same_cluster() -> None:
    some = [replace(HOSTS[0], groups=ALL_GROUPS - {"kube_node"}), *HOSTS[1:]]
    planned = prepare(some=some, allocations={"nodes": {"node-a": ["10.200.1.0/24"], "web-1": []}})
    assert list(planned.allocations.removed) == ["node-a", "web-1"]


def test_a_pin_on_a_recorded_network_does_not_make_it_the_same_cluster() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.1.0/24",)), *HOSTS[1:]]
    assert findings(some=some, allocations={"nodes": WEB}) == [OF_ANOTHER.format("web-[0:8]")]


def test_running_nodes_tell_that_it_is_the_same_cluster_and_only_those_that_are_recorded() -> None:
    def running(*names: str) -> list[dict[str, object]]:
        return [{"metadata": {"name": name}, "spec": {"podCIDRs": WEB["web-4"]}} for name in names]

    planned = prepare(allocations={"nodes": WEB}, existing_nodes=running("web-4"))
    assert [line.split(":")[0] for line in planned.warnings] == ["[adoption-stranger] web-4"]
    # Another cluster's allocations are not held against what runs.
    assert findings(allocations={"nodes": WEB}, existing_nodes=running("node-a")) == [
        OF_ANOTHER.format("web-[0:8]")
    ]


def test_allocations_that_the_backend_does_not_follow_may_be_of_nodes_that_left() -> None:
    contract = OWN_IPAM
    assert prepare(contract=contract, allocations={"nodes": WEB}).plan["nodes"].keys() == {
        "node-a",
        "node-b",
        "node-c",
    }
