"""Everybody is reached in every topology, and the spanning tree protocol is told what it has to cover."""

from __future__ import annotations

import pytest

from flatnet.openvswitch.topology import hops, peers, spanning_tree, stp_faults, stp_port_numbers

SIZES = (*range(1, 40), 100, 255, 256)


@pytest.mark.parametrize("degree", [2, 4, 6])
@pytest.mark.parametrize("count", SIZES)
def test_tunnels_of_a_partial_mesh_have_both_ends_and_reach_all(count: int, degree: int) -> None:
    found = [peers(count, one, "partial", degree) for one in range(count)]
    assert {len(some) for some in found} == {min(degree, count - 1)}
    assert all(one in found[other] and one != other for one, some in enumerate(found) for other in some)
    reached, edge = {0}, {0}
    while edge:
        edge = {other for one in edge for other in found[one]} - reached
        reached |= edge
    assert len(reached) == count


@pytest.mark.parametrize("topology", ["mesh", "flows"])
def test_a_mesh_has_a_tunnel_to_everybody_else(topology: str) -> None:
    assert peers(4, 2, topology, 2) == [0, 1, 3]
    assert peers(1, 0, topology, 2) == []


def test_long_distances_on_the_ring_make_ways_short() -> None:
    assert hops(100, "partial", 2) == 50
    assert hops(100, "partial", 4) <= 10
    assert hops(100, "partial", 6) <= 7
    assert hops(100, "mesh", 2) == 1
    assert hops(1, "mesh", 2) == 0


def test_the_first_node_is_the_root_and_the_second_its_heir() -> None:
    found = [spanning_tree(4, one, "mesh", 4)["stp-priority"] for one in range(4)]
    assert found == ["4096", "8192", "32768", "32768"]


@pytest.mark.parametrize("count", [1, 2, 3, 12, 30])
@pytest.mark.parametrize("topology", ["mesh", "partial"])
def test_timers_are_those_that_the_standard_allows(count: int, topology: str) -> None:
    found = {name: int(value) for name, value in spanning_tree(count, 0, topology, 4).items()}
    assert 2 * (found["stp-forward-delay"] - 1) >= found["stp-max-age"]
    assert found["stp-max-age"] >= 2 * (found["stp-hello-time"] + 1)
    assert found["stp-max-age"] >= found["stp-hello-time"] * (hops(count, topology, 4) + 2)


def test_a_mesh_is_as_quick_as_the_protocol_gets() -> None:
    found = spanning_tree(200, 7, "mesh", 4)
    assert (found["stp-hello-time"], found["stp-forward-delay"], found["stp-max-age"]) == ("1", "4", "6")


@pytest.mark.parametrize(
    ("count", "topology", "degree", "words"),
    [
        (3, "partial", 1, "cni_openvswitch_degree 1: "),
        (3, "partial", 0, "cni_openvswitch_degree 0: "),
        (3, "partial", 3, "Fix: use an even number from 2 on."),
        (257, "mesh", 4, "256 tunnels on each"),
        (300, "partial", 256, "256 tunnels on each"),
        (100, "partial", 2, "50 tunnels between the farthest of 100 nodes"),
    ],
)
def test_what_the_protocol_does_not_cover_is_told(count: int, topology: str, degree: int, words: str) -> None:
    [told] = stp_faults(count, topology, degree)
    assert words in told
    assert "Fix: " in told


@pytest.mark.parametrize(
    ("count", "topology", "degree"),
    [(256, "mesh", 1), (1000, "flows", 1), (16, "partial", 2), (100, "partial", 6)],
)
def test_what_is_covered_is_not_refused(count: int, topology: str, degree: int) -> None:
    assert stp_faults(count, topology, degree) == []


def test_two_ports_that_wish_for_one_number_get_two() -> None:
    assert stp_port_numbers([4, 259, 5, 254]) == [5, 6, 7, 255]
    assert sorted(stp_port_numbers([9] * 255)) == list(range(1, 256))
