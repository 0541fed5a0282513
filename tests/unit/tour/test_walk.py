"""That a walk meets every pair, and each mode."""

from itertools import pairwise
from pathlib import Path

import pytest

from flatnet.contract import find_contracts
from tests.tour.stops import Stop, machine_without, plan_tour
from tests.tour.walk import walk_of_networks, walk_of_pairs

OURS = find_contracts([Path(__file__).resolve().parents[3] / "roles"])


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_pair_is_met_once_both_ways(count: int) -> None:
    walk = walk_of_pairs(range(count))
    ways = list(pairwise(walk))
    assert walk[0] == walk[-1] == 0
    assert len(ways) == len(set(ways)) == count * (count - 1)


def test_backends_are_met_with_the_same_mode_of_kube_proxy_and_modes_are_gone_around() -> None:
    stops = plan_tour(OURS, machine_without(OURS, ["ip_vs"]), "kubenet").stops
    walk = walk_of_networks(stops, OURS)
    ways = set(pairwise(walk))
    assert (Stop("kubenet", "host-routes", "iptables"), Stop("kubenet", "host-routes", "nftables")) in ways
    assert (Stop("kubenet", "host-routes", "iptables"), Stop("flannel", "vxlan", "iptables")) in ways
    assert (Stop("l2_bridge", "", "iptables"), Stop("flannel", "vxlan", "iptables")) in ways
    backends = {stop.backend for stop in stops}
    assert {(one.backend, other.backend) for one, other in ways} >= {
        (one, other) for one in backends for other in backends if one != other
    }
    assert {(stop.backend, stop.mode) for stop in walk} == {(stop.backend, stop.mode) for stop in stops}
    assert all(old != new for old, new in ways)
