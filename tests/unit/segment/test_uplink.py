from typing import Any

import pytest

from flatnet.segment.uplink import bridge_drift, uplink_refusals

FIX = "Fix: name an interface that is in the pods' segment and serves nothing else"
GATEWAYS, MAC = ["10.200.1.1/16"], "0a:58:0a:c8:01:01"


def link(name: str, *addresses: str, **values: object) -> dict[str, Any]:
    """Return an interface as the facts have it; a master makes it a port of a bridge."""
    base = {
        "name": name,
        "mtu": 1500,
        "addresses": [text for text in addresses if not text.startswith(("fe80:", "169.254."))],
        "link_scope_addresses": [text for text in addresses if text.startswith(("fe80:", "169.254."))],
        "kind": "ether",
        "link_type": "ether",
        "mac": "02:00:00:00:00:11",
        "up": True,
        "master": "",
        "details": {},
        "port": {},
    }
    return base | values


def facts(*links: dict[str, Any], default: str = "") -> dict[str, Any]:
    routes = [
        {"destination": "192.0.2.0/24", "device": "eth1"},
        {"destination": "0.0.0.0/0", "device": default},
    ]
    return {"interfaces": list(links), "routes": routes}


def refusals(uplink: str, *links: dict[str, Any], default: str = "") -> list[str]:
    return uplink_refusals(facts(*links, default=default), uplink, "br-pods", 1500)


def bridge(details: dict[str, int] | None = None, **values: object) -> dict[str, Any]:
    settings = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0} | (details or {})
    base = {"mac": MAC, "kind": "bridge", "details": settings}
    return link("br-pods", "10.200.1.1/16", "fe80::858:aff:fec8:101/64", **base | values)


def port(**values: object) -> dict[str, Any]:
    return link("eth1", **{"master": "br-pods", "port": {"hairpin": False}} | values)


def drift(*links: dict[str, Any]) -> list[str]:
    return bridge_drift(facts(*links), "eth1", "br-pods", 1500, GATEWAYS, MAC)


def test_an_interface_with_nothing_but_a_link_local_address_will_do() -> None:
    assert refusals("eth1", link("eth0", "192.0.2.11/24"), link("eth1", "fe80::1/64"), default="eth0") == []


def test_an_address_of_the_link_alone_is_lost_too_when_it_is_of_ipv4() -> None:
    assert refusals("eth1", link("eth1", "169.254.7.7/16")) == [
        f"cni_l2_bridge_interface eth1: it has 169.254.7.7/16, which the host would lose. {FIX}."
    ]


def test_the_present_uplink_will_do() -> None:
    assert refusals("eth1", bridge(), port()) == []


def test_the_interface_of_the_node_is_refused_for_its_address_and_for_its_route() -> None:
    assert refusals("eth0", link("eth0", "192.0.2.11/24", "2001:db8::11/64"), default="eth0") == [
        "cni_l2_bridge_interface eth0: it has 192.0.2.11/24, 2001:db8::11/64, which the host would lose. "
        f"{FIX}.",
        f"cni_l2_bridge_interface eth0: the host's default route leads through it. {FIX}.",
    ]


def test_an_interface_that_is_not_there_is_refused_with_those_that_would_do() -> None:
    pod = {**port(kind="veth", port={"hairpin": True}), "name": "veth1"}
    links = [
        link("lo", link_type="loopback", kind="loopback"),
        link("eth0", "192.0.2.11/24"),
        bridge(),
        port(),
        pod,
        link("eth2"),
    ]
    assert refusals("eth9", *links) == [
        f"cni_l2_bridge_interface eth9: the host has no such interface; eth1, eth2 would do. {FIX}."
    ]
    assert refusals("eth9", links[0]) == [
        f"cni_l2_bridge_interface eth9: the host has no such interface; none of those it has would do. {FIX}."
    ]


def test_an_interface_that_nobody_named_is_refused() -> None:
    assert refusals("", link("eth1")) == [
        f"cni_l2_bridge_interface: it is not set. {FIX}, for every host or for a group of them."
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"link_type": "loopback", "kind": "loopback"},
            "an interface of the kind loopback cannot carry the frames of pods",
        ),
        (
            {"kind": "bridge"},
            "an interface of the kind bridge cannot carry the frames of pods",
        ),
        ({"kind": "macvlan"}, "an interface of the kind macvlan cannot"),
        ({"master": "br0"}, "it is a port of br0. Fix: take it out of br0, or name an interface"),
        (
            {"mtu": 1450},
            "it carries 1450 bytes, and pods would send 1500. "
            "Fix: set cluster_underlay_mtu to 1450, or raise the MTU of eth1.",
        ),
    ],
)
def test_an_interface_that_cannot_carry_the_pods_is_refused(values: dict[str, Any], words: str) -> None:
    found = refusals("eth1", link("eth1", **values))
    assert len(found) == 1
    assert found[0].startswith(f"cni_l2_bridge_interface eth1: {words}")


def test_a_bridge_name_that_something_else_has_is_refused() -> None:
    assert refusals("eth1", link("br-pods", kind="dummy"), link("eth1")) == [
        "cni_l2_bridge_interface eth1: the host's br-pods is not a bridge, and flatnet needs the name. "
        "Fix: rename or remove br-pods."
    ]


def test_a_bridge_as_it_was_set_up_is_left_alone() -> None:
    assert drift(bridge(), port()) == []


@pytest.mark.parametrize(
    ("links", "reasons"),
    [
        ([port()], ["there is no br-pods"]),
        ([bridge()], ["there is no eth1"]),
        ([bridge(), port(master="br0")], ["eth1 is not a port of br-pods"]),
        (
            [bridge(), port(port={"hairpin": True})],
            ["eth1 sends frames back where they came from"],
        ),
        ([bridge(), port(up=False)], ["eth1 is down"]),
        ([bridge(up=False), port()], ["br-pods is down"]),
        ([bridge(mac="02:00:00:00:00:01"), port()], ["br-pods has the MAC address 02:00:00:00:00:01"]),
        ([bridge(mtu=1450), port()], ["br-pods has MTU 1450"]),
        ([bridge(addresses=[]), port()], ["br-pods has no address"]),
        (
            [bridge(addresses=["10.200.1.1/24"]), port()],
            ["br-pods has 10.200.1.1/24"],
        ),
        ([bridge({"stp_state": 1}), port()], ["br-pods has stp_state 1"]),
        ([bridge({"mcast_snooping": 1}), port()], ["br-pods has mcast_snooping 1"]),
    ],
)
def test_what_somebody_changed_about_the_bridge_is_seen(
    links: list[dict[str, Any]], reasons: list[str]
) -> None:
    assert drift(*links) == reasons
