"""Routes to pods on routers: next hops on links only, and words for what has none."""

from typing import Any

import pytest

from flatnet.routers import redirect_sysctls, router_interfaces, router_refusals, router_routes

NODES: dict[str, dict[str, Any]] = {
    "control-plane-1": {"addresses": ["192.0.2.11"], "pod_cidrs": []},
    "node-1": {"addresses": ["192.0.2.12", "2001:db8::12"], "pod_cidrs": ["10.200.1.0/24", "fd00:1::/64"]},
    "node-2": {
        "addresses": ["198.51.100.12", "2001:db8:1::12"],
        "pod_cidrs": ["10.200.0.0/24", "fd00:2::/64"],
    },
}


def router(*legs: tuple[str, str], up: bool = True, routes: tuple[Any, ...] = ()) -> dict[str, Any]:
    interfaces = [{"name": name, "up": up, "addresses": [address]} for name, address in legs]
    return {"interfaces": interfaces, "routes": list(routes)}


BETWEEN = router(
    ("eth0", "192.0.2.9/24"),
    ("eth0", "2001:db8::9/64"),
    ("eth1", "198.51.100.9/24"),
    ("eth1", "2001:db8:1::9/64"),
)
LEGS_OF_FIRST = (("eth0", "192.0.2.9/24"), ("eth0", "2001:db8::9/64"), ("core", "203.0.113.1/30"))
FIRST = router(*LEGS_OF_FIRST)
SECOND = router(("eth0", "198.51.100.9/24"), ("core", "203.0.113.2/30"))
V4 = {name: {key: values[:1] for key, values in node.items()} for name, node in NODES.items()}


def test_a_router_on_all_links_leads_through_the_nodes_themselves_in_both_families() -> None:
    assert router_routes(NODES, {"router-1": BETWEEN}) == {
        "router-1": [
            {"destination": "10.200.0.0/24", "gateway": "198.51.100.12"},
            {"destination": "10.200.1.0/24", "gateway": "192.0.2.12"},
            {"destination": "fd00:1::/64", "gateway": "2001:db8::12"},
            {"destination": "fd00:2::/64", "gateway": "2001:db8:1::12"},
        ]
    }
    assert router_refusals(NODES, {"router-1": BETWEEN}) == []


def test_what_every_router_has_for_itself_connects_none_of_them() -> None:
    same = (("lo", "127.0.0.1/8"), ("docker0", "172.17.0.1/16"), ("lo", "::1/128"))
    first = router(*same, ("eth0", "192.0.2.9/24"), ("core", "203.0.113.1/30"))
    second = router(*same, ("eth0", "198.51.100.9/24"), ("core", "203.0.113.2/30"))
    plain = {"router-1": FIRST, "router-2": SECOND}
    assert router_routes(V4, {"router-1": first, "router-2": second}) == router_routes(V4, plain)


def test_routers_are_neighbours_where_each_sees_the_other() -> None:
    first = router(("docker0", "172.17.0.1/16"), *LEGS_OF_FIRST)
    second = router(("wan", "172.17.40.1/24"), ("eth0", "198.51.100.9/24"), ("core", "203.0.113.2/30"))
    plain = {"router-1": FIRST, "router-2": SECOND}
    assert router_routes(V4, {"router-1": first, "router-2": second}) == router_routes(V4, plain)


def test_a_node_is_no_router_and_a_router_that_loses_its_way_out_is_refused() -> None:
    (node,) = router_refusals(V4, {"router-1": BETWEEN, "node-1": router(("eth0", "192.0.2.12/24"))})[:1]
    assert node.startswith("the router node-1 has 192.0.2.12, the address of node-1")
    told = {**BETWEEN, "advertised_default_routes": ["eth0"]}
    assert router_refusals(V4, {"router-1": told}) == []
    (lost,) = router_refusals(NODES, {"router-1": told})
    assert "net/ipv6/conf/eth0/accept_ra = 2" in lost


def test_a_route_of_others_to_some_of_the_pods_is_refused_too() -> None:
    some = {"destination": "10.200.1.64/26", "protocol": "kernel"}
    (found,) = router_refusals(V4, {"router-1": {**BETWEEN, "routes": [some]}})
    assert found.startswith("the router router-1 has a route to 10.200.1.64/26 already (protocol kernel)")


def test_a_router_leads_through_another_to_nodes_that_are_not_on_its_links() -> None:
    routers = {"router-1": FIRST, "router-2": SECOND}
    assert router_routes(V4, routers) == {
        "router-1": [
            {"destination": "10.200.0.0/24", "gateway": "203.0.113.2"},
            {"destination": "10.200.1.0/24", "gateway": "192.0.2.12"},
        ],
        "router-2": [
            {"destination": "10.200.0.0/24", "gateway": "198.51.100.12"},
            {"destination": "10.200.1.0/24", "gateway": "203.0.113.1"},
        ],
    }
    assert router_refusals(V4, routers) == []


def test_a_chain_of_routers_leads_to_its_ends_and_never_in_a_circle() -> None:
    middle = router(("a", "203.0.113.5/30"), ("b", "203.0.113.9/30"))
    first = router(("eth0", "192.0.2.9/24"), ("core", "203.0.113.6/30"))
    last = router(("eth0", "198.51.100.9/24"), ("core", "203.0.113.10/30"))
    routers = {"a": last, "b": middle, "c": first}
    found = {
        name: {route["destination"]: route["gateway"] for route in routes}
        for name, routes in router_routes(V4, routers).items()
    }
    assert found == {
        "a": {"10.200.0.0/24": "198.51.100.12", "10.200.1.0/24": "203.0.113.9"},
        "b": {"10.200.0.0/24": "203.0.113.10", "10.200.1.0/24": "203.0.113.6"},
        "c": {"10.200.0.0/24": "203.0.113.5", "10.200.1.0/24": "192.0.2.12"},
    }


def test_of_two_routers_on_one_link_each_leads_through_the_node() -> None:
    twin = router(("eth0", "192.0.2.8/24"), ("eth1", "198.51.100.8/24"))
    routes = router_routes(V4, {"router-1": BETWEEN, "router-2": twin})
    assert routes["router-1"] == routes["router-2"]


@pytest.mark.parametrize(
    ("routers", "words"),
    [
        ({}, "the group network_router has no host"),
        ({"router-1": FIRST}, "no router of the group network_router has node-2 (198.51.100.12) on a link"),
        (
            {"router-1": router(("eth0", "192.0.2.9/24"), ("eth1", "198.51.100.9/24"), up=False)},
            "no router of the group network_router has node-1 (192.0.2.12) on a link",
        ),
        (
            {"router-1": BETWEEN, "router-2": router(("eth0", "203.0.113.2/30"))},
            "the router router-2 has neither node-1, node-2 on a link nor another router",
        ),
        (
            {
                "router-1": BETWEEN
                | {"routes": [{"destination": "10.200.0.0/24", "protocol": "bird", "gateway": "192.0.2.1"}]}
            },
            "the router router-1 has a route to 10.200.0.0/24 already (protocol bird), which is not",
        ),
    ],
)
def test_what_no_router_can_carry_is_told_with_a_fix(routers: dict[str, Any], words: str) -> None:
    sentences = router_refusals(V4, routers)
    assert any(words in sentence for sentence in sentences)
    assert all(" Fix: " in sentence for sentence in sentences)


def test_its_own_routes_and_wider_ones_of_others_are_no_reason() -> None:
    routes = [
        {"destination": "10.200.0.0/24", "protocol": "157", "gateway": "198.51.100.12"},
        {"destination": "10.0.0.0/8", "protocol": "static", "gateway": "192.0.2.1"},
    ]
    assert router_refusals(V4, {"router-1": BETWEEN | {"routes": routes}}) == []


def test_redirects_are_off_where_nodes_are_and_names_with_dots_are_written_as_sysctl_reads_them() -> None:
    routers = {"router-1": router(("eth1.100", "192.0.2.9/24"), ("eth1.200", "203.0.113.2/30"))}
    found = router_interfaces(V4, routers)
    assert found == {"router-1": ["eth1.100"]}
    assert redirect_sysctls(found["router-1"]) == {
        "net.ipv4.ip_forward": 1,
        "net.ipv4.conf.all.send_redirects": 0,
        "net.ipv4.conf.eth1/100.send_redirects": 0,
    }


RACKS: dict[str, dict[str, Any]] = {
    "node-1": {"addresses": ["192.0.2.11"], "pod_cidrs": ["10.200.0.0/24"]},
    "node-2": {"addresses": ["198.51.100.12"], "pod_cidrs": ["10.200.128.0/24"]},
    "node-3": {"addresses": ["198.51.100.13"], "pod_cidrs": ["10.200.129.0/24"]},
}
TOPOLOGY = [
    {"name": "rack-1", "cidrs": ["10.200.0.0/17"], "gateways": ["192.0.2.9"], "hosts": ["node-1"]},
    {
        "name": "rack-2",
        "cidrs": ["10.200.128.0/17"],
        "gateways": ["198.51.100.9"],
        "hosts": ["node-2", "node-3"],
    },
]
SPINE = router(("eth0", "203.0.113.9/24"))
TOPS = {
    "rack-1": router(("eth0", "203.0.113.7/24"), ("eth1", "192.0.2.9/24")),
    "rack-2": router(("eth0", "203.0.113.8/24"), ("eth1", "198.51.100.9/24")),
}


def lines(routes: list[dict[str, str]]) -> list[str]:
    return [f"{one['destination']} {one.get('gateway') or one['type']}" for one in routes]


def test_a_router_beside_all_groups_has_one_route_to_each() -> None:
    found = router_routes(RACKS, {"spine": SPINE, **TOPS}, TOPOLOGY)
    assert {name: lines(routes) for name, routes in found.items()} == {
        "spine": ["10.200.0.0/17 203.0.113.7", "10.200.128.0/17 203.0.113.8"],
        "rack-1": [
            "10.200.0.0/17 unreachable",
            "10.200.0.0/24 192.0.2.11",
            "10.200.128.0/17 203.0.113.8",
        ],
        "rack-2": [
            "10.200.0.0/17 203.0.113.7",
            "10.200.128.0/17 unreachable",
            "10.200.128.0/24 198.51.100.12",
            "10.200.129.0/24 198.51.100.13",
        ],
    }


def test_a_group_with_nodes_on_two_ways_has_a_route_for_each_of_its_parts() -> None:
    zone = [
        {"name": "zone", "cidrs": ["10.200.0.0/16"], "gateways": [], "hosts": []},
        *({**one, "name": f"zone/{one['name']}"} for one in TOPOLOGY),
    ]
    found = router_routes(RACKS, {"spine": SPINE, **TOPS}, zone)
    assert lines(found["spine"]) == [
        "10.200.0.0/16 unreachable",
        "10.200.0.0/17 203.0.113.7",
        "10.200.128.0/17 203.0.113.8",
    ]


def test_a_node_that_has_all_of_its_group_is_led_to_itself() -> None:
    alone = [{**TOPOLOGY[0], "cidrs": ["10.200.0.0/24"]}, TOPOLOGY[1]]
    assert lines(router_routes(RACKS, TOPS, alone)["rack-1"]) == [
        "10.200.0.0/24 192.0.2.11",
        "10.200.128.0/17 203.0.113.8",
    ]


def test_a_route_of_others_to_a_group_is_refused() -> None:
    routes = ({"destination": "10.200.128.0/17", "protocol": "static"},)
    spine = router(("eth0", "203.0.113.9/24"), routes=routes)
    assert router_refusals(RACKS, {"spine": spine, **TOPS}, TOPOLOGY) == [
        "the router spine has a route to 10.200.128.0/17 already (protocol static), which is not flatnet's. "
        "Fix: remove it, or plan other networks."
    ]
    assert router_refusals(RACKS, {"spine": SPINE, **TOPS}, TOPOLOGY) == []
