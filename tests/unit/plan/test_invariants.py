"""What holds for every plan that is not refused, whatever the hosts, the ledger, pins and running nodes."""

import json
from itertools import combinations
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, KUBENET, contracts_of

from flatnet.errors import FlatnetError
from flatnet.plan import Planned, node_routes, parse_ledger, plan_from_data
from flatnet.plan.addresses import Network, parse_network
from flatnet.plan.ledger_text import ledger_text

CONTRACTS = contracts_of(KUBENET | {"several_pod_cidrs": True})
NUMBERS = st.integers(0, 5)
NETWORKS = (
    st.integers(0, 20).map(lambda i: f"10.200.{i}.0/24")
    | st.integers(0, 6).map(lambda i: f"10.200.{2 * i}.0/23")
    | st.integers(1, 9).map(lambda i: f"2001:db8:200:{i}::/64")
)
ENTRIES = st.dictionaries(
    st.sampled_from(["n0", "n1", "n2", "n3", "n4", "y", "z"]),
    st.lists(NETWORKS, max_size=2, unique_by=lambda text: ":" in text),
    max_size=5,
)
POOLS = st.sampled_from(
    [
        ("10.200.0.0/16",),
        ("10.200.0.0/21",),
        ("10.200.0.0/22", "10.200.16.0/22"),
        ("10.200.0.0/20", "2001:db8:200::/56"),
        ("2001:db8:200::/60",),
    ]
)
SERVICES = {False: "10.32.0.0/24", True: "2001:db8:32::/112"}


@st.composite
def inputs(draw: st.DrawFn) -> dict[str, Any]:
    """Return arguments of plan_from_data; many of them are refused, and many are not."""
    pods = draw(POOLS)
    numbers = sorted(draw(st.sets(NUMBERS, min_size=1)))
    pins = draw(st.dictionaries(NUMBERS, NETWORKS, max_size=2))
    sizes = draw(st.dictionaries(NUMBERS, st.integers(22, 25), max_size=2)) if len(pods) == 1 else {}
    hosts = [
        {
            "inventory_name": f"n{i}",
            "addresses": [f"192.0.2.{i + 1}", f"2001:db8::{i + 1}"],
            "groups": sorted(ALL_GROUPS) if i == numbers[0] else ["kube_node"],
            "pod_cidr": pins.get(i),
            "pod_prefix": sizes.get(i),
        }
        for i in numbers
    ]
    families = dict.fromkeys(":" in text for text in pods)
    nodes, removed = draw(ENTRIES), draw(ENTRIES)
    running = draw(st.just({}) | ENTRIES)
    return {
        "settings": {
            "cluster_pod_cidrs": list(pods),
            "cluster_service_cidrs": [SERVICES[six] for six in families],
            "cluster_max_pods": 50,
        },
        "hosts": hosts,
        "contracts": CONTRACTS,
        "allocations": {
            "nodes": nodes,
            "removed": {name: entry for name, entry in removed.items() if name not in nodes},
        },
        "existing_nodes": [
            {"metadata": {"name": name}, "spec": {"podCIDRs": entry}} for name, entry in running.items()
        ],
    }


def planned(arguments: dict[str, Any]) -> Planned | None:
    try:
        return plan_from_data(**arguments)
    except FlatnetError:
        return None


def networks_of(entries: dict[str, list[str]]) -> list[Network]:
    return [parse_network(text) for listed in entries.values() for text in listed]


@settings(max_examples=500)
@given(inputs())
def test_every_plan_keeps_what_it_promises(arguments: dict[str, Any]) -> None:
    found = planned(arguments)
    if found is None:
        return
    plan, before = found.plan, arguments["allocations"]
    nodes = {name: node["pod_cidrs"] for name, node in plan["nodes"].items()}
    pools = [parse_network(text) for text in plan["pod_cidrs"]]
    families = {pool.family for pool in pools}
    # Every node has one network per family, inside the pools, and nobody else's.
    assert all(len(listed) == len(families) for listed in nodes.values())
    given_out = networks_of(nodes)
    assert all(any(pool.contains(network) for pool in pools) for network in given_out)
    assert not any(one.overlaps(other) for one, other in combinations(given_out, 2))
    # Who was there stays where it was, unless a pin says otherwise; pins win.
    pins = {host["inventory_name"]: host["pod_cidr"] for host in arguments["hosts"] if host["pod_cidr"]}
    for name, pin in pins.items():
        assert pin in nodes[name] or parse_network(pin).family not in families
    for name in before["nodes"].keys() & nodes.keys() - pins.keys():
        kept = [text for text in before["nodes"][name] if parse_network(text).family in families]
        assert set(kept) <= set(nodes[name])
    # Allocations of several nodes have one of this cluster: of the inventory, or a running one.
    running = {item["metadata"]["name"] for item in arguments["existing_nodes"]}
    assert len(before["nodes"]) < 2 or before["nodes"].keys() & (nodes.keys() | running)
    # What is kept for who left is nobody's, and so is what running nodes have that are not planned.
    plain = found.allocations.to_mapping()
    strangers = {
        item["metadata"]["name"]: item["spec"]["podCIDRs"]
        for item in arguments["existing_nodes"]
        if item["metadata"]["name"] not in nodes
    }
    for network in [*networks_of(plain["removed"]), *networks_of(strangers)]:
        assert network.family not in families or not any(network.overlaps(other) for other in given_out)


@settings(max_examples=200)
@given(inputs(), st.randoms(use_true_random=True))
def test_planning_again_in_another_order_gives_the_same_bytes(
    arguments: dict[str, Any], random: Random
) -> None:
    found = planned(arguments)
    if found is None:
        return
    text = ledger_text(found.allocations)
    shuffled = random.sample(arguments["hosts"], len(arguments["hosts"]))
    again = planned(arguments | {"hosts": shuffled, "allocations": parse_ledger(text)})
    assert again is not None
    assert json.dumps(again.plan) == json.dumps(found.plan)
    assert ledger_text(again.allocations) == text
    for name in found.plan["nodes"]:
        assert len(node_routes(again.plan, name)) == (len(shuffled) - 1) * len(found.plan["families"])
