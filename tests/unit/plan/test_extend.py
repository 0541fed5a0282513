"""Adding nodes to a plan gives the plan of everybody."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, DUAL, KUBENET, host, prepare, with_facts

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, Contract, Host, Planned, Settings, extend, extend_plan, prepare_plan

WIDE = Settings(pod_cidrs=("10.192.0.0/12", "2001:db8:200::/48"), service_cidrs=DUAL.service_cidrs)
FIRST = host("m", "192.0.2.1", "2001:db8::1", groups=ALL_GROUPS)


def node(number: int) -> Host:
    """Return a node whose name, address and number have different orders."""
    return host(f"n{number * 37 % 101:03}", f"192.0.2.{number + 2}", f"2001:db8::{(255 - number):x}")


def same(one: Planned, other: Planned) -> bool:
    assert json.dumps(one.plan) == json.dumps(other.plan)
    assert one.allocations.to_mapping() == other.allocations.to_mapping()
    assert list(one.allocations.nodes) == list(other.allocations.nodes)
    assert one.warnings == other.warnings
    assert one.basis.hosts == other.basis.hosts
    assert one.basis.resolved == other.basis.resolved
    return True


def is_quick(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Return a function that tells whether no plan was made anew since."""
    calls: list[object] = []

    def anew(
        settings: Settings, hosts: Sequence[Host], contract: Contract, allocations: Allocations
    ) -> Planned:
        calls.append(hosts)
        return prepare_plan(settings, hosts, contract, allocations)

    monkeypatch.setattr(extend, "prepare_plan", anew)
    return lambda: not calls


NUMBERS = st.sets(st.integers(0, 60), max_size=8)


@given(NUMBERS, NUMBERS, NUMBERS, st.randoms(use_true_random=True), st.sampled_from([WIDE, Settings()]))
def test_adding_nodes_gives_the_plan_of_everybody(
    first: set[int], second: set[int], third: set[int], random: Random, settings: Settings
) -> None:
    planned = prepare(settings, [FIRST, *map(node, first)])
    known = set(first)
    for more in (second - first, third - first - second):
        some = [node(number) for number in more]
        random.shuffle(some)
        known |= more
        everybody = [FIRST, *map(node, known)]
        ledger = planned.allocations.to_mapping()
        planned = extend_plan(planned, some)
        assert same(planned, prepare(settings, everybody, allocations=ledger))


@given(NUMBERS, NUMBERS, NUMBERS)
def test_nodes_that_left_are_remembered_when_others_are_added(
    first: set[int], stay: set[int], more: set[int]
) -> None:
    narrow = replace(WIDE, pod_cidrs=("10.192.0.0/20", "2001:db8:200::/48"))
    before = prepare(narrow, [FIRST, *map(node, first)])
    kept = [FIRST, *map(node, first & stay)]
    planned = prepare(narrow, kept, allocations=before.allocations.to_mapping())
    some = [node(number) for number in more - (first & stay)]
    assume(len(kept) + len(some) <= 16)
    ledger = planned.allocations.to_mapping()
    assert same(extend_plan(planned, some), prepare(narrow, [*kept, *some], allocations=ledger))


def test_a_plain_node_is_added_without_planning_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = prepare(WIDE, [FIRST, node(1), node(2)])
    quick = is_quick(monkeypatch)
    # Few nodes are no reason for the long way.
    extended = extend_plan(planned, [node(3), replace(node(4), pod_prefixes=(23, 60), max_pods=200)])
    assert quick()
    assert len(extended.plan["nodes"]) == 5
    # What is there already is not even copied.
    assert extended.plan["nodes"]["m"] is planned.plan["nodes"]["m"]
    assert len(planned.plan["nodes"]) == 3


@pytest.mark.parametrize(
    "added",
    [
        replace(node(3), groups=ALL_GROUPS),
        replace(node(3), pod_cidr_pins=("10.200.0.0/24",)),
        with_facts(node(3), interfaces=[]),
    ],
    ids=["control plane", "pin", "facts"],
)
def test_a_host_that_is_more_than_a_node_takes_the_long_way(
    added: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = prepare(WIDE, [FIRST, node(1), node(2)])
    quick = is_quick(monkeypatch)
    extended = extend_plan(planned, [added])
    assert not quick()
    expected = prepare(WIDE, [FIRST, node(1), node(2), added], allocations=planned.allocations.to_mapping())
    assert same(extended, expected)


@pytest.mark.parametrize(
    "added",
    [
        node(1),
        replace(node(3), node_name="m"),
        replace(node(3), addresses=node(1).addresses),
        replace(node(3), node_name="N"),
        replace(node(3), addresses=("10.192.0.1", "2001:db8::9")),
        replace(node(3), pod_prefixes=(9, 64)),
        replace(node(3), max_pods=300),
        replace(node(3), is_in_cluster=False),
    ],
    ids=["name", "node name", "address", "no name", "inside pods", "size", "pods", "group"],
)
def test_what_is_wrong_is_reported_as_ever(added: Host) -> None:
    planned = prepare(WIDE, [FIRST, node(1), node(2)])
    with pytest.raises(FlatnetError) as long:
        prepare(WIDE, [FIRST, node(1), node(2), added], allocations=planned.allocations.to_mapping())
    with pytest.raises(FlatnetError) as short:
        extend_plan(planned, [added])
    assert str(short.value) == str(long.value)


def test_the_first_node_of_all_ends_the_warning_that_there_is_none() -> None:
    master = replace(FIRST, groups=ALL_GROUPS - {"kube_node"})
    planned = prepare(WIDE, [master])
    assert [line.split()[0] for line in planned.warnings] == ["[control-plane-node]", "[host-missing]"]
    extended = extend_plan(planned, [node(1)])
    assert [line.split()[0] for line in extended.warnings] == ["[control-plane-node]"]
    assert same(extended, prepare(WIDE, [master, node(1)], allocations=planned.allocations.to_mapping()))


def test_a_full_pool_is_reported_with_the_numbers_of_everybody() -> None:
    narrow = Settings(pod_cidrs=("10.192.0.0/23",))
    planned = prepare(narrow, [FIRST, node(1)])
    with pytest.raises(FlatnetError, match="it holds 2 /24 networks, 2 taken by nodes, 1 more needed"):
        extend_plan(planned, [node(2)])


def test_a_plan_that_was_compared_or_that_gave_away_what_was_kept_is_planned_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = is_quick(monkeypatch)
    extend_plan(prepare(WIDE, [FIRST], deployed={"dns_domain": "cluster.local"}), [node(1)])
    assert not quick()
    narrow = Settings(pod_cidrs=("10.192.0.0/22",))
    kept = {"removed": {f"gone-{i}": [f"10.192.{i}.0/24"] for i in range(4)}}
    planned = prepare(narrow, [FIRST], KUBENET, kept)
    assert len(planned.warnings) == 2
    extended = extend_plan(planned, [node(1)])
    ledger = planned.allocations.to_mapping()
    assert same(extended, prepare(narrow, [FIRST, node(1)], allocations=ledger))
