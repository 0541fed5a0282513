"""Bridges, tunnels and flows of a node follow from its place among the others."""

from __future__ import annotations

from typing import Any

import pytest
from openvswitch_cases import KERNEL, NODES, node, place

from flatnet.errors import FlatnetError
from flatnet.openvswitch.network import network
from flatnet.openvswitch.place import datapath, place_of
from flatnet.openvswitch.tables import tables


def made(
    datapath: str = "system", mode: str = "gre", nodes: dict[str, Any] = NODES, **changed: object
) -> dict[str, Any]:
    return network(place_of(place(mode, nodes, **changed)), datapath)


def test_the_bridge_has_the_gateways_and_the_route_to_all_pods() -> None:
    bridge = made()["bridge"]
    assert bridge == {
        "name": "kbr0",
        "mac": "0a:58:0a:c8:01:01",
        "mtu": 1430,
        "addresses": ["10.200.1.1/24", "fd00:200:0:1::1/64"],
        "routes": [
            {"destination": "10.200.0.0/16", "source": "10.200.1.1"},
            {"destination": "fd00:200::/48", "source": "fd00:200:0:1::1"},
        ],
    }


def test_tunnels_lead_from_the_nodes_first_address_to_the_peers_of_its_family() -> None:
    assert made()["tunnels"] == [
        {
            "name": f"obr0-c000020{end}",
            "node": f"node-{number}",
            "type": "gre",
            "port_config": {"stp-port-num": str(port)},
            "options": {"remote_ip": f"192.0.2.{10 + number}", "key": "1", "local_ip": "192.0.2.11"},
        }
        # 10.200.0.0/24 and 10.200.2.0/24 are the networks 706560 and 706562 of that size.
        for number, end, port in ((0, "a", 706560 % 255 + 1), (2, "c", 706562 % 255 + 1))
    ]
    six = {name: {**one, "addresses": one["addresses"][::-1]} for name, one in NODES.items()}
    tunnels = made(nodes=six)["tunnels"]
    assert [one["options"]["remote_ip"] for one in tunnels] == ["2001:db8::10", "2001:db8::12"]
    assert len({one["name"] for one in tunnels}) == 2
    assert all(len(one["name"]) <= 15 for one in tunnels)


def test_options_of_the_mode_are_those_of_the_contract() -> None:
    contract = place("vxlan")["contract"] | {"option_values": {"key": 77, "port": 4790}}
    found = made(mode="vxlan", contract=contract)["tunnels"][0]
    assert found["type"] == "vxlan"
    assert found["options"] | {"key": "77", "dst_port": "4790"} == found["options"]


def test_a_node_that_comes_or_goes_moves_nobody_else() -> None:
    def root(nodes: dict[str, Any]) -> str:
        return str(made(nodes=nodes)["switch"]["columns"]["other_config"]["stp-priority"])

    assert root(NODES) == "8192"
    assert root({**NODES, "a-node": node(7)}) == "8192"
    before = {one["name"]: one for one in made()["tunnels"]}
    after = {one["name"]: one for one in made(nodes={**NODES, "a-node": node(7)})["tunnels"]}
    assert before.items() < after.items()


def test_hosts_without_pods_have_no_tunnel() -> None:
    store = {"addresses": ["192.0.2.99"], "groups": ["etcd"], "pod_cidrs": []}
    assert made(nodes={**NODES, "store": store}) == made()


def test_with_flows_nothing_goes_from_tunnel_to_tunnel() -> None:
    found = made(topology="flows")
    columns = found["switch"]["columns"]
    assert (columns["stp_enable"], columns["fail_mode"]) == (False, "secure")
    assert not any(name.startswith("stp") for name in columns["other_config"])
    assert all(one["port_config"] == {} for one in found["tunnels"])
    for flow in found["flows"]:
        entry, _, action = flow.partition("actions=")
        is_from_pods = "in_port=LOCAL," in entry
        assert action.startswith("output:obr0-") if is_from_pods else action == "LOCAL"


def test_a_port_keeps_its_number_in_the_spanning_tree_whoever_comes() -> None:
    before = {one["name"]: one["port_config"] for one in made()["tunnels"]}
    nodes = {**NODES, **{f"a-{number}": node(number) for number in range(3, 60)}}
    after = {one["name"]: one["port_config"] for one in made(nodes=nodes)["tunnels"]}
    assert before.items() < after.items()
    assert len({one["stp-port-num"] for one in after.values()}) == len(after)


def test_flows_find_the_neighbours_of_both_families() -> None:
    flows = made(topology="flows")["flows"]
    end = "actions=output:obr0-c000020c"
    assert [flow for flow in flows if flow.endswith(end)] == [
        f"priority=100,in_port=LOCAL,arp,arp_tpa=10.200.2.0/24,{end}",
        f"priority=100,in_port=LOCAL,ip,nw_dst=10.200.2.0/24,{end}",
        f"priority=110,in_port=LOCAL,icmp6,icmp_type=135,icmp_code=0,nd_target=fd00:200:0:2::/64,{end}",
        f"priority=100,in_port=LOCAL,ipv6,ipv6_dst=fd00:200:0:2::/64,{end}",
        f"priority=90,in_port=LOCAL,dl_dst=0a:58:0a:c8:02:01,ipv6,ipv6_dst=fe80::/10,{end}",
    ]


def test_the_kernels_datapath_needs_no_passage_and_that_in_userspace_has_one() -> None:
    assert made("system")["passage"] is None
    found = made("netdev")
    assert found["passage"]["peers"] == ["192.0.2.10", "192.0.2.12"]
    assert found["passage_names"].items() < found["passage"].items()
    assert all("local_ip" not in one["options"] for one in found["tunnels"])


@pytest.mark.parametrize(
    ("features", "mode", "wanted", "expected"),
    [
        (KERNEL, "gre", "auto", "system"),
        ({**KERNEL, "openvswitch": False}, "gre", "auto", "netdev"),
        ({**KERNEL, "gre": False}, "gre", "auto", "netdev"),
        ({**KERNEL, "gre": False}, "vxlan", "auto", "system"),
        ({}, "vxlan", "auto", "netdev"),
        (KERNEL, "vxlan", "netdev", "netdev"),
        ({}, "vxlan", "system", "system"),
    ],
)
def test_the_datapath_is_the_kernels_where_it_has_what_the_mode_needs(
    features: dict[str, bool], mode: str, wanted: str, expected: str
) -> None:
    assert datapath({"kernel_features": features}, mode, wanted) == expected


def test_tables_lend_the_nodes_address_to_tunnels_of_the_userspace_datapath_alone() -> None:
    here, addresses = place_of(place("vxlan")), ["192.0.2.11", "2001:db8::11"]
    names = [(one["family"], one["table"]) for one in tables(here, "system", addresses)]
    assert names == [("ip", "flatnet_openvswitch"), ("ip6", "flatnet_openvswitch")]
    lent = tables(here, "netdev", addresses)[-1]
    assert lent["table"] == "flatnet_openvswitch_tunnels"
    peers = "{ 192.0.2.10, 192.0.2.12 }"
    assert f"ip saddr {peers} ip daddr 192.0.2.11 udp dport 4789 notrack ip daddr set" in lent["content"]
    assert f"ip daddr {peers} ip saddr set 192.0.2.11" in lent["content"]
    assert "ip protocol gre notrack" in tables(place_of(place()), "netdev", addresses)[-1]["content"]


def test_a_node_that_has_nobody_to_speak_to_needs_no_lent_address() -> None:
    alone = place_of(place(nodes={"node-1": NODES["node-1"]}))
    assert len(tables(alone, "netdev", ["192.0.2.11", "2001:db8::11"])) == 2


def test_a_peer_without_an_address_of_the_family_is_an_error() -> None:
    with pytest.raises(FlatnetError, match="node-2 has no address of the family ipv4"):
        place_of(place(nodes={**NODES, "node-2": node(2, "2001:db8::12")}))
    with pytest.raises(FlatnetError, match="node-9 has no pod network"):
        place_of(place(host="node-9"))
