"""Taking over a cluster that runs already."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import DUAL, HOSTS, OWN_IPAM, findings, host, pod_cidrs, prepare

from flatnet.errors import FlatnetError
from flatnet.plan import Settings, adopted_allocations


def node(name: str, *cidrs: str) -> dict[str, Any]:
    """Return a Node object as the API server gives it, with much beside what is read."""
    spec: dict[str, Any] = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {}
    metadata = {"name": name, "uid": "7d5f", "labels": {"kubernetes.io/hostname": name}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec, "status": {"phase": "x"}}


def listed(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(nodes), "metadata": {"resourceVersion": ""}}


RUNNING = listed(node("node-a", "10.200.5.0/24"), node("node-b", "10.200.0.0/24"))


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


BOTH = [host("node-a", "192.0.2.1", "2001:db8::1", groups=HOSTS[0].groups)]


def test_both_families_are_taken_over() -> None:
    running = [node("node-a", "10.200.3.0/24", "2001:db8:200:7::/64")]
    assert pod_cidrs(prepare(DUAL, BOTH, existing_nodes=running)) == {
        "node-a": ["10.200.3.0/24", "2001:db8:200:7::/64"]
    }


@pytest.mark.parametrize(
    ("has", "families"),
    [
        (("2001:db8:200:7::/64", "10.200.3.0/24"), "ipv6, ipv4"),
        (("10.200.3.0/24",), "ipv4"),
    ],
    ids=["order", "one alone"],
)
def test_families_that_a_running_node_cannot_get_are_refused(has: tuple[str, ...], families: str) -> None:
    assert findings(DUAL, BOTH, existing_nodes=[node("node-a", *has)]) == [
        f"[adoption-families] node-a: Node.spec.podCIDRs has {', '.join(has)}: nodes are planned with ipv4, "
        "ipv6, and Node.spec.podCIDRs is immutable. Fix: write cluster_pod_cidrs and "
        f"cluster_service_cidrs for {families}, or "
        "drain it, delete its Node object and give the Node objects again."
    ]


def test_a_family_that_is_not_planned_is_refused_too() -> None:
    running = [node("node-a", "10.200.3.0/24", "2001:db8:200:7::/64")]
    assert findings(existing_nodes=running) == [
        "[adoption-families] node-a: Node.spec.podCIDRs has 10.200.3.0/24, 2001:db8:200:7::/64: nodes are "
        "planned with ipv4, and Node.spec.podCIDRs is immutable. Fix: write cluster_pod_cidrs and "
        "cluster_service_cidrs for "
        "ipv4, ipv6, or drain it, delete its Node object and give the Node objects again."
    ]


def test_networks_of_another_size_are_refused_until_that_size_is_written() -> None:
    running = [node("node-b", "10.200.3.0/25"), node("node-a", "10.200.2.128/25")]
    assert findings(existing_nodes=running) == [
        "[adoption-prefix] node-a: Node.spec.podCIDRs has 10.200.2.128/25; node-b: Node.spec.podCIDRs has "
        "10.200.3.0/25: nodes are planned with a /24. Fix: write 25 into cluster_node_prefixes, or "
        "pod_prefix: 25 on "
        "that host."
    ]
    assert pod_cidrs(prepare(replace(Settings(), node_prefixes=(25,)), existing_nodes=running)) == {
        "node-a": ["10.200.2.128/25"],
        "node-b": ["10.200.3.0/25"],
        "node-c": ["10.200.0.0/25"],
    }
    some = [replace(one, pod_prefixes=(25,)) for one in HOSTS[:2]] + HOSTS[2:]
    planned = prepare(some=some, existing_nodes=running)
    assert pod_cidrs(planned)["node-c"] == ["10.200.0.0/24"]
    # What was adopted once stays when new nodes are to have another size.
    again = prepare(allocations=planned.allocations.to_mapping(), existing_nodes=running)
    assert again.allocations.nodes == planned.allocations.nodes


def test_a_host_with_its_own_number_of_pods_is_measured_by_that() -> None:
    some = [replace(HOSTS[0], max_pods=200), *HOSTS[1:]]
    assert pod_cidrs(prepare(some=some, existing_nodes=RUNNING))["node-a"] == ["10.200.5.0/24"]
    assert findings(some=some, existing_nodes=[node("node-a", "10.200.5.0/25")]) == [
        "[max-pods] node-a: allocation 10.200.5.0/25: it addresses 125 pods, max_pods is 200. Fix: lower "
        "that or pin a larger network."
    ]


def test_a_running_node_without_a_network_is_refused_unless_something_says_which() -> None:
    running = [*RUNNING["items"], node("node-c")]
    assert findings(existing_nodes=running) == [
        "[adoption-missing] node-c: Node.spec.podCIDRs is empty: what the cluster gives it later may not be "
        "what is planned now. Fix: give the Node objects again once it has one; pin one if nothing in the "
        "cluster gives any."
    ]
    ledger = {"nodes": {"node-c": ["10.200.7.0/24"]}}
    assert pod_cidrs(prepare(allocations=ledger, existing_nodes=running))["node-c"] == ["10.200.7.0/24"]
    some = [*HOSTS[:2], replace(HOSTS[2], pod_cidr_pins=("10.200.8.0/24",))]
    assert pod_cidrs(prepare(some=some, existing_nodes=running))["node-c"] == ["10.200.8.0/24"]


def test_a_running_stranger_without_a_network_is_named() -> None:
    assert prepare(existing_nodes=[node("late")]).warnings == [
        "[adoption-missing] late: Node.spec.podCIDRs is empty: it is not a node of the inventory, and may be "
        "given a network that is planned for another. Fix: give the Node objects again once it has one."
    ]


def test_an_old_node_object_with_one_network_alone_is_understood() -> None:
    old = {"metadata": {"name": "node-a"}, "spec": {"podCIDR": "10.200.9.0/24"}}
    assert adopted_allocations(old) == {"nodes": {"node-a": ["10.200.9.0/24"]}, "removed": {}}


def test_what_disagrees_with_the_allocations_names_the_node_and_both_networks() -> None:
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"]}}
    assert findings(allocations=ledger, existing_nodes=[node("node-a", "10.200.5.0/24")]) == [
        "[adoption-conflict] node-a: Node.spec.podCIDRs has 10.200.5.0/24, the allocations have "
        "10.200.0.0/24: Node.spec.podCIDRs is immutable. Fix: delete its entry from the allocations to "
        "adopt that, or drain it and delete its Node object."
    ]


@pytest.mark.parametrize("owner", ["node-a", "old"])
def test_an_entry_on_what_a_running_node_has_is_the_one_to_go(owner: str) -> None:
    ledger = {"nodes": {"node-b": ["10.200.4.0/23"]}}
    assert findings(allocations=ledger, existing_nodes=[node(owner, "10.200.5.0/24")]) == [
        f"[adoption-conflict] node-b: the allocations have 10.200.4.0/23: the running node {owner} has "
        "10.200.5.0/24. Fix: delete its entry from the allocations, so that it gets another network."
    ]


def test_two_running_nodes_with_the_same_network_are_told_apart_from_wrong_allocations() -> None:
    running = [node("node-b", "10.200.5.0/24"), node("old", "10.200.4.0/23"), node("a", "10.200.8.0/24")]
    assert findings(existing_nodes=running) == [
        "[adoption-conflict] node-b: Node.spec.podCIDRs has 10.200.5.0/24: the running node old has "
        "10.200.4.0/23. Fix: drain one of the two and delete its Node object."
    ]


def test_a_pin_on_what_a_running_node_has_settles_what_the_allocations_have() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.5.0/24",)), *HOSTS[1:]]
    ledger = {"nodes": {"node-a": ["10.200.0.0/24"]}}
    planned = prepare(some=some, allocations=ledger, existing_nodes=RUNNING)
    assert pod_cidrs(planned)["node-a"] == ["10.200.5.0/24"]
    assert planned.warnings == []


def test_what_is_outside_the_pod_networks_is_refused() -> None:
    assert findings(existing_nodes=[node("node-a", "10.9.5.0/24")]) == [
        "[allocation-outside] node-a: allocation 10.9.5.0/24: it is outside 10.200.0.0/16. "
        "Fix: let cluster_pod_cidrs cover it, or pin a network inside and replace the node; "
        "the entry of a node that does not run yet can be deleted."
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
        "[adoption-stranger] old-[0:2]: Node object: it is not a node of the inventory, and its network is "
        "kept for it. Fix: add it to kube_node, with node_name if the host has another name, or delete the "
        "Node object."
    ]


def test_what_a_running_stranger_has_is_given_to_nobody_even_when_the_pool_is_full() -> None:
    narrow = Settings(pod_cidrs=("10.200.0.0/22",))
    strangers = [node("old-0", "10.200.0.0/24"), node("old-1", "10.200.1.0/24")]
    assert "none is left for node-c" in findings(narrow, existing_nodes=strangers)[0]
    ledger = {"removed": {"gone": ["10.200.2.0/24"]}}
    planned = prepare(narrow, HOSTS[:2], allocations=ledger, existing_nodes=strangers)
    assert pod_cidrs(planned) == {"node-a": ["10.200.3.0/24"], "node-b": ["10.200.2.0/24"]}
    assert sorted(planned.allocations.removed) == ["old-0", "old-1"]


def test_a_pin_that_a_running_node_does_not_have_is_refused() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.9.0/24",)), *HOSTS[1:]]
    assert findings(some=some, existing_nodes=[node("node-a", "10.200.0.0/24")]) == [
        "[pin-moves-node] node-a: pod_cidr 10.200.9.0/24 in place of 10.200.0.0/24: its Node object has "
        "that, and Node.spec.podCIDRs is immutable. Fix: pin what it has, or drain it, delete its Node "
        "object and give the Node objects again."
    ]


def test_a_pin_on_what_a_running_stranger_has_names_both() -> None:
    some = [replace(HOSTS[0], pod_cidr_pins=("10.200.4.0/23",)), *HOSTS[1:]]
    assert findings(some=some, existing_nodes=[node("old", "10.200.5.0/24")]) == [
        "[pin-conflict] node-a: 10.200.4.0/23: it overlaps 10.200.5.0/24 of the running node old. "
        "Fix: pin another network, or delete that Node object first."
    ]


def test_a_backend_that_gives_networks_itself_adopts_none() -> None:
    contract = OWN_IPAM
    assert prepare(contract=contract, existing_nodes=[node("node-a", "10.9.0.0/24")]).warnings == []


@pytest.mark.parametrize(
    ("given_as", "line"),
    [
        ("[", "the Node objects: they are not JSON: Expecting value: line 1 column 2 (char 1)"),
        (5, "the Node objects: they are not a list"),
        ({"items": 5}, "the Node objects: they are not a list"),
        ([5], "5: it is not a Node object"),
        ({}, "a Node object named None: no node has such a name"),
        ([{"kind": "Pod", "metadata": {"name": "dns"}}], "Pod dns: it is not a Node object"),
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
