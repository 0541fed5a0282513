from typing import Any

import pytest
from routing_cases import rule

from flatnet.state.place import Place
from flatnet.state.policy_routing import policy_routing

PLACE = Place(["192.0.2.11"], ["10.200.0.0/16"], ["10.32.0.0/24"], [])
DEFAULT = {"destination": "0.0.0.0/0", "table": "101", "type": "unicast"}


KERNELS = [rule(0, "local"), rule(32766, "main"), rule(32767, "default")]


def problems(
    *rules: dict[str, Any], routes: list[dict[str, str]] | None = None, place: Place = PLACE
) -> list[str]:
    # In any order: the kernel goes by their priorities.
    facts = {"rules": [*KERNELS, *rules], "other_routes": [DEFAULT] if routes is None else routes}
    return list(policy_routing(facts, place))


def test_a_table_of_its_own_for_what_the_node_sends_is_refused_with_the_rule_that_helps() -> None:
    assert problems(rule(100, source="192.0.2.11/32")) == [
        "has a rule `from 192.0.2.11/32 lookup 101` of priority 100, which takes packets to 10.200.0.0/16, "
        "10.32.0.0/24 past the routes of the main table; where it is configured, put rules before it, such "
        "as `ip rule add to 10.200.0.0/16 lookup main priority 99`"
    ]


@pytest.mark.parametrize(
    "taking",
    [
        rule(100),
        rule(100, source="10.200.7.0/24"),
        rule(100, destination="10.200.7.0/24"),
        rule(100, table="", action="blackhole"),
        # wg-quick's, for all that the tunnel itself does not send.
        rule(100, mark="0xca6c", inverted=True),
    ],
)
def test_a_rule_that_takes_packets_of_pods_is_refused(taking: dict[str, Any]) -> None:
    assert len(problems(taking)) == 1


@pytest.mark.parametrize(
    "other",
    [
        rule(100, source="198.51.100.7/32"),
        rule(100, destination="198.51.100.0/24"),
        rule(100, mark="0x1"),
        rule(100, input="wg0"),
        # For the packets of a user, or to a port.
        rule(100, picky=True),
        rule(100, source="192.0.2.11/32", inverted=True),
        rule(100, table="102"),
        rule(100, family="ipv6"),
        # The main table comes before it.
        rule(40000),
    ],
)
def test_a_rule_for_something_else_is_not(other: dict[str, Any]) -> None:
    assert problems(other) == []


def test_a_rule_is_harmless_behind_those_that_lead_to_the_main_table() -> None:
    own = rule(100, source="192.0.2.11/32")
    pods, services = (rule(90, "main", destination=cidr) for cidr in ("10.200.0.0/15", "10.32.0.0/24"))
    assert problems(own, pods, services) == []
    assert "takes packets to 10.32.0.0/24 past" in problems(own, pods)[0]
    assert len(problems(own, rule(90, "main", destination="10.200.0.0/24"), services)) == 1
    assert len(problems(own, rule(110, "main"))) == 1


@pytest.mark.parametrize(
    "route",
    [
        {"destination": "198.51.100.0/24", "table": "101", "type": "unicast"},
        {"destination": "0.0.0.0/0", "table": "101", "type": "throw"},
    ],
)
def test_a_table_that_knows_no_way_there_gives_the_packet_back(route: dict[str, str]) -> None:
    assert problems(rule(100), routes=[route]) == []


def test_a_table_of_the_backend_is_its_own() -> None:
    assert problems(rule(100), place=PLACE._replace(own_tables=["101"])) == []


def test_a_table_whose_default_route_does_not_count_gives_the_packet_back() -> None:
    assert problems(rule(100, suppressed=0)) == []
    assert len(problems(rule(100, suppressed=0), routes=[DEFAULT | {"destination": "10.0.0.0/8"}])) == 1
