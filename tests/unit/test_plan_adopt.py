"""Taking over a cluster that runs already."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import DUAL, HOSTS, KUBENET, findings, host, pod_cidrs, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Settings, adopted_allocations


def node(name: str, *cidrs: str) -> dict[str, Any]:
    """Return a Node object as the API server gives it, with much beside what is read."""
    spec: dict[str, Any] = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {}
    metadata = {"name": name, "uid": "7d5f", "labels": {"kubernetes.io/hostname": name}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec, "status": {"phase": "x"}}


def listed(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(nodes), "metadata": {"resourceVersion": ""}}


RUNNING = listed(node("node-a", "10.200.5.0/24"), node("node-b", "10.200.0.0/24"), node("node-c"))


@pytest.mark.parametrize(
    "given_as", [RUNNING, RUNNING["items"], json.dumps(RUNNING), json.dumps(RUNNING["items"])], ids=type
)
def test_nodes_keep_what_they_have_and_the_rest_is_planned_around_it(given_as: object) -> None:
    planned = prepare(existing_nodes=given_as)
    assert pod_cidrs(planned) == {
        "node-a": ["10.200.5.0/24"],
        "node-b": ["10.200.0.0/24"],
        "node-c": ["10.200.1.0/24"],
    }
    assert planned.warnings == []
    again = prepare(allocations=planned.allocations.to_mapping(), existing_nodes=given_as)
    assert again.allocations == planned.allocations


def test_both_families_are_taken_over_in_whatever_order() -> None:
    some = [host("node-a", "192.0.2.1", "2001:db8::1", groups=HOSTS[0].groups)]
    running = [node("node-a", "2001:db8:200:7::/64", "10.200.3.0/24")]
    assert pod_cidrs(prepare(DUAL, some, existing_nodes=running)) == {
        "node-a": ["10.200.3.0/24", "2001:db8:200:7::/64"]
    }


def test_an_old_node_object_with_one_network_alone_is_understood() -> None:
    old = {"metadata": {"name": "node-a"}, "spec": {"podCIDR": "10.200.9.0/24"}}
    assert adopted_allocations(old) == {"nodes": {"node-a": ["10.200.9.0/24"]}, "removed": {}}


def test_what_disagrees_with_the_allocations_names_the_node_and_both_networks() -> None:
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"]}}
    assert findings(allocations=ledger, existing_nodes=[node("node-a", "10.200.5.0/24")]) == [
        "[adoption-conflict] node-a: Node.spec.podCIDRs has 10.200.5.0/24, the allocations have "
        "10.200.0.0/24: what a Node has is immutable. Fix: write what it has into the allocations, "
        "or drain it and delete its Node object."
    ]


def test_what_another_node_has_in_the_allocations_names_both_nodes() -> None:
    ledger = {"nodes": {"node-b": ["10.200.4.0/23"]}}
    assert findings(allocations=ledger, existing_nodes=[node("node-a", "10.200.5.0/24")]) == [
        "[allocation-conflict] node-a: 10.200.5.0/24: it overlaps 10.200.4.0/23 of node-b. "
        "Fix: keep the one whose Node object has it, delete the other's entry, for one of the two."
    ]


def test_what_is_outside_the_pod_networks_is_refused() -> None:
    assert findings(existing_nodes=[node("node-a", "10.9.5.0/24")]) == [
        "[allocation-outside] node-a: allocation 10.9.5.0/24: it is outside 10.200.0.0/16. "
        "Fix: let pod_cidrs cover it, or pin a network inside and replace the node."
    ]


def test_what_was_kept_for_a_node_that_left_is_a_running_nodes_now_and_that_is_said() -> None:
    ledger = {"removed": {"gone": ["10.200.5.0/24"], "node-a": ["10.200.8.0/24"]}}
    planned = prepare(allocations=ledger, existing_nodes=[node("node-a", "10.200.5.0/24")])
    assert pod_cidrs(planned)["node-a"] == ["10.200.5.0/24"]
    assert planned.allocations.removed == {}
    assert planned.warnings == [
        "[adoption-conflict] gone: 10.200.5.0/24: it was kept for a node that left, and a running node "
        "has it. Fix: nothing, unless that node is to return."
    ]


def test_running_nodes_that_the_inventory_does_not_know_keep_theirs_and_are_named() -> None:
    strangers = [node(f"old-{i}", f"10.200.{i}.0/24") for i in range(3)]
    planned = prepare(existing_nodes=strangers)
    assert sorted(planned.allocations.removed) == ["old-0", "old-1", "old-2"]
    assert pod_cidrs(planned)["node-a"] == ["10.200.3.0/24"]
    assert planned.warnings == [
        "[adoption-stranger] old-[0:2]: Node object: it is no node of the inventory, and its network is kept "
        "for it. Fix: add it to kube_node, or delete the Node object."
    ]


def test_what_a_running_stranger_has_is_given_to_nobody_even_when_the_pool_is_full() -> None:
    narrow = Settings(pod_cidrs=("10.200.0.0/22",))
    strangers = [node("old-0", "10.200.0.0/24"), node("old-1", "10.200.1.0/24")]
    assert "none is left for node-c" in findings(narrow, existing_nodes=strangers)[0]
    ledger = {"removed": {"gone": ["10.200.2.0/24"]}}
    planned = prepare(narrow, HOSTS[:2], allocations=ledger, existing_nodes=strangers)
    assert pod_cidrs(planned) == {"node-a": ["10.200.3.0/24"], "node-b": ["10.200.2.0/24"]}
    assert sorted(planned.allocations.removed) == ["old-0", "old-1"]


def test_a_pin_wins_over_what_a_running_node_has_and_says_what_that_takes() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.9.0/24",)), *HOSTS[1:]]
    running = [node("node-a", "10.200.0.0/24")]
    planned = prepare(some=some, existing_nodes=running)
    # What the node has until it is replaced goes to nobody.
    assert pod_cidrs(planned) == {
        "node-a": ["10.200.9.0/24"],
        "node-b": ["10.200.1.0/24"],
        "node-c": ["10.200.2.0/24"],
    }
    assert planned.warnings == [
        "[pin-moves-node] node-a: pod_cidr 10.200.9.0/24 in place of 10.200.0.0/24: Node.spec.podCIDRs is "
        "immutable. Fix: drain and delete the Node object before this is applied, or pin what it has."
    ]


def test_a_pin_on_what_a_running_stranger_has_names_both() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.4.0/23",)), *HOSTS[1:]]
    assert findings(some=some, existing_nodes=[node("old", "10.200.5.0/24")]) == [
        "[pin-conflict] node-a: 10.200.4.0/23: it overlaps 10.200.5.0/24 of the running node old. "
        "Fix: pin another network, or delete that Node object first."
    ]


def test_a_backend_that_gives_networks_itself_adopts_none() -> None:
    contract = KUBENET | {"ipam": "backend"}
    assert prepare(contract=contract, existing_nodes=[node("node-a", "10.9.0.0/24")]).warnings == []


@pytest.mark.parametrize(
    ("given_as", "line"),
    [
        ("[", "the Node objects: they are not JSON: Expecting value: line 1 column 2 (char 1)"),
        (5, "the Node objects: they are not a list"),
        ({"items": 5}, "the Node objects: they are not a list"),
        ([5], "5: it is not a Node object"),
        ([{}], "a Node object named None: no node has such a name"),
        ([node("A_b")], "a Node object named 'A_b': no node has such a name"),
        ([node("a", "x")], "a: podCIDRs: 'x' is not a network"),
        ([node("a", "10.0.0.1/24")], "a: podCIDRs: '10.0.0.1/24' has host bits set"),
        ([{"metadata": {"name": "a"}, "spec": {"podCIDRs": "x"}}], "a: podCIDRs 'x': they are not a list"),
        ([{"metadata": {"name": "a"}, "spec": {"podCIDRs": [5]}}], "a: podCIDRs 5: it is not text"),
        ([node("a", "10.0.0.0/24")] * 2, "a: there are two Node objects of that name"),
    ],
)
def test_what_is_no_list_of_node_objects_is_refused(given_as: object, line: str) -> None:
    assert f"[adoption-format] {line}. Fix: give what `kubectl get nodes -o json` prints." in findings(
        existing_nodes=given_as
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: (
        st.lists(x) | st.dictionaries(st.sampled_from(["items", "metadata", "name", "spec", "podCIDRs"]), x)
    ),
    max_leaves=12,
)


@given(anything | anything.map(json.dumps) | st.text())
def test_arbitrary_node_objects_raise_nothing_but_the_error_for_users(data: object) -> None:
    try:
        adopted = adopted_allocations(data)
    except FlatnetError:
        return
    assert set(adopted) == {"nodes", "removed"}


def test_without_running_nodes_nothing_is_adopted() -> None:
    assert prepare(Settings(), existing_nodes=[]).allocations == prepare().allocations
