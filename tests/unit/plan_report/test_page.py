import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import ALL_GROUPS, GROUPED, group, host, hosts
from plan_report_cases import PLANS, THREE, WIDE, difference, plan

from flatnet.plan import Host, Settings, node_routes
from flatnet.plan_report import Surroundings, page_html, plan_difference, plan_document
from flatnet.plan_report.groups import group_rows
from flatnet.plan_report.origins import flag_origins, value_origins

ROOT = Path(__file__).resolve().parents[3]
VOID = {"meta", "link", "input", "br"}


class Reader(HTMLParser):
    """Reads a page strictly: every element is closed in its order, ids are unique."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.references: list[str] = []
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.links += [value for key, value in attrs if key in ("href", "src") and value]
        keys = ("aria-labelledby", "aria-controls", "aria-describedby", "for")
        self.references += [value for key, value in attrs if key in keys and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(found: dict[str, Any], *warnings: str, around: Surroundings | None = None) -> str:
    return page_html(found, plan_difference(found, found), warnings, around)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_page_is_well_formed_and_needs_nothing_from_elsewhere(name: str) -> None:
    text = page(PLANS[name])
    reader = read(text)
    assert len(reader.ids) == len(set(reader.ids))
    assert {link.partition("#")[0] for link in reader.links} <= {"", "data:,"}
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)
    assert {word for value in reader.references for word in value.split()} <= set(reader.ids)
    assert not re.search(r"@import|url\(|https?://(?!kubernetes\.default\.svc|\d)", text)


def test_a_page_forbids_every_request() -> None:
    reader = read(page(PLANS["kubenet"]))
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert (
        policy == "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    )


@settings(max_examples=20)
@given(st.permutations(THREE))
def test_the_same_plan_gives_the_same_bytes(order: list[Host]) -> None:
    assert page(plan(some=order)) == page(plan())
    assert page(plan_document(plan())) == page(plan())


def test_what_is_foreign_text_is_escaped() -> None:
    found = plan()
    found["cluster_name"] = "<script>alert(1)</script>"
    found["backend"] = found["backend"] | {"description": "<b>&"}
    found["nodes"] = {'"><img src=x onerror=alert(1)>': found["nodes"]["node-1"]}
    text = page(found, "<i>warned</i>", "[rule] <u>value</u>: why. Fix: how.")
    read(text)
    for markup in ("<script>alert", "<img", "<i>warned", "<u>", "<b>&:"):
        assert markup not in text


def test_nodes_are_in_the_order_people_count() -> None:
    some = [
        host(f"node-{i}", f"192.0.2.{i}", groups=ALL_GROUPS if i == 1 else {"kube_node"})
        for i in range(1, 12)
    ]
    rows = [a["data-host"] for tag, a in read(page(plan(some=some))).tags if tag == "tr" and "data-host" in a]
    assert rows == [f"node-{i}" for i in range(1, 12)]


def test_beyond_two_hundred_rows_are_shown_on_demand() -> None:
    reader = read(page(plan(WIDE, hosts(1000))))
    rows = [attributes for tag, attributes in reader.tags if tag == "tr" and "data-host" in attributes]
    assert (len(rows), [row.get("class") for row in rows].count("later")) == (1000, 800)
    assert "Show all 1000" in reader.text


def test_warnings_show_the_value_the_reason_and_the_fix() -> None:
    text = page(plan(), "[etcd-even] group etcd, 2 hosts: 2 members survive 0. Fix: use 1 or 3.", "plain")
    assert (
        '<b>group etcd, 2 hosts</b>: 2 members survive 0. <span class="fix">Fix: use 1 or 3.</span>' in text
    )
    assert "<code>etcd-even</code></li>" in text
    assert "<li>plain</li>" in text
    assert 'id="warnings"' not in page(plan())


def test_the_difference_is_in_the_page() -> None:
    deployed, wanted = plan(), plan(Settings(extra_apiserver_sans=("api.example.com",)))
    text = page_html(wanted, difference(deployed, wanted))
    assert "1 change; 1 unit restarts, on 1 host." in text
    assert "<p><code>kube-apiserver</code> on control-plane-1</p>" in text
    refused = page_html(
        plan(Settings(dns_domain="example.com")), difference(plan(), plan(Settings(dns_domain="example.com")))
    )
    assert '<tr class="refused">' in refused
    assert "<strong>Refused</strong>: a pod that runs looks" in refused


@pytest.mark.parametrize("name", sorted(PLANS))
def test_every_flag_is_in_the_page_with_where_it_comes_from(name: str) -> None:
    document = plan_document(PLANS[name])
    origins = flag_origins(document)
    for daemon, flags in document["flags"].items():
        shown = {origin.name: origin for origin in origins[daemon]}
        for flag, value in flags.items():
            assert shown[f"--{flag}"].value == value
    fields = {origin.name for found in origins.values() for origin in found}
    assert {f"KubeletConfiguration.{key}" for key in document["kubelet_configuration"]} <= fields
    assert {f"KubeProxyConfiguration.{key}" for key in document["kube_proxy_configuration"]} <= fields
    every = [origin for found in origins.values() for origin in found]
    assert [origin for origin in every if origin.rule == "computed by the planner"] == []
    assert [origin for origin in every if not origin.variable] == []
    text = page(PLANS[name])
    assert all(origin.name in text for origin in every)


def test_a_flag_of_no_known_origin_is_said_to_be_the_planners() -> None:
    document = plan_document(plan())
    document["flags"] = document["flags"] | {"kubelet": {"v": "4"}}
    assert flag_origins(document)["kubelet"][0][1:] == ("--v", "4", "", "computed by the planner")


def test_names_of_the_api_say_who_asked_for_them() -> None:
    found = value_origins(
        plan_document(plan(Settings(extra_apiserver_sans=("api.example.com", "192.0.2.5"))))
    )
    names = {
        origin.rule: (origin.value, origin.variable) for origin in found if origin.name == "Names of the API"
    }
    assert names == {
        "what pods call the Service kubernetes, and its addresses": (
            "kubernetes, kubernetes.default, kubernetes.default.svc, kubernetes.default.svc.cluster.local, "
            "10.32.0.1",
            "",
        ),
        "the control plane itself": ("localhost, 127.0.0.1", ""),
        "name and addresses of every control-plane host": (
            "control-plane-1, 192.0.2.11",
            "group kube_control_plane",
        ),
        "as set": ("api.example.com, 192.0.2.5", "cluster_apiserver_extra_sans"),
    }


def test_values_that_follow_say_from_what() -> None:
    found = {
        origin.name: (origin.value, origin.rule) for origin in value_origins(plan_document(PLANS["flannel"]))
    }
    assert found["MTU of pods"] == ("1450", "1500 less 50 bytes that flannel adds to a packet")
    assert found["Ports between nodes"] == ("udp 8472 (VXLAN)", "what flannel declares")


@pytest.mark.parametrize(
    ("role", "flags"),
    [
        (
            "kube_control_plane",
            ["advertise-address", "etcd-servers", "service-account-issuer", "cluster-name"],
        ),
        ("kube_node", ["hostname-override", "node-ip"]),
    ],
)
def test_the_flags_by_host_are_those_that_the_roles_compute(role: str, flags: list[str]) -> None:
    text = (ROOT / "roles" / role / "vars/main.yml").read_text()
    assert [flag for flag in flags if f"  {flag}: " not in text] == []
    names = {o.name for found in flag_origins(plan_document(plan())).values() for o in found}
    assert {f"--{flag}" for flag in flags} <= names


def test_the_networks_around_the_plan_are_on_the_map() -> None:
    around = Surroundings(
        excluded=["172.16.0.0/12"], hosts=["192.0.2.0/24"], removed={"gone": ["10.200.9.0/24"]}
    )
    text = page(plan(), around=around)
    assert "Excluded 172.16.0.0/12, up to 172.31.255.255: 1.0 million addresses, kept free for others" in text
    assert "10.200.9.0/24: kept for gone, which left" in text


def test_groups_of_hosts_are_told_with_their_parts_and_how_many_routes_they_make() -> None:
    rows = group_rows(plan_document(PLANS["racks"]))
    assert [(row.name, row.networks, row.host_routes, row.router_routes) for row in rows] == [
        ("rack-1", ["10.200.0.0/17"], "1", "2"),
        ("rack-2", ["10.200.128.0/17"], "2", "3"),
    ]
    text = page(PLANS["racks"])
    assert "Groups of hosts, and their routes" in text
    assert "A router beside all groups needs 2 routes, one to each at the top." in text
    assert "Groups of hosts" not in page(plan())


@pytest.mark.parametrize("name", ["racks", "zones"])
def test_hosts_have_as_many_routes_as_the_page_says(name: str) -> None:
    document = plan_document(PLANS[name])
    groups = {group["name"]: group["hosts"] for group in document["pod_topology"]}
    for row in group_rows(document):
        for host_name in groups[row.name]:
            assert str(len(node_routes(PLANS[name], host_name))) == row.host_routes


def test_a_control_plane_without_pods_has_a_route_to_every_node_of_its_group() -> None:
    some = [
        host("a", "192.0.2.11", groups={"etcd", "kube_control_plane"}),
        host("b", "192.0.2.12"),
        host("c", "192.0.2.13"),
        *(host(f"d-{i}", f"192.0.2.{20 + i}") for i in range(9)),
    ]
    topology = [group("one", "a", "b"), group("two", "c"), group("three", *(f"d-{i}" for i in range(9)))]
    rows = group_rows(plan_document(plan(Settings(pod_topology=[*topology, group("free")]), some, GROUPED)))
    assert [(row.host_routes, row.router_routes) for row in rows] == [
        ("2 to 3", "3"),
        ("2", "3"),
        ("10", "11"),
        ("-", "-"),
    ]
    assert rows[2].hosts.endswith("d-7 and 1 more")
