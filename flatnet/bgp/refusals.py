"""What BGP cannot work with on a host: told before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flatnet.bgp.peers import ROUTE_REFLECTOR, ROUTERS, Peer, peers_of, speakers
from flatnet.errors import FlatnetError
from flatnet.plan.addresses import parse_address, parse_interface, parse_network

# Four octets (RFC 6793), without both ends (RFC 7607, RFC 7300).
_AS_NUMBERS = range(1, 2**32 - 1)
# Stands for longer numbers (RFC 6793, AS_TRANS), and is nobody's (RFC 7300).
_RESERVED = frozenset({23456, 65535})
# Of TCP's signature in Linux (TCP_MD5SIG_MAXKEYLEN).
_PASSWORD = 80
_TITLES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_SECONDS = range(3, 65536)


def refusals(given: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return what BGP cannot work with, as sentences that end with a fix; empty where it can.

    given: as for speaker_of; facts: of the host, with `interfaces`, `routes` and `other_routes`.
    """
    host, numbers = given["host"], given["as_numbers"]
    found = [
        f"cni_bgp_{name} {given[name]} is out of range. Fix: use 3 to 65535."
        for name in ("hold_seconds", "restart_seconds")
        if given[name] not in _SECONDS
    ]
    found += [
        f"cni_bgp_as_number {numbers[name]!r} of {name} {fault}"
        for name in speakers(given["nodes"])
        if (fault := _as_fault(numbers[name]))
    ]
    found += _mode_faults(given)
    found += _peer_faults(given["nodes"][host]["addresses"], given["peers"])
    found += _strangers(given["cluster_pod_cidrs"], facts)
    return found or list(_too_far(peers_of(given), facts))


def _mode_faults(given: Mapping[str, Any]) -> Iterator[str]:
    mode, reflectors = given["mode"], given["route_reflectors"]
    speaking = speakers(given["nodes"])
    if mode == ROUTE_REFLECTOR:
        strangers = sorted(set(reflectors) - set(speaking))
        if strangers:
            yield (
                f"{', '.join(strangers)} of the group route_reflector is neither a node nor of the control "
                "plane, and runs no BGP. Fix: name nodes."
            )
        if not set(reflectors) & set(speaking):
            yield "the group route_reflector has no host. Fix: put one or two nodes there."
        if len({str(given["as_numbers"][name]) for name in speaking}) > 1:
            yield (
                "routes are reflected within one AS (RFC 4456), and hosts have different cni_bgp_as_number. "
                "Fix: give all the same."
            )
    if mode == ROUTERS and not given["peers"]:
        yield (
            "in mode routers cni_bgp_peers names nobody. Fix: name the site's routers, for the host or its "
            "group."
        )


def _peer_faults(own: Sequence[str], peers: Sequence[Any]) -> Iterator[str]:
    families = {parse_address(address).family for address in own}
    seen: set[str] = set()
    for number, one in enumerate(peers):
        place = f"cni_bgp_peers[{number}]"
        unknown = sorted(set(one) - {"address", "as_number", "password"})
        if unknown or not {"address", "as_number"} <= set(one):
            what = f"has no {unknown[0]!r}" if unknown else "lacks address or as_number"
            yield f"{place}: it {what}. Fix: give address, as_number and, if the peer wants one, password."
            continue
        try:
            address = parse_address(str(one["address"]))
        except FlatnetError as error:
            yield f"{place}.address: {error}"
            continue
        if str(address) in own:
            yield f"{place}.address: {address} is this host's own. Fix: name the router's."
        if address.family not in families:
            yield (
                f"{place}.address: this host has no address of {_TITLES[address.family]} to speak from to "
                f"{address}. Fix: name the router's other address."
            )
        if str(address) in seen:
            yield f"{place}.address: {address} is there twice. Fix: leave one."
        seen.add(str(address))
        if fault := _as_fault(one["as_number"]):
            yield f"{place}.as_number {one['as_number']!r} {fault}"
        password = str(one.get("password", ""))
        if (
            len(password) > _PASSWORD
            or not password.isprintable()
            or not password.isascii()
            or '"' in password
        ):
            yield (
                f"{place}.password: it is no key of TCP. Fix: use up to {_PASSWORD} ASCII characters without "
                "quotes."
            )


def _as_fault(value: object) -> str:
    number = int(str(value)) if str(value).isdecimal() else 0
    if number in _AS_NUMBERS and number not in _RESERVED:
        return ""
    return "is no number of an AS. Fix: use 64512 to 65534, or 4200000000 to 4294967294 (RFC 6996)."


def _strangers(networks: Sequence[str], facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what another BIRD has put there: in one table each takes the other's routes away."""
    own = [parse_network(text) for text in networks]
    for route in facts["routes"]:
        destination = parse_network(route["destination"])
        if route["protocol"] in ("bird", "12") and not any(one.contains(destination) for one in own):
            yield (
                f"its route to {destination} is of another BIRD (protocol bird), and two of them in one "
                "table take each other's routes away. Fix: stop the other, or use another backend."
            )
            return


def _too_far(peers: Sequence[Peer], facts: Mapping[str, Any]) -> Iterator[str]:
    links = [parse_interface(text)[1] for one in facts["interfaces"] for text in one["addresses"]]
    links += [
        parse_network(route["destination"])
        for route in facts["routes"]
        if route["device"] and not route["gateway"] and route["type"] == "unicast"
    ]
    for peer in peers:
        if not any(link.holds(peer.address) for link in links):
            where = "site's router" if peer.is_outside else "peer"
            yield (
                f"the {where} {peer.address} is on none of its links, and routes lead through neighbours "
                "alone. Fix: use mode routers with a router on the link, or a backend with a tunnel, such as "
                "flannel."
            )
