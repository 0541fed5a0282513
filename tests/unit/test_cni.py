import json

import pytest

from flatnet.cni import bridge_configuration
from flatnet.errors import FlatnetError


def test_each_family_gets_a_range_and_a_default_route_in_the_order_given() -> None:
    configuration = json.loads(bridge_configuration(["2001:db8:1::/64", "10.200.1.0/24"], "cbr0", 1450))
    bridge = configuration["plugins"][0]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "2001:db8:1::/64"}], [{"subnet": "10.200.1.0/24"}]]
    assert bridge["ipam"]["routes"] == [{"dst": "::/0"}, {"dst": "0.0.0.0/0"}]
    assert (bridge["bridge"], bridge["mtu"]) == ("cbr0", 1450)


def test_the_plugins_translate_no_pod_address() -> None:
    bridge, portmap = json.loads(bridge_configuration(["10.200.1.0/24"], "cbr0", 1500))["plugins"]
    assert bridge["ipMasq"] is False
    assert bridge["hairpinMode"] is True
    assert portmap == {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}


def test_a_node_without_a_pod_network_is_refused() -> None:
    with pytest.raises(FlatnetError, match="the node has no pod network for its bridge cbr0"):
        bridge_configuration([], "cbr0", 1500)


def test_limits_come_last_and_only_when_they_are_asked_for() -> None:
    plain, limited = (
        json.loads(bridge_configuration(["10.200.1.0/24"], "cbr0", 1500, bandwidth=asked))["plugins"]
        for asked in (False, True)
    )
    assert limited == [*plain, {"type": "bandwidth", "capabilities": {"bandwidth": True}}]


def test_a_bridge_is_promiscuous_or_has_hairpin_ports_and_never_both() -> None:
    ports, bridge = (
        json.loads(bridge_configuration(["10.200.1.0/24"], "cbr0", 1500, hairpin_mode=mode))["plugins"][0]
        for mode in ("hairpin-veth", "promiscuous-bridge")
    )
    assert (ports.get("hairpinMode"), ports.get("promiscMode")) == (True, None)
    assert (bridge.get("hairpinMode"), bridge.get("promiscMode")) == (None, True)
    with pytest.raises(FlatnetError, match="no hairpin mode 'none'; choose hairpin-veth or promiscuous"):
        bridge_configuration(["10.200.1.0/24"], "cbr0", 1500, hairpin_mode="none")
