from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import host, hosts
from plan_report_cases import PLANS, THREE, WIDE, plan

from flatnet.plan.addresses import WIDTH, Address, Family, Network, parse_address, parse_network
from flatnet.plan_report import Surroundings, plan_document
from flatnet.plan_report.address_map import family_maps
from flatnet.plan_report.map_grid import Grid, Run, draw, lay_out, runs
from flatnet.plan_report.ranges import (
    Mark,
    address_networks,
    covering,
    node_networks,
    overview,
    service_marks,
    size_words,
    static_band,
)
from flatnet.plan_report.svg import element, shortened
from flatnet.plan_report.topology import draw_topology, group_hosts
from flatnet.plan_report.words import amount, counted, listed

POD = parse_network("10.200.0.0/16")


def mark(cidr: str, kind: str = "pods", label: str = "n") -> Mark:
    network = parse_network(cidr)
    return Mark(network.first, network.last, kind, label, f"{cidr}: {label}", label)


def parsed(markup: str) -> ET.Element:
    """Return the markup, which is our own, as a tree; fails when it is not well-formed."""
    return ET.XML(markup)


def titles(markup: str) -> list[str]:
    return [element.text or "" for element in parsed(markup).iter("title")]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0"),
        (256, "256"),
        (65_536, "65,536"),
        (999_999, "999,999"),
        (8_388_608, "8.4 million"),
        (3_000_000_000, "3.0 billion"),
        (1 << 40, "2⁴⁰"),
        ((1 << 72) + 1, "about 2⁷²"),
    ],
)
def test_an_amount_is_readable_at_every_size(count: int, words: str) -> None:
    assert amount(count) == words


@pytest.mark.parametrize(
    ("cidr", "words"), [("192.0.2.1/32", "1 address"), ("192.0.2.0/24", "256 addresses")]
)
def test_a_network_of_one_address_has_no_plural(cidr: str, words: str) -> None:
    assert size_words(parse_network(cidr)) == words


def test_one_and_many_have_their_own_words() -> None:
    assert (counted(1, "node"), counted(1000, "node"), counted(2, "address", "addresses")) == (
        "1 node",
        "1,000 nodes",
        "2 addresses",
    )


def test_a_list_is_cut_where_that_saves_something() -> None:
    assert [listed("abcdefgh"[:n], 3) for n in range(6)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
        "a, b, c and d",
        "a, b, c and 2 more",
    ]


def test_text_in_pictures_is_escaped_and_numbers_are_short() -> None:
    assert element("a", class_="<&", data_host='"', x=1.0, y=0.25, z=None) == (
        '<a class="&lt;&amp;" data-host="&quot;" x="1" y="0.2"/>'
    )


def test_text_is_cut_in_the_middle() -> None:
    assert shortened("control-plane-1", 200, 12) == "control-plane-1"
    assert shortened("control-plane-1", 68, 12) == "contr…ne-1"
    assert shortened("control-plane-1", 20, 12) == ""


def test_the_part_that_is_used_is_enlarged() -> None:
    grid = lay_out(POD, [mark("10.200.0.0/24"), mark("10.200.2.0/24")], 256)
    assert grid == Grid(POD, parse_network("10.200.0.0/21"), 256, 4)
    assert (grid.cells, grid.rows) == (8, 2)


def test_what_is_used_everywhere_is_shown_whole() -> None:
    grid = lay_out(POD, [mark("10.200.0.0/24"), mark("10.200.255.0/24")], 256)
    assert (grid.shown, grid.cells, grid.columns) == (POD, 256, 32)


def test_an_empty_network_is_shown_from_its_start() -> None:
    assert lay_out(POD, [], 256).shown == parse_network("10.200.0.0/21")


def test_more_than_a_thousand_cells_stand_for_several_networks_each() -> None:
    whole = parse_network("10.0.0.0/8")
    grid = lay_out(whole, [mark("10.0.0.0/24"), mark("10.255.255.0/24")], 256)
    assert (grid.shown, grid.cell, grid.cells, grid.columns) == (whole, 64 * 256, 1024, 64)


@given(
    prefix=st.integers(8, 24),
    blocks=st.sets(st.integers(0, 2**16 - 1), max_size=40),
    ipv6=st.booleans(),
)
def test_a_map_always_holds_every_mark_in_at_most_a_thousand_cells(
    prefix: int, blocks: set[int], ipv6: bool
) -> None:
    family: Family = "ipv6" if ipv6 else "ipv4"
    unit = 1 << (WIDTH[family] - prefix - 8)
    whole = Network(family, 0, prefix)
    marks = [
        Mark(first, first + unit - 1, "pods", str(first), f"{first}: x")
        for first in sorted({block % 256 * unit for block in blocks})
    ]
    grid = lay_out(whole, marks, unit)
    drawn = list(runs(grid, marks))
    assert grid.cells <= 1024
    assert all(run.cell >= 0 and run.cell + run.cells <= grid.cells for run in drawn)
    assert all(run.cell // grid.columns == (run.cell + run.cells - 1) // grid.columns for run in drawn)
    assert sum(run.cells * run.share for run in drawn) * grid.cell == len(marks) * unit
    parsed(draw(grid, marks, "label", "pods", "one"))


def test_a_large_node_network_is_one_block_and_continues_in_the_next_row() -> None:
    large = mark("10.200.2.0/23")
    grid = Grid(POD, parse_network("10.200.0.0/21"), 256, 3)
    assert list(runs(grid, [large])) == [Run(2, 1, 1.0, large), Run(3, 1, 1.0, large)]


def test_small_networks_share_a_cell() -> None:
    grid = Grid(POD, parse_network("10.200.0.0/22"), 256, 4)
    found = list(runs(grid, [mark("10.200.1.0/26", label="a"), mark("10.200.1.64/26", label="b")]))
    assert [(run.cell, run.share, run.mark.detail) for run in found] == [
        (1, 0.5, "10.200.1.0/24: 2 of a and b")
    ]


def test_node_networks_and_those_kept_are_marked() -> None:
    kept = Surroundings(removed={"gone": ["10.200.9.0/24", "10.201.0.0/24"]})
    found = node_networks(plan_document(plan()), kept, POD)
    assert [(one.kind, one.label, one.detail) for one in found] == [
        ("pods", "control-plane-1", "10.200.0.0/24: pods of control-plane-1, at 192.0.2.11"),
        ("pods", "node-1", "10.200.1.0/24: pods of node-1, at 192.0.2.12"),
        ("pods", "node-2", "10.200.2.0/24: pods of node-2, at 192.0.2.13"),
        ("kept", "gone", "10.200.9.0/24: kept for gone, which left"),
    ]


@pytest.mark.parametrize(("size", "band"), [(8, 0), (16, 0), (32, 16), (256, 16), (1024, 64), (1 << 20, 256)])
def test_the_band_for_addresses_chosen_by_hand_is_that_of_kubernetes(size: int, band: int) -> None:
    assert static_band(size) == band


def test_what_is_special_in_a_service_network_is_marked() -> None:
    found = service_marks(plan_document(plan()), parse_network("10.32.0.0/24"))
    assert [(one.kind, one.detail.partition(": ")[0]) for one in found] == [
        ("unused", "10.32.0.0"),
        ("first", "10.32.0.1"),
        ("static", "10.32.0.2 to 10.32.0.9"),
        ("dns", "10.32.0.10"),
        ("static", "10.32.0.11 to 10.32.0.16"),
        ("unused", "10.32.0.255"),
    ]


def test_every_range_is_in_the_overview_in_the_order_of_the_addresses() -> None:
    around = Surroundings(excluded=["172.16.0.0/12"], hosts=["192.0.2.0/24", "198.51.100.0/24"])
    found = overview(plan_document(plan()), around, "ipv4")
    assert [(str(one.network), one.label, one.detail) for one in found] == [
        ("10.32.0.0/24", "Services", "no interface has these addresses"),
        ("10.200.0.0/16", "Pods", "3 node networks in it"),
        ("172.16.0.0/12", "Excluded", "kept free for others"),
        ("192.0.2.0/24", "Nodes", "3 node addresses"),
        ("198.51.100.0/24", "Hosts", "no node yet"),
    ]


def test_node_addresses_side_by_side_are_one_network() -> None:
    found = address_networks(plan_document(plan(WIDE, hosts(1000))), Surroundings(), "ipv4")
    assert [str(network) for network in found] == ["198.18.0.0/22"]


def test_scattered_node_addresses_become_few_networks_that_cover_nothing_else() -> None:
    some = [THREE[0], *(host(f"n{i}", f"10.{i}.0.1") for i in (1, 2, 3, 4, 199, 201, 202))]
    found = address_networks(plan_document(plan(some=some)), Surroundings(), "ipv4")
    assert [str(network) for network in found] == [
        "10.0.0.0/13",
        "10.199.0.1/32",
        "10.201.0.1/32",
        "10.202.0.1/32",
        "192.0.2.11/32",
    ]


@given(
    st.sets(st.integers(0, 1 << 32).filter(lambda v: not POD.first <= v <= POD.last), min_size=1, max_size=60)
)
def test_every_node_address_is_in_one_network_on_the_map(values: set[int]) -> None:
    document = plan_document(plan())
    texts = [str(Address("ipv4", value % (1 << 32))) for value in sorted(values)]
    document["nodes"] = {text: {"addresses": [text]} for text in texts}
    found = address_networks(document, Surroundings(), "ipv4")
    assert [sum(network.holds(parse_address(text)) for network in found) for text in texts] == [1] * len(
        texts
    )
    assert all(one.last < other.first for one, other in pairwise(found))
    assert not any(network.overlaps(POD) for network in found if network.size > 256)


def test_a_covering_network_holds_both_and_so_many() -> None:
    first, last = parse_address("192.0.2.11").value, parse_address("192.0.2.13").value
    assert str(covering("ipv4", first, last)) == "192.0.2.8/29"
    assert str(covering("ipv4", first, first)) == "192.0.2.11/32"
    assert str(covering("ipv4", first, last, 16)) == "192.0.2.0/28"


def test_each_family_has_its_maps_in_the_order_of_the_plan() -> None:
    maps = family_maps(plan_document(PLANS["dual-stack"]), Surroundings())
    assert [(one.family, [figure.heading for figure in one.figures]) for one in maps] == [
        (
            "IPv4",
            ["Pod network 10.200.0.0/16", "Service network 10.32.0.0/24", "Node addresses in 192.0.2.8/29"],
        ),
        (
            "IPv6",
            [
                "Pod network 2001:db8:200::/56",
                "Service network 2001:db8:32::/112",
                "Node addresses in 2001:db8::/125",
            ],
        ),
    ]


def test_the_words_count_what_is_used_kept_and_free() -> None:
    around = Surroundings(removed={"gone": ["10.200.9.0/24"]})
    figure = family_maps(plan_document(plan()), around)[0].figures[0]
    assert figure.words == "3 of 256 /24 networks used, 1 kept for nodes that left, 252 free."
    assert figure.legend == (
        ("pods", "a node's pods"),
        ("kept", "kept for a node that left"),
        ("free", "free"),
    )


def test_networks_that_are_kept_far_away_cost_nobody_a_cell() -> None:
    around = Surroundings(removed={"gone": ["10.255.255.0/24"]})
    figure = family_maps(plan_document(plan(WIDE, hosts(100))), around)[0].figures[0]
    assert figure.words == "100 of 32,768 /24 networks used, 1 kept for nodes that left, 32,667 free."
    assert "10.128.0.0/17, 256 times enlarged" in figure.markup


def test_cells_that_stand_for_several_networks_say_so() -> None:
    found = plan(WIDE, hosts(2), nodes={"node-0000": ["10.128.0.0/24"], "node-0001": ["10.255.255.0/24"]})
    figure = family_maps(plan_document(found), Surroundings())[0].figures[0]
    assert figure.words.endswith(" free. A cell is 32 networks.")


def test_a_pool_that_the_backend_gives_out_is_said_to_be_that() -> None:
    document = plan_document(plan())
    document["backend"] = document["backend"] | {"ipam": "backend", "name": "other"}
    assert family_maps(document, Surroundings())[0].figures[0].words == (
        "65,536 addresses, which other gives to nodes as they need them."
    )


@pytest.mark.parametrize("name", sorted(PLANS))
def test_every_picture_is_well_formed_and_names_every_node_with_pods(name: str) -> None:
    document = plan_document(PLANS[name])
    for family in family_maps(document, Surroundings()):
        parsed(family.overview)
        said = "\n".join(title for figure in family.figures for title in titles(figure.markup))
        for host_name, node in document["nodes"].items():
            assert not node["pod_cidrs"] or f"pods of {host_name}" in said
    topology = draw_topology(document)
    assert titles(topology.markup)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kubenet", "6 routes in all: every host has one to the pods of each other node, 3 nodes with pods."),
        ("flannel", "3 hosts in one tunnel network, every one with every other."),
        (
            "control-plane-alone",
            "9 routes in all: every host has one to the pods of each other node, 3 nodes with pods. "
            "1 host without pods or control plane take no part and are not drawn.",
        ),
        (
            "hundred",
            "9,900 routes in all: every host has one to the pods of each other node, 100 nodes with pods.",
        ),
    ],
)
def test_the_topology_is_said_in_numbers(name: str, words: str) -> None:
    assert draw_topology(plan_document(PLANS[name])).words == words


def test_pods_that_are_neighbours_have_no_routes_between_them() -> None:
    neighbours = plan()
    neighbours["backend"] = {**neighbours["backend"], "routes": "none"}
    document = plan_document(neighbours)
    assert document["routes"] == []
    words = "3 hosts, whose pods are neighbours: there are no routes between them."
    assert draw_topology(document).words == words


def test_a_card_shows_the_address_the_pods_and_the_routes() -> None:
    texts = [one.text for one in parsed(draw_topology(plan_document(plan())).markup).iter("text")]
    assert texts[:10] == [
        "control-plane-1",
        "etcd, control plane, node",
        "address",
        "192.0.2.11",
        "pods",
        "10.200.0.0/24",
        "bridge",
        "10.200.0.1",
        "routes",
        "10.200.1.0/24 via 192.0.2.12",
    ]
    assert texts[-1] == "Network between the nodes; MTU 1500, for pods too: their packets travel as they are"


def test_a_tunnel_is_drawn_with_its_port_and_mtu() -> None:
    texts = [one.text for one in parsed(draw_topology(plan_document(PLANS["flannel"])).markup).iter("text")]
    assert "Tunnel of flannel: UDP port 8472; MTU of pods 1450" in texts
    assert "tunnel address" in texts


@pytest.mark.parametrize(
    ("count", "groups", "largest"), [(9, 9, 1), (24, 24, 1), (25, 13, 2), (1000, 16, 64)]
)
def test_many_nodes_are_drawn_in_few_groups(count: int, groups: int, largest: int) -> None:
    document = plan_document(plan(WIDE, hosts(count)))
    found = group_hosts(document["nodes"], list(document["nodes"]))
    assert (len(found), max(len(group.names) for group in found)) == (groups, largest)
    assert [name for group in found for name in group.names] == list(document["nodes"])


def test_a_group_names_its_nodes_and_the_network_of_their_pods() -> None:
    markup = draw_topology(plan_document(plan(WIDE, hosts(1000)))).markup
    assert (
        "64 nodes, node-0064 to node-0127, pods in 10.128.64.0/18; each has 999 routes to the others"
        in titles(markup)
    )
    assert len(titles(markup)) == 16


def test_a_cluster_without_nodes_for_pods_has_no_picture() -> None:
    document = plan_document(plan())
    document["nodes"] = {name: node | {"routed": False} for name, node in document["nodes"].items()}
    assert draw_topology(document).markup == ""
