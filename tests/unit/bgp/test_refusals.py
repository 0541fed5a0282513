"""Each thing that BGP cannot work with is told with its fix, and what works is not."""

from __future__ import annotations

from typing import Any

import pytest
from bgp_cases import NODES, ROUTER, place

from flatnet.bgp.refusals import refusals

HERE = {"name": "eth0", "addresses": ["192.0.2.12/24", "2001:db8::12/64"]}
TAUGHT = {"device": "eth0", "gateway": "192.0.2.13", "protocol": "bird", "type": "unicast"}


def facts(*routes: dict[str, str], **interface: object) -> dict[str, Any]:
    return {"interfaces": [{**HERE, **interface}], "routes": list(routes)}


def test_what_works_is_not_refused() -> None:
    assert refusals(place(), facts()) == []
    assert refusals(place(peers=[ROUTER]), facts()) == []
    assert refusals(place(mode="route-reflector", route_reflectors=["node-1"]), facts()) == []
    # Of a run before.
    assert refusals(place(), facts({**TAUGHT, "destination": "10.200.2.0/24"})) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"as_numbers": {**dict.fromkeys(NODES, 64512), "node-2": 0}}, "cni_bgp_as_number 0 of node-2"),
        ({"as_numbers": {**dict.fromkeys(NODES, 64512), "node-2": "x"}}, "cni_bgp_as_number 'x' of node-2"),
        ({"as_numbers": dict.fromkeys(NODES, 23456)}, "cni_bgp_as_number 23456"),
        ({"as_numbers": dict.fromkeys(NODES, 2**32 - 1)}, "4294967295"),
        ({"hold_seconds": 2}, "cni_bgp_hold_seconds 2 is out of range"),
        ({"restart_seconds": 70000}, "cni_bgp_restart_seconds 70000 is out of range"),
        ({"mode": "route-reflector"}, "the group route_reflector has no host"),
        ({"mode": "route-reflector", "route_reflectors": ["store-1", "node-1"]}, "store-1 of the group"),
        (
            {
                "mode": "route-reflector",
                "route_reflectors": ["node-1"],
                "as_numbers": {**dict.fromkeys(NODES, 64512), "node-2": 64513},
            },
            "different cni_bgp_as_number",
        ),
        ({"mode": "routers"}, "cni_bgp_peers names nobody"),
        ({"peers": [{"address": "192.0.2.254"}]}, "cni_bgp_peers[0]: it lacks address or as_number"),
        ({"peers": [{**ROUTER, "asn": 1}]}, "cni_bgp_peers[0]: it has no 'asn'"),
        ({"peers": [{**ROUTER, "address": "router"}]}, "cni_bgp_peers[0].address: 'router'"),
        ({"peers": [{**ROUTER, "address": "192.0.2.12"}]}, "192.0.2.12 is this host's own"),
        ({"peers": [ROUTER, ROUTER]}, "192.0.2.254 is there twice"),
        ({"peers": [{**ROUTER, "as_number": 65535}]}, "cni_bgp_peers[0].as_number 65535"),
        ({"peers": [{**ROUTER, "password": "a" * 81}]}, "it is no key of TCP"),
        ({"peers": [{**ROUTER, "password": 'a"b'}]}, "it is no key of TCP"),
        ({"peers": [{**ROUTER, "address": "203.0.113.1"}]}, "the site's router 203.0.113.1 is on none"),
    ],
)
def test_each_fault_is_told_with_a_fix(changed: dict[str, Any], words: str) -> None:
    told = refusals(place(**changed), facts())
    assert told
    assert [one for one in told if words in one], told
    assert all("Fix: " in one or "cni_bgp_peers[0].address" in one for one in told)
    assert not any("s p" in one for one in told)


def test_a_peer_of_a_family_that_the_host_has_not_is_told() -> None:
    nodes = {"node-1": {"addresses": ["192.0.2.12"], "groups": ["kube_node"]}}
    given = place(nodes=nodes, as_numbers={"node-1": 1}, peers=[{**ROUTER, "address": "2001:db8::1"}])
    assert "no address of IPv6 to speak from to 2001:db8::1" in refusals(given, facts())[0]


def test_peers_off_the_links_are_named_but_for_those_with_a_route_of_their_own() -> None:
    alone = facts(addresses=["192.0.2.12/32", "2001:db8::12/64"])
    assert [one.split(" is on")[0] for one in refusals(place(), alone)] == [
        "the peer 192.0.2.11",
        "the peer 192.0.2.13",
    ]
    link = {
        "destination": "192.0.2.0/24",
        "device": "eth0",
        "gateway": "",
        "protocol": "boot",
        "type": "unicast",
    }
    assert refusals(place(), {**alone, "routes": [link]}) == []


def test_routes_of_another_bird_are_told_once() -> None:
    strange = [{**TAUGHT, "destination": f"198.51.100.{number}/32"} for number in range(2)]
    told = refusals(place(), facts(*strange))
    assert len(told) == 1
    assert "its route to 198.51.100.0/32 is of another BIRD" in told[0]
