from dataclasses import replace
from typing import Any

import pytest
from plan_cases import DUAL, DUAL_HOSTS, FLANNEL, HOSTS, findings, host, prepare, with_facts

# What hosters give: an address of its own, and everything through a gateway.
ALONE = {"name": "eth0", "mtu": 1500, "addresses": ["192.0.2.11/32"]}
ON_LINK = {"name": "eth0", "mtu": 1500, "addresses": ["192.0.2.11/24"]}
GATEWAY = {"destination": "172.31.1.1", "device": "eth0", "protocol": "boot"}
DEFAULT = {"destination": "default", "gateway": "172.31.1.1", "device": "eth0"}
STRICT = {"all": {"ipv4": {"rp_filter": 0}}, "eth0": {"ipv4": {"rp_filter": 1}}}


def seen(interface: dict[str, Any], *routes: dict[str, Any], **more: object) -> list[Any]:
    return [with_facts(HOSTS[0], interfaces=[interface], routes=list(routes), **more), *HOSTS[1:]]


def test_routes_through_hosts_that_are_on_no_link_are_refused_by_name() -> None:
    assert findings(some=seen(ALONE, GATEWAY, DEFAULT)) == [
        "[gateway-elsewhere] node-a: node-b, node-c are on none of its links, and the routes of backend "
        "kubenet need them as gateway (the kernel: Nexthop has invalid gateway). Fix: use a backend with a "
        "tunnel, such as flannel in its first mode, or give the nodes one network between them."
    ]


def test_one_host_behind_a_router_is_named_alone() -> None:
    some = [*seen(ON_LINK, DEFAULT), host("node-d", "198.51.100.14")]
    [line] = findings(some=some)
    assert line.startswith("[gateway-elsewhere] node-a: node-d is on none of its links")


def test_routes_that_daemons_make_through_the_nodes_need_links_as_well() -> None:
    host_gw = FLANNEL | {"node_links": "needed"}
    [line] = findings(some=[*seen(ON_LINK, DEFAULT), host("node-d", "198.51.100.14")], contract=host_gw)
    assert line.startswith("[gateway-elsewhere] node-a: node-d is on none of its links, and the routes of")
    assert prepare(some=seen(ON_LINK, DEFAULT), contract=host_gw).plan
    apart = [*seen(ON_LINK, DEFAULT), host("node-d", "198.51.100.14")]
    assert prepare(some=apart, contract=FLANNEL | {"node_links": "direct"}).plan


def test_a_tunnel_goes_through_any_router() -> None:
    assert prepare(some=seen(ALONE, GATEWAY, DEFAULT), contract=FLANNEL).plan


@pytest.mark.parametrize(
    "route",
    [
        {"destination": "192.0.2.0/24", "device": "eth0", "protocol": "static"},
        # A line with two ends has everybody at the other.
        {"destination": "default", "device": "ppp0"},
    ],
)
def test_a_route_without_a_gateway_makes_neighbours(route: dict[str, Any]) -> None:
    assert prepare(some=seen(ALONE, GATEWAY, route)).plan


def test_each_family_has_its_own_neighbours() -> None:
    interface = ON_LINK | {"addresses": ["192.0.2.11/24", "2001:db8::1/128"]}
    some = [with_facts(DUAL_HOSTS[0], interfaces=[interface]), *DUAL_HOSTS[1:]]
    [line] = findings(settings=DUAL, some=some)
    assert line.startswith("[gateway-elsewhere] node-a: node-b, node-c are on none")
    interface["addresses"] = ["192.0.2.11/24", "2001:db8::1/64"]
    assert prepare(settings=DUAL, some=some).plan


def test_a_host_of_etcd_alone_gets_no_routes_and_needs_no_neighbours() -> None:
    apart = replace(HOSTS[0], inventory_name="etcd-1", node_name="etcd-1", groups=frozenset({"etcd"}))
    alone = {"interfaces": [ALONE | {"addresses": ["192.0.2.14/32"]}], "routes": [GATEWAY, DEFAULT]}
    some = [*HOSTS, with_facts(replace(apart, addresses=("192.0.2.14",)), **alone)]
    assert prepare(some=some).plan


def test_a_host_that_is_no_node_is_nobodys_gateway() -> None:
    etcd = replace(host("etcd-1", "198.51.100.14"), groups=frozenset({"etcd"}))
    assert prepare(some=[*seen(ON_LINK, DEFAULT), etcd]).plan


def test_a_strict_interface_that_the_way_back_does_not_use_is_refused() -> None:
    around = {"destination": "192.0.2.12/32", "gateway": "10.8.0.1", "device": "tun0"}
    assert findings(some=seen(ON_LINK, around, interface_settings=STRICT)) == [
        "[reverse-path] node-a: net.ipv4.conf.eth0.rp_filter 1: eth0 has the node's address, and the way to "
        "node-b is through tun0, so that the kernel drops what node-b sends to it. Fix: set it to 2 (loose), "
        "or lead the way through eth0."
    ]
    loose = {**STRICT, "all": {"ipv4": {"rp_filter": 2}}}
    assert prepare(some=seen(ON_LINK, around, interface_settings=loose)).plan


def test_a_strict_interface_that_leads_there_too_is_not() -> None:
    both = [{"destination": "192.0.2.0/24", "device": name} for name in ("eth1", "eth0")]
    assert prepare(some=seen(ON_LINK, *both, interface_settings=STRICT)).plan


def test_a_default_route_elsewhere_counts_for_those_beyond_the_link() -> None:
    some = [
        *seen(ON_LINK, DEFAULT | {"device": "eth1"}, interface_settings=STRICT),
        host("node-d", "198.51.100.14"),
    ]
    [line] = findings(some=some, contract=FLANNEL)
    assert "the way to node-d is through eth1" in line


def test_a_strict_interface_with_a_table_of_its_own_is_judged_by_nobody() -> None:
    by_source = {"family": "ipv4", "priority": 100, "source": "192.0.2.11/32", "table": "101"}
    way = DEFAULT | {"device": "eth1"}
    some = [
        *seen(ON_LINK, way, interface_settings=STRICT, rules=[by_source]),
        host("node-d", "198.51.100.14"),
    ]
    assert prepare(some=some, contract=FLANNEL).plan
    some[0].facts["rules"] = [by_source | {"source": "192.0.2.99/32"}]
    assert findings(some=some, contract=FLANNEL)


@pytest.mark.parametrize(("name", "kind"), [("lo", "loopback"), ("anycast0", "dummy")])
def test_an_address_that_others_announce_comes_in_by_no_interface_of_its_own(name: str, kind: str) -> None:
    inner = {"name": name, "mtu": 65536, "addresses": ["192.0.2.11/32"], "kind": kind}
    strict = {name: {"ipv4": {"rp_filter": 1}}}
    uplink = DEFAULT | {"device": "eth0"}
    assert prepare(some=seen(inner, uplink, interface_settings=strict), contract=FLANNEL).plan
    inner["kind"] = "ether"
    assert findings(some=seen(inner, uplink, interface_settings=strict), contract=FLANNEL)
