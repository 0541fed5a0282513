"""Which routes a VPC network is to have, whose those there are, and what is refused before one is made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_loader import load_plugin

from flatnet.errors import FlatnetError
from flatnet.gce.routes import (
    Changes,
    Instance,
    Place,
    VpcRoute,
    count_warnings,
    place_faults,
    route_changes,
    route_refusals,
    wanted_routes,
)
from flatnet.gce.words import gcloud_commands, terraform

ROOT = Path(__file__).resolve().parents[3]
PLACE = Place("example-project", "default", "demo")
NODES: dict[str, dict[str, Any]] = {
    "a": {"name": "node-a", "addresses": ["192.0.2.11"], "pod_cidrs": ["10.200.0.0/24"]},
    "b": {"name": "node-b.example", "addresses": ["192.0.2.12"], "pod_cidrs": ["10.200.1.0/24"]},
    "etcd": {"name": "etcd", "addresses": ["192.0.2.13"], "pod_cidrs": []},
}
WANTED = wanted_routes(NODES, PLACE)
INSTANCES = [
    Instance(node["name"], node["addresses"][0], PLACE.network_path, True) for node in NODES.values()
]
OTHER = VpcRoute("of-others", PLACE.network_path, "10.0.0.0/8", "192.0.2.1", 900, (), "by hand")


def test_every_node_with_pods_has_a_route_through_its_address() -> None:
    assert [(route.destination, route.next_hop_ip, route.network) for route in WANTED] == [
        ("10.200.0.0/24", "192.0.2.11", "projects/example-project/global/networks/default"),
        ("10.200.1.0/24", "192.0.2.12", "projects/example-project/global/networks/default"),
    ]
    assert {route.description for route in WANTED} == {"Pods of cluster demo, by flatnet"}
    assert WANTED[1].name.startswith("flatnet-demo-node-b-example-")


@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=200),
    st.text(min_size=1, max_size=100),
)
def test_names_are_ones_that_the_api_takes_and_differ_where_contents_do(node: str, cluster: str) -> None:
    place = replace(PLACE, cluster_name=cluster)
    names = set()
    for address in ("192.0.2.11", "192.0.2.12"):
        nodes = {"a": {"name": node, "addresses": [address], "pod_cidrs": ["10.200.0.0/24"]}}
        (route,) = wanted_routes(nodes, place)
        assert not place_faults(replace(PLACE, name_prefix=route.name))
        names.add(route.name)
    assert len(names) == 2


def test_pods_of_ipv6_are_refused() -> None:
    nodes = {"a": {"name": "node-a", "addresses": ["2001:db8::1"], "pod_cidrs": ["fd00::/64"]}}
    with pytest.raises(FlatnetError, match="node node-a has the pod network fd00::/64"):
        wanted_routes(nodes, PLACE)


def test_what_is_there_is_left_and_what_moved_is_made_anew_before_the_old_goes() -> None:
    assert not route_changes(WANTED, [*WANTED, OTHER], PLACE)
    moved = wanted_routes(NODES | {"a": NODES["a"] | {"addresses": ["192.0.2.99"]}}, PLACE)
    changes = route_changes(moved, [*WANTED, OTHER], PLACE)
    assert [route.next_hop_ip for route in changes.inserted] == ["192.0.2.99"]
    assert [route.next_hop_ip for route in changes.deleted] == ["192.0.2.11"]
    assert changes.inserted[0].name != changes.deleted[0].name


def test_routes_of_others_and_of_other_clusters_stay() -> None:
    neighbours = wanted_routes(NODES, replace(PLACE, cluster_name="demo-2"))
    by_name_alone = replace(OTHER, name="flatnet-demo-x", destination="203.0.113.0/24")
    by_words_alone = replace(OTHER, description=PLACE.description)
    assert route_changes([], [*neighbours, by_name_alone, by_words_alone], PLACE) == Changes((), ())


def test_a_route_that_somebody_changed_the_name_of_counts_as_lost() -> None:
    changed = replace(WANTED[0], priority=5)
    changes = route_changes(WANTED, [changed, WANTED[1]], PLACE)
    assert (changes.inserted, changes.deleted) == ((WANTED[0],), (changed,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"project": "Example Project"}, "gce_routes_project 'Example Project' is no ID"),
        ({"network": "Default"}, "gce_routes_network 'Default' is no name"),
        ({"name_prefix": "-x"}, "gce_routes_name_prefix '-x' is no name"),
        ({"tags": ("nodes", "a" * 64)}, "gce_routes_tags 'aaa"),
        ({"priority": 65536}, "gce_routes_priority 65536 is out of range"),
    ],
)
def test_what_the_api_would_not_take_is_told(change: dict[str, Any], words: str) -> None:
    (sentence,) = place_faults(replace(PLACE, **change))
    assert sentence.startswith(words)
    assert " Fix: " in sentence


def test_a_place_of_a_domain_and_the_bounds_are_right() -> None:
    assert place_faults(PLACE) == []
    assert place_faults(Place("example.com:my-project", "n", "c", "a" * 63, 65535, ("nodes",))) == []


def refusals(
    found: list[VpcRoute] | None = None,
    instances: list[Instance] | None = None,
    place: Place = PLACE,
    mtus: tuple[int, int] = (1460, 1460),
) -> list[str]:
    return route_refusals(WANTED, found or [], INSTANCES if instances is None else instances, place, mtus)


def test_a_network_that_carries_the_plan_is_not_refused() -> None:
    elsewhere = replace(
        OTHER, network="projects/example-project/global/networks/x", destination="10.200.0.0/25"
    )
    assert refusals([OTHER, elsewhere, *WANTED]) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"mtus": (1500, 1460)},
            "the MTU between the nodes is planned as 1500, and the VPC network has 1460",
        ),
        (
            {"instances": [replace(INSTANCES[0], can_ip_forward=False), INSTANCES[1]]},
            "the instance node-a (192.0.2.11) may not forward packets (canIpForward)",
        ),
        (
            {"instances": INSTANCES[1:]},
            "no instance of project example-project has the address 192.0.2.11 in the network default",
        ),
        (
            {"instances": [replace(INSTANCES[0], network="projects/x/global/networks/y"), INSTANCES[1]]},
            "no instance of project example-project has the address 192.0.2.11",
        ),
        (
            {"found": [replace(OTHER, destination="10.200.0.128/25")]},
            "the route of-others of others leads 10.200.0.128/25 elsewhere, which is in the pod network",
        ),
        (
            {"found": [replace(OTHER, destination="10.200.1.0/24")]},
            "the route of-others of others leads 10.200.1.0/24 elsewhere",
        ),
        (
            {"found": [replace(OTHER, name=WANTED[0].name)]},
            f"the project has a route {WANTED[0].name} that is not flatnet's",
        ),
        (
            {"found": [OTHER], "place": replace(PLACE, limit=2)},
            "2 routes to pods and 1 of others are more than the 2 that gce_routes_limit",
        ),
    ],
)
def test_what_stands_in_the_way_is_refused_once_with_a_fix(given: dict[str, Any], words: str) -> None:
    (sentence,) = refusals(**given)
    assert sentence.startswith(words)
    assert " Fix: " in sentence


def test_as_many_as_the_limit_fit_and_its_own_are_not_counted_twice() -> None:
    assert refusals([*WANTED, OTHER], place=replace(PLACE, limit=3)) == []


def test_many_routes_are_warned_of() -> None:
    def of(count: int) -> list[VpcRoute]:
        return [replace(WANTED[0], name=f"r-{number}") for number in range(count)]

    assert count_warnings(of(50)) == []
    assert count_warnings(of(51))[0].startswith("51 routes are wanted in the VPC network")


def test_the_changes_as_commands() -> None:
    place = replace(PLACE, tags=("nodes", "demo"), cluster_name="it's")
    (route,) = wanted_routes({"a": NODES["a"]}, place)
    text = gcloud_commands(Changes((route,), (replace(OTHER, name="old-1"),)), place)
    assert text == (
        f"gcloud compute routes create {route.name} --project=example-project --network=default "
        "--destination-range=10.200.0.0/24 --next-hop-address=192.0.2.11 --priority=1000 --tags=nodes,demo "
        "'--description=Pods of cluster it'\"'\"'s, by flatnet'\n"
        "gcloud compute routes delete old-1 --project=example-project --quiet\n"
    )


def test_the_routes_as_terraform() -> None:
    place = replace(PLACE, tags=("nodes",), cluster_name="${demo}")
    (route,) = wanted_routes({"a": NODES["a"]}, place)
    assert terraform([route], place) == (
        f'resource "google_compute_route" "{route.name}" {{\n'
        f'  name        = "{route.name}"\n'
        '  project     = "example-project"\n'
        '  network     = "projects/example-project/global/networks/default"\n'
        '  description = "Pods of cluster $${demo}, by flatnet"\n'
        '  dest_range  = "10.200.0.0/24"\n'
        '  next_hop_ip = "192.0.2.11"\n'
        "  priority    = 1000\n"
        '  tags        = ["nodes"]\n'
        "}\n"
    )
    assert terraform(reversed(WANTED), PLACE) == "\n".join(terraform([one], PLACE) for one in WANTED)


def test_the_filters_print_the_same_without_a_cloud_and_refuse_an_unknown_key() -> None:
    filters = load_plugin(ROOT / "roles/gce_routes/filter_plugins/gce_routes.py").FilterModule().filters()
    place = {"project": "example-project", "network": "default", "cluster_name": "demo"}
    assert filters["vpc_routes_gcloud"](NODES, place) == gcloud_commands(Changes(tuple(WANTED), ()), PLACE)
    assert filters["vpc_routes_terraform"](NODES, place) == terraform(WANTED, PLACE)
    with pytest.raises(FlatnetError, match="unexpected keyword argument 'zone'"):
        filters["vpc_routes_gcloud"](NODES, place | {"zone": "x"})
