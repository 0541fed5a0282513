"""What the benchmark of routes and forwarding entries sets, and how it judges."""

from ipaddress import ip_address, ip_interface, ip_network

from batch import ENTRIES, ROUTES, Measured, entries_of, routes_of


def test_every_peer_has_a_route_of_its_own_through_an_address_of_its_own() -> None:
    routes = routes_of(ROUTES)
    assert len({ip_network(route.destination) for route in routes}) == ROUTES
    underlay = ip_interface("10.99.0.1/16")
    gateways = {ip_address(route.gateway) for route in routes}
    assert len(gateways) == ROUTES
    assert all(gateway in underlay.network for gateway in gateways - {underlay.ip})
    assert underlay.ip not in gateways


def test_every_peer_has_an_entry_of_its_own() -> None:
    lines = entries_of(ENTRIES)
    assert len({line.split()[2] for line in lines}) == ENTRIES
    assert len({ip_address(line.split()[-1]) for line in lines}) == ENTRIES


def test_what_takes_longer_than_it_may_is_missed() -> None:
    assert Measured("routes", batch=0.02, single=2.0, limit=0.05).is_within
    assert not Measured("routes", batch=0.06, single=2.0, limit=0.05).is_within
    assert Measured("routes", batch=0.06, single=3.0).is_within
    assert Measured("routes", batch=0.02, single=2.0).ratio == 100
