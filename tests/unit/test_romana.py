"""What the role cni_romana makes of the plan's routes, and what it refuses."""

import json

import pytest

from flatnet.cni import ptp_configuration
from flatnet.errors import FlatnetError
from flatnet.romana import romana_refusals, romana_routes

ROUTE = {"destination": "10.200.128.0/17", "gateway": "192.0.2.1"}
ETH0 = {"name": "eth0", "addresses": ["192.0.2.11/24"]}
CONNECTED = {"destination": "192.0.2.0/24", "gateway": "", "device": "eth0", "type": "unicast"}


def test_a_node_refuses_what_is_for_no_pod_of_its_own() -> None:
    assert romana_routes([ROUTE], ["10.200.0.0/24", "fd00::/64"]) == [
        {"destination": "10.200.0.0/24", "type": "unreachable"},
        {"destination": "fd00::/64", "type": "unreachable"},
        ROUTE,
    ]


@pytest.mark.parametrize(
    "facts", [{"interfaces": [ETH0], "routes": []}, {"interfaces": [], "routes": [CONNECTED]}]
)
def test_a_gateway_on_a_link_is_accepted(facts: dict[str, object]) -> None:
    assert romana_refusals(facts, [ROUTE]) == []


def test_a_gateway_elsewhere_is_refused_once() -> None:
    facts = {"interfaces": [ETH0 | {"addresses": ["198.51.100.11/24"]}], "routes": []}
    assert romana_refusals(facts, [ROUTE, ROUTE | {"destination": "10.200.64.0/18"}]) == [
        "the gateway 192.0.2.1 is on none of its links, and routes lead through neighbours alone. Fix: put "
        "the host into the group of cluster_pod_topology whose link it is on, or give that group gateways "
        "there."
    ]


def test_pods_have_links_of_their_own_and_addresses_of_host_local() -> None:
    ptp, portmap = json.loads(ptp_configuration(["10.200.0.0/24", "fd00::/64"], 1450))["plugins"]
    assert ptp == {
        "type": "ptp",
        "ipMasq": False,
        "mtu": 1450,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.200.0.0/24"}], [{"subnet": "fd00::/64"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        },
    }
    assert portmap["type"] == "portmap"


def test_a_node_without_a_network_is_refused() -> None:
    with pytest.raises(FlatnetError, match="no pod network"):
        ptp_configuration([], 1500)
