from typing import Any

import pytest
from l2_bridge_cases import facts, link

from flatnet.segment.uplink import TRIAL, bridge_drift, due_moves, has_node, uplink_refusals

FIX = "Fix: name the node's own interface, or one in the pods' segment that serves nothing else"
GATEWAYS, MAC = ["10.200.1.1/16"], "0a:58:0a:c8:01:01"
NODE = ["192.0.2.11", "2001:db8::11"]
OWN = ["192.0.2.11/24", "2001:db8::11/64"]


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
        f"cni_l2_bridge_interface eth1: it has 169.254.7.7/16, none of them the node's, which the host "
        f"would lose. {FIX}."
    ]


def test_the_present_uplink_will_do() -> None:
    assert refusals("eth1", bridge(), port()) == []


def test_an_interface_of_the_host_that_is_not_the_node_s_is_refused_for_its_address_and_its_route() -> None:
    assert refusals("eth0", link("eth0", "198.51.100.1/24", "2001:db8:9::1/64"), default="eth0") == [
        "cni_l2_bridge_interface eth0: it has 198.51.100.1/24, 2001:db8:9::1/64, none of them the node's, "
        f"which the host would lose. {FIX}.",
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
        ({"master": "br0"}, "it is a port of br0. Fix: take it out of br0, or name the node's"),
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


def own(**values: object) -> dict[str, Any]:
    return link("eth0", *OWN, "fe80::11/64", **values)


def own_refusals(*links: dict[str, Any], mtu: int = 1500, **values: object) -> list[str]:
    found = facts(*links, default="eth0", **values)
    return uplink_refusals(found, "eth0", "br-pods", mtu, NODE)


def moved(alias: str = "") -> list[dict[str, Any]]:
    """Return the interfaces after the move."""
    given = [*GATEWAYS, *OWN]
    return [
        bridge(addresses=given, mac="02:00:00:00:00:11", alias=alias),
        {**link("eth0", "fe80::11/64", master="br-pods", port={"hairpin": False})},
    ]


def test_the_node_s_own_interface_will_do() -> None:
    assert own_refusals(own()) == []
    assert own_refusals(*moved()) == []


@pytest.mark.parametrize(
    ("values", "more", "words"),
    [
        (
            {"leased_addresses": ["192.0.2.11/24"]},
            {},
            "it has 192.0.2.11/24 on lease (DHCP, router advertisements), which nobody could renew on the "
            "bridge. Fix: give the host its addresses for good in its network configuration, or give the "
            "pods an interface of their own.",
        ),
        (
            {},
            {"other_routes": [{"destination": "::/0", "device": "eth0", "protocol": "ra"}]},
            "the host learns routes through it (::/0), and could not on the bridge. Fix: set them in",
        ),
        (
            {},
            {"rules": [{"input": "", "output": "eth0"}]},
            "rules of the routing policy name it, and packets would come by the bridge. Fix: have them name",
        ),
        (
            {},
            {"wireless_interfaces": ["eth0"]},
            "a wireless network carries frames of the host's own address",
        ),
        ({"master": "bond0"}, {}, "it is a port of bond0. Fix: take it out of bond0"),
        (
            {"mtu": 9000},
            {},
            "it carries 9000 bytes, and pods send 1500: on one bridge both have to be the same. "
            "Fix: set cluster_underlay_mtu to 9000, or the MTU of eth0 to 1500.",
        ),
    ],
)
def test_what_the_bridge_could_not_have_in_its_place_is_refused(
    values: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    found = own_refusals(own(**values), **more)
    assert len(found) == 1
    assert found[0].startswith(f"cni_l2_bridge_interface eth0: {words}")


@pytest.mark.parametrize(
    ("match", "is_refused"),
    [
        ({"MACAddress": ["02:00:00:00:00:11"]}, True),
        ({"MACAddress": ["02:00:00:00:00:AA", "02:00:00:00:00:11"]}, True),
        ({"MACAddress": ["02:00:00:00:00:11"], "Name": ["eth*"]}, False),
        ({"MACAddress": ["02:00:00:00:00:11"], "Type": ["ether"]}, False),
        ({"PermanentMACAddress": ["02:00:00:00:00:11"]}, False),
        ({"Name": ["eth0"]}, False),
    ],
)
def test_a_file_of_networkd_that_would_take_the_bridge_for_the_interface_is_refused(
    match: dict[str, list[str]], is_refused: bool
) -> None:
    files = [{"path": "/etc/systemd/network/10-lan.network", "match": match, "unmanaged": False}]
    found = own_refusals(own(), networkd=True, network_files=files)
    assert bool(found) is is_refused
    assert all(
        "10-lan.network of systemd-networkd fits br-pods too, by the MAC address" in one for one in found
    )
    assert own_refusals(own(), networkd=False, network_files=files) == []
    first = {"path": "/etc/systemd/network/05.network", "match": {"Name": ["br-pods"]}, "unmanaged": True}
    assert own_refusals(own(), networkd=True, network_files=[first, *files]) == []


def test_an_interface_whose_frames_another_takes_is_refused() -> None:
    assert own_refusals(own(), link("mv0", kind="macvlan", lower="eth0")) == [
        "cni_l2_bridge_interface eth0: mv0 takes its frames, and so does a bridge. "
        "Fix: remove mv0, or give the pods an interface of their own."
    ]


def test_the_node_s_interface_is_one_of_those_that_would_do() -> None:
    found = uplink_refusals(facts(own(), link("eth2"), default="eth0"), "eth9", "br-pods", 1500, NODE)
    assert found[0].startswith(
        "cni_l2_bridge_interface eth9: the host has no such interface; eth0, eth2 would do"
    )


@pytest.mark.parametrize(
    ("links", "uplink", "is_so"),
    [
        ([own()], "eth0", True),
        (moved(), "eth0", True),
        # After a restart of what sets the host's network up.
        ([moved()[0], own()], "eth0", True),
        ([own(), link("eth1")], "eth1", False),
        # The pods are to have another one from now on.
        ([*moved(), link("eth1")], "eth1", False),
        ([own()], "eth9", False),
    ],
)
def test_whether_the_uplink_is_the_node_s_own(links: list[dict[str, Any]], uplink: str, is_so: bool) -> None:
    assert has_node(facts(*links), uplink, "br-pods", NODE) is is_so


def test_what_is_to_move_is_told_until_it_has() -> None:
    def due(*links: dict[str, Any], default: str = "br-pods") -> list[str]:
        return due_moves(facts(*links, default=default), "eth0", "br-pods", NODE)

    assert due(own(), default="eth0") == [
        "192.0.2.11/24 from eth0 to br-pods",
        "2001:db8::11/64 from eth0 to br-pods",
        "route to 0.0.0.0/0 from eth0 to br-pods",
        "eth0 into br-pods",
    ]
    assert due(*moved()) == []
    assert due(*moved(alias=TRIAL)) == ["eth0 into br-pods, which nobody has confirmed"]
    assert due_moves(facts(link("eth1")), "eth1", "br-pods", NODE) == []


@pytest.mark.parametrize(
    ("links", "reasons"),
    [
        (moved(), []),
        ([bridge(addresses=[*GATEWAYS, *OWN, "192.0.2.99/24"], mac="02:00:00:00:00:11"), moved()[1]], []),
        ([bridge(addresses=OWN, mac="02:00:00:00:00:11"), moved()[1]], [f"br-pods has {', '.join(OWN)}"]),
        ([bridge(addresses=[*GATEWAYS, *OWN]), moved()[1]], [f"br-pods has the MAC address {MAC}"]),
    ],
)
def test_a_bridge_with_the_node_s_addresses_has_its_interface_s_own(
    links: list[dict[str, Any]], reasons: list[str]
) -> None:
    links = [{**one, "link_scope_addresses": []} for one in links]
    assert bridge_drift(facts(*links), "eth0", "br-pods", 1500, GATEWAYS, MAC, NODE) == reasons
