"""What a switched network cannot work with is told with its fix, and what somebody changed is seen."""

from __future__ import annotations

from typing import Any

import pytest
from openvswitch_cases import KERNEL, NODES, facts, interface, node, place

from flatnet.openvswitch.refusals import drift, refusals

SWITCH = {"kind": "tun", "master": "kbr0", "mtu": 1430}
BRIDGE = interface(
    "kbr0", "10.200.1.1/24", "fd00:200:0:1::1/64", kind="bridge", mac="0a:58:0a:c8:01:01", mtu=1430
)
PASSAGE = (
    interface("obr0-tun", link_scope_addresses=["169.254.77.2/30"], kind="tun"),
    interface("obr0-kernel", link_scope_addresses=["169.254.77.1/32"], kind="tun"),
)
ROUTES = [
    {"destination": "10.200.0.0/16", "device": "kbr0", "source": "10.200.1.1", "type": "unicast"},
    {"destination": "fd00:200::/48", "device": "kbr0", "source": "fd00:200:0:1::1", "type": "unicast"},
]
SIX = {name: {**one, "addresses": one["addresses"][::-1]} for name, one in NODES.items()}


def test_what_works_is_not_refused() -> None:
    assert refusals(place(), facts()) == []
    assert refusals(place("vxlan", topology="flows"), facts(kernel_features={})) == []
    assert refusals(place("vxlan", nodes=SIX), facts()) == []
    # Of a run before, with either datapath.
    assert refusals(place(), facts(BRIDGE, interface("obr0", **SWITCH), *PASSAGE, kernel_features={})) == []
    ours = [interface("obr0", **{**SWITCH, "kind": "openvswitch"}), interface("vxlan_sys_4789", kind="vxlan")]
    assert refusals(place("vxlan"), facts(BRIDGE, *ours)) == []


@pytest.mark.parametrize(
    ("changed", "found", "words"),
    [
        ({"topology": "ring"}, {}, "cni_openvswitch_topology 'ring' is not known"),
        ({"datapath": "dpdk"}, {}, "cni_openvswitch_datapath 'dpdk' is not known"),
        ({"topology": "partial", "degree": 1}, {}, "cni_openvswitch_degree 1"),
        ({"nodes": {**NODES, "node-2": node(2, "2001:db8::12")}}, {}, "node-2 has no address of the family"),
        ({"datapath": "system"}, {"kernel_features": {"gre": True}}, "the kernel lacks openvswitch. Fix"),
        ({"nodes": SIX}, {"kernel_features": {}}, "tunnels between addresses of IPv4 alone"),
        ({"nodes": SIX}, {}, "Fix: use cluster_network_backend_mode: vxlan"),
        (
            {"nodes": {**NODES, "node-2": node(2, "203.0.113.2")}},
            {},
            "no route leads to 203.0.113.2, the address of node-2, and",
        ),
    ],
)
def test_each_fault_is_told_with_a_fix(changed: dict[str, Any], found: dict[str, Any], words: str) -> None:
    [told] = refusals(place(**changed), facts(**found))
    assert words in told
    assert "Fix: " in told


@pytest.mark.parametrize(
    ("mode", "stranger", "words"),
    [
        ("gre", interface("obr0", kind="bridge"), "obr0 is no switch of Open vSwitch but of the kind bridge"),
        (
            "gre",
            interface("obr0", kind="tun", master="br0"),
            "obr0 is a port of br0, and serves somebody else",
        ),
        ("gre", interface("obr0", "198.51.100.1/24", kind="tun"), "obr0 has 198.51.100.1/24, and serves"),
        ("vxlan", interface("vxlan_sys_4789"), "VXLAN tunnels of somebody else (vxlan_sys_4789)"),
        ("gre", interface("eth1", "169.254.77.9/16"), "eth1 has 169.254.77.9/16, which overlaps"),
        ("gre", interface("eth1", link_scope_addresses=["169.254.77.1/30"]), "eth1 has 169.254.77.1/30"),
    ],
)
def test_what_others_have_is_told(mode: str, stranger: dict[str, Any], words: str) -> None:
    [told] = refusals(place(mode), facts(stranger, kernel_features={}))
    assert words in told
    assert "Fix: " in told


def test_the_passage_takes_no_address_where_there_is_none() -> None:
    assert refusals(place(), facts(interface("eth1", "169.254.77.9/16"))) == []


def test_a_default_route_leads_to_everybody() -> None:
    nodes = {**NODES, "node-2": node(2, "203.0.113.2")}
    default = {"destination": "0.0.0.0/0", "device": "eth0", "source": "", "type": "unicast"}
    assert refusals(place(nodes=nodes), facts(routes=[default])) == []
    [told] = refusals(place(nodes=nodes), facts(routes=[{**default, "type": "unreachable"}]))
    assert "no route leads to 203.0.113.2" in told


def test_a_network_that_is_as_it_was_set_up_has_no_drift() -> None:
    assert drift(place(), facts(BRIDGE, interface("obr0", **SWITCH), routes=ROUTES)) == []
    found = facts(BRIDGE, interface("obr0", **SWITCH), *PASSAGE, routes=ROUTES, kernel_features={})
    assert drift(place(), found) == []


@pytest.mark.parametrize(
    ("bridge", "switch", "routes", "features", "words"),
    [
        ({"mtu": 1500}, {}, ROUTES, KERNEL, ["kbr0 has MTU 1500"]),
        ({"mac": "02:00:00:00:00:01"}, {}, ROUTES, KERNEL, ["kbr0 has the MAC address 02:00:00:00:00:01"]),
        ({"addresses": ["10.200.1.1/24"]}, {}, ROUTES, KERNEL, ["kbr0 lacks an address"]),
        ({"up": False}, {"up": False}, ROUTES, KERNEL, ["obr0 is down", "kbr0 is down"]),
        ({}, {"master": ""}, ROUTES, KERNEL, ["obr0 is not a port of kbr0"]),
        ({}, {}, ROUTES[1:], KERNEL, ["there is no route to 10.200.0.0/16 through kbr0"]),
        ({}, {}, ROUTES, {}, [f"nothing has the address 169.254.77.{end}" for end in (1, 2)]),
    ],
)
def test_what_somebody_changed_is_seen(
    bridge: dict[str, Any],
    switch: dict[str, Any],
    routes: list[dict[str, str]],
    features: dict[str, bool],
    words: list[str],
) -> None:
    found = facts(
        {**BRIDGE, **bridge},
        {**interface("obr0", **SWITCH), **switch},
        routes=routes,
        kernel_features=features,
    )
    assert drift(place(), found) == words


def test_a_bridge_that_is_gone_is_all_that_is_said() -> None:
    assert drift(place(), facts()) == ["there is no kbr0"]
    assert drift(place(), facts(BRIDGE)) == ["there is no obr0"]
