"""Which manner a switch of the tour is made in, and what is missed in an output."""

from pathlib import Path
from typing import Any

import pytest

from tests.tour.__main__ import switches_of
from tests.tour.hosts import Hosts, TourError, changed
from tests.tour.manners import MOVING, Switch, at_once, expect, killed, manners, twice
from tests.tour.stops import Stop, Tour

STOPS = [
    Stop("kubenet", "", "iptables"),
    Stop("kubenet", "", "nftables"),
    Stop("flannel", "vxlan", "nftables"),
    Stop("flannel", "udp", "nftables"),
    Stop("l2_bridge", "", "nftables"),
]
RECAP = """\
control-plane-1            : ok=43   changed=0    unreachable=0    failed=0
node-1                     : ok=39   changed=12   unreachable=0    failed=0
"""


def switches(stops: list[Stop], tmp_path: Path) -> list[Switch]:
    return switches_of(Tour(stops), Hosts("tour", [], tmp_path), "test")


def test_every_switch_knows_a_network_that_is_neither_of_its_ends(tmp_path: Path) -> None:
    for switch in switches(STOPS, tmp_path):
        assert switch.third not in (switch.old, switch.new)


def test_every_manner_is_taken_once_by_whether_pods_move(tmp_path: Path) -> None:
    chosen, unshown = manners(switches(STOPS, tmp_path))
    assert chosen == [twice, *MOVING]
    assert unshown == []


def test_what_comes_after_all_manners_is_switched_at_once(tmp_path: Path) -> None:
    chosen, unshown = manners(switches([*STOPS, *STOPS[3:1:-1]], tmp_path))
    assert chosen == [twice, *MOVING, *[at_once] * (len(chosen) - 5)]
    assert len(chosen) > 6
    assert unshown == []


def test_a_manner_that_no_switch_is_left_for_is_told(tmp_path: Path) -> None:
    chosen, unshown = manners(switches([STOPS[0], STOPS[2]], tmp_path))
    assert chosen == [*MOVING[:2]]
    assert unshown == ["left out", "turned back", "twice"]


def test_a_change_of_kube_proxy_is_killed_too_where_there_are_two(tmp_path: Path) -> None:
    assert manners(switches(STOPS[:2], tmp_path))[0] == [twice, killed]


def test_words_may_be_broken_into_lines_and_are_missed_by_name() -> None:
    expect("the switch\n    cannot   begin", ["switch cannot begin"], "it")
    with pytest.raises(TourError, match=r"a check does not say never; at all:"):
        expect("something", ["some", "never", "at all"], "a check")


@pytest.mark.parametrize(("output", "counts"), [(RECAP, {"control-plane-1": 0, "node-1": 12}), ("", {})])
def test_what_a_playbook_changed_is_told_by_host(output: str, counts: dict[str, Any]) -> None:
    assert changed(output) == counts
