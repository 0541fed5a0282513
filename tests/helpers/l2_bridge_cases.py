"""Interfaces of a host as the facts have them, with the pods' bridge before and after; for tests."""

from typing import Any

GATEWAYS = ["10.200.1.1/16", "fd00:200:0:1::1/48"]
MAC, OWN_MAC = "0a:58:0a:c8:01:01", "02:00:00:00:00:11"
ADDRESSES = ["192.0.2.11/24", "2001:db8::11/64"]
SETTINGS = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0}


def link(name: str, *addresses: str, **values: object) -> dict[str, Any]:
    """Return an interface as the facts have it; a master makes it a port of a bridge."""
    base = {
        "name": name,
        "mtu": 1500,
        "addresses": [text for text in addresses if not text.startswith(("fe80:", "169.254."))],
        "link_scope_addresses": [text for text in addresses if text.startswith(("fe80:", "169.254."))],
        "kind": "ether",
        "link_type": "ether",
        "mac": OWN_MAC,
        "up": True,
        "master": "",
        "leased_addresses": [],
        "lower": "",
        "alias": "",
        "details": {},
        "port": {},
    }
    return base | values


def facts(*links: dict[str, Any], default: str = "", **values: object) -> dict[str, Any]:
    """Return facts of a host whose default route leads through an interface."""
    routes = [
        {"destination": "192.0.2.0/24", "device": "eth1", "protocol": "kernel"},
        {"destination": "0.0.0.0/0", "device": default, "protocol": "static"},
    ]
    base = {"interfaces": list(links), "routes": routes, "other_routes": [], "rules": []}
    return {**base, "wireless_interfaces": [], "networkd": False, "network_files": [], **values}


def bridge(*addresses: str, **values: object) -> dict[str, Any]:
    """Return the pods' bridge."""
    return link("br-pods", *addresses, **{"kind": "bridge", "details": SETTINGS} | values)


def before() -> dict[str, Any]:
    """Return the facts of a host whose own interface is to be the uplink."""
    return facts(link("eth0", *ADDRESSES), default="eth0")


def after() -> dict[str, Any]:
    """Return the facts of that host when it is."""
    port = link("eth0", master="br-pods", port={"hairpin": False})
    return facts(bridge(*GATEWAYS, *ADDRESSES), port, default="br-pods")


def dedicated() -> dict[str, Any]:
    """Return the facts of a host with an interface for the pods alone, which is set up."""
    port = link("eth1", master="br-pods", port={"hairpin": False})
    return facts(link("eth0", *ADDRESSES), bridge(*GATEWAYS, mac=MAC), port, default="eth0")
