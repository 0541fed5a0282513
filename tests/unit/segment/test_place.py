from typing import Any

import pytest

from flatnet.errors import FlatnetError
from flatnet.segment.place import segment_node


def node(*cidrs: str, clusters: tuple[str, ...] = ("10.200.0.0/16", "fd00:200::/48")) -> dict[str, Any]:
    return segment_node(list(cidrs), list(clusters))


def test_a_node_gives_its_pods_addresses_between_its_gateway_and_its_last() -> None:
    assert node("10.200.1.0/24") == {
        "gateways": ["10.200.1.1/16"],
        "mac": "0a:58:0a:c8:01:01",
        "ranges": [
            [
                {
                    "subnet": "10.200.0.0/16",
                    "rangeStart": "10.200.1.2",
                    "rangeEnd": "10.200.1.254",
                    "gateway": "10.200.1.1",
                }
            ]
        ],
        "routes": [{"dst": "0.0.0.0/0"}],
    }


def test_a_node_of_both_families_has_a_range_of_each() -> None:
    found = node("10.200.1.0/24", "fd00:200:0:1::/64")
    assert found["gateways"] == ["10.200.1.1/16", "fd00:200:0:1::1/48"]
    assert found["ranges"][1] == [
        {
            "subnet": "fd00:200::/48",
            "rangeStart": "fd00:200:0:1::2",
            "rangeEnd": "fd00:200:0:1:ffff:ffff:ffff:fffe",
            "gateway": "fd00:200:0:1::1",
        }
    ]
    assert found["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]


@pytest.mark.parametrize(
    ("cluster", "nodes"),
    [
        ("10.200.0.0/16", ["10.200.0.0/24", "10.200.1.0/25", "10.200.1.128/25", "10.200.255.0/24"]),
        ("fd00:200::/48", ["fd00:200::/64", "fd00:200:0:1::/64", "fd00:200:0:ffff::/64"]),
        ("fd00:200::/108", ["fd00:200::/124", "fd00:200::10/124", "fd00:200::f:fff0/124"]),
    ],
)
def test_every_node_has_a_mac_address_of_its_own_that_is_no_maker_s(cluster: str, nodes: list[str]) -> None:
    found = [node(cidr, clusters=(cluster,))["mac"] for cidr in nodes]
    assert len(set(found)) == len(nodes)
    assert {mac[:6] for mac in found} == {"0a:58:"}


@pytest.mark.parametrize(
    ("cidrs", "words"),
    [
        (["10.201.1.0/24"], "10.201.1.0/24 is in none of 10.200.0.0/16"),
        (["node-1"], "cannot be read"),
        ([None], "cannot be read"),
        ([], "the node has no pod network; plan one, or take it out of kube_node"),
    ],
)
def test_pod_networks_that_are_none_are_refused(cidrs: list[str], words: str) -> None:
    with pytest.raises(FlatnetError, match=words):
        segment_node(cidrs, ["10.200.0.0/16"])
