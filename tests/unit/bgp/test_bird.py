"""What BIRD is told, for each place that a host can have."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from bgp_cases import ROUTER, place

from flatnet.bgp.bird import bird_configuration
from flatnet.bgp.peers import peers_of, speaker_of


def written(given: dict[str, Any]) -> str:
    return bird_configuration(speaker_of(given), peers_of(given))


def sessions(given: dict[str, Any]) -> dict[str, str]:
    """Return session name -> its block."""
    return dict(re.findall(r"^protocol bgp (\w+) \{\n(.*?)^\}", written(given), re.MULTILINE | re.DOTALL))


def test_in_a_full_mesh_every_host_that_needs_routes_is_a_peer_over_each_family() -> None:
    assert list(sessions(place())) == [
        "control_plane_1_ipv4",
        "control_plane_1_ipv6",
        "node_2_ipv4",
        "node_2_ipv6",
    ]
    assert "neighbor 2001:db8::13 as 64512;" in sessions(place())["node_2_ipv6"]


def test_with_reflectors_nodes_speak_to_them_alone_and_they_to_all() -> None:
    reflected = partial(place, mode="route-reflector", route_reflectors=["node-1"])
    assert list(sessions(reflected("node-2"))) == ["node_1_ipv4", "node_1_ipv6"]
    assert "rr client" not in sessions(reflected("node-2"))["node_1_ipv4"]
    reflector = sessions(reflected("node-1"))
    assert len(reflector) == 4
    assert all("rr client;" in one and "source = RTS_BGP || proto" in one for one in reflector.values())


def test_two_reflectors_tell_each_other_all_and_are_no_clients() -> None:
    both = sessions(place(mode="route-reflector", route_reflectors=["node-1", "node-2"]))["node_2_ipv4"]
    assert "rr client" not in both
    assert "source = RTS_BGP" in both


def test_a_router_of_the_site_hears_of_own_pods_alone_and_may_tell_of_nodes_with_the_same_number() -> None:
    found = sessions(place(mode="routers", peers=[ROUTER]))
    assert list(found) == ["site_1"]
    assert 'export where proto = "own_ipv4";' in found["site_1"]
    assert "allow local as;" in found["site_1"]
    assert 'password "s p";' in found["site_1"]
    assert "allow local as" not in sessions(place(peers=[{**ROUTER, "as_number": 64512}]))["site_1"]


def test_nobody_can_give_away_a_nodes_own_network_or_one_outside_of_the_pods() -> None:
    text = written(place())
    assert "define pods_ipv4 = [ 10.200.0.0/16{16,32} ];" in text
    assert "if net ~ pods_ipv4 && !(net ~ [ 10.200.1.0/24+ ]) then accept;" in text
    assert "define pods_ipv6 = [ 2001:db8:1::/48{48,128} ];" in text


def test_a_host_without_pods_announces_nothing_and_learns_all() -> None:
    text = written(place("control-plane-1", pod_cidrs=[]))
    assert " unreachable;" not in text
    assert "if net ~ pods_ipv4 then accept;" in text


def test_own_packets_to_pods_have_the_address_of_the_node() -> None:
    assert "krt_prefsrc = 192.0.2.12;" in written(place())


def test_a_node_of_ipv6_alone_has_an_identifier_all_the_same() -> None:
    only = {"n": {"addresses": ["2001:db8::a01:203"], "groups": ["kube_node"]}}
    given = place("n", nodes=only, as_numbers={"n": 64512}, pod_cidrs=["2001:db8:1:1::/64"])
    assert "router id 10.1.2.3;" in written(given)


@pytest.mark.parametrize("bfd", [True, False])
def test_bfd_is_a_choice(bfd: bool) -> None:
    assert ("protocol bfd" in written(place(bfd=bfd))) == bfd
    assert all(("bfd graceful;" in one) == bfd for one in sessions(place(bfd=bfd)).values())
