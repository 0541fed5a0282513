import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import host, hosts
from plan_report_cases import PLANS, WIDE, plan

from flatnet.errors import FlatnetError
from flatnet.plan import node_routes
from flatnet.plan_report import (
    document_text,
    parse_document,
    plan_document,
    plan_of,
    read_document,
    write_text,
)
from flatnet.plan_report.document import routes_of

by_plan = pytest.mark.parametrize("name", sorted(PLANS))


@by_plan
def test_a_plan_comes_back_from_its_document(name: str) -> None:
    assert plan_of(plan_document(PLANS[name])) == PLANS[name]


@by_plan
def test_a_plan_comes_back_from_its_text(name: str) -> None:
    text = document_text(plan_document(PLANS[name]))
    assert plan_of(parse_document(text, "plan.json")) == PLANS[name]


@given(
    roles=st.lists(
        st.sets(st.sampled_from(["etcd", "kube_node"]), min_size=1),
        min_size=1,
        max_size=7,
    )
)
def test_a_plan_comes_back_whatever_the_hosts_are(roles: list[set[str]]) -> None:
    all_roles = [{"etcd", "kube_control_plane"}, *roles]
    found = plan(
        some=[host(f"host-{i}", f"192.0.2.{i + 1}", groups=role) for i, role in enumerate(all_roles)]
    )
    assert plan_of(plan_document(found)) == found


def test_a_document_is_its_own_document() -> None:
    document = plan_document(PLANS["kubenet"])
    assert plan_document(document) == document


def test_each_route_is_there_once_with_its_host() -> None:
    assert plan_document(PLANS["kubenet"])["routes"] == [
        {"destination": "10.200.0.0/24", "gateway": "192.0.2.11", "host": "control-plane-1"},
        {"destination": "10.200.1.0/24", "gateway": "192.0.2.12", "host": "node-1"},
        {"destination": "10.200.2.0/24", "gateway": "192.0.2.13", "host": "node-2"},
    ]
    assert plan_document(PLANS["flannel"])["routes"] == []


@by_plan
def test_every_host_finds_its_routes_in_the_document(name: str) -> None:
    document = plan_document(PLANS[name])
    assert {host: routes_of(document, host) for host in document["nodes"]} == {
        host: node_routes(PLANS[name], host) for host in PLANS[name]["nodes"]
    }


def test_the_plan_itself_is_not_changed() -> None:
    before = json.dumps(PLANS["kubenet"])
    plan_document(PLANS["kubenet"])
    assert json.dumps(PLANS["kubenet"]) == before


def test_the_text_is_sorted_and_ends_with_a_line_end() -> None:
    text = document_text(plan_document(PLANS["kubenet"]))
    assert text.startswith('{\n "api_endpoint": {\n')
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_the_text_of_a_thousand_nodes_is_half_a_megabyte() -> None:
    text = document_text(plan_document(plan(WIDE, hosts(1000))))
    assert 300_000 < len(text) < 600_000


ADVICE = "restore the file from version control, or have it written again"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the plan in plan.json is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ('{"a": ', "the plan in plan.json is not JSON: Expecting value: line 1 column 7 (char 6)"),
        ("[]", "the plan in plan.json is a list, not an object"),
        ("{}", "the plan in plan.json has schema_version None, this is made for 1"),
        ('{"schema_version": 2}', "the plan in plan.json has schema_version 2, this is made for 1"),
        (
            '{"schema_version": 1}',
            "the plan in plan.json is wrong: api_endpoint is missing, api_port is missing, "
            "apiserver_sans is missing and 21 more faults",
        ),
    ],
    ids=["empty", "cut", "list", "nothing", "newer", "bare"],
)
def test_what_is_no_plan_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        parse_document(text, "plan.json")
    assert str(caught.value) == f"{message}; {ADVICE}"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mtu": "1500"}, "mtu is not an integer"),
        ({"mtu": True}, "mtu is not an integer"),
        ({"nodes": {"node-1": {}}}, "nodes.node-1 has no name"),
        ({"nodes": {"node-1": None}}, "nodes.node-1 has no name"),
    ],
    ids=str,
)
def test_a_plan_with_one_fault_is_refused_with_its_place(change: dict[str, Any], fault: str) -> None:
    text = json.dumps(plan_document(PLANS["kubenet"]) | change)
    with pytest.raises(FlatnetError) as caught:
        parse_document(text, "p")
    assert str(caught.value) == f"the plan in p is wrong: {fault}; {ADVICE}"


def test_a_node_without_its_lists_is_refused() -> None:
    document = plan_document(PLANS["kubenet"])
    document["nodes"] = document["nodes"] | {"node-1": {"name": "node-1", "addresses": [1]}}
    with pytest.raises(FlatnetError) as caught:
        parse_document(json.dumps(document), "p")
    assert "nodes.node-1.addresses is not an array of strings, nodes.node-1.groups is not" in str(
        caught.value
    )
    assert str(caught.value).endswith(f"and 2 more faults; {ADVICE}")


@given(
    text=st.text()
    | st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    ).map(json.dumps)
)
def test_no_text_leads_to_another_error(text: str) -> None:
    with pytest.raises(FlatnetError):
        parse_document(text, "p")


def test_a_file_that_is_not_there_is_no_plan(tmp_path: Path) -> None:
    assert read_document(tmp_path / "plan.json") is None


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b"\xff")
    with pytest.raises(
        FlatnetError, match=r"the plan in .*plan\.json cannot be read: .*make it a readable JSON file"
    ):
        read_document(tmp_path / "plan.json")


def test_a_text_is_written_once_and_readable_by_all(tmp_path: Path) -> None:
    target = tmp_path / "reports" / "plan.json"
    assert write_text(target, "one\n") is True
    assert write_text(target, "one\n") is False
    assert write_text(target, "two\n") is True
    assert target.read_text() == "two\n"
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["plan.json"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        FlatnetError, match=r"plan\.json cannot be written: .*; choose a directory that can be"
    ):
        write_text(tmp_path / "file" / "plan.json", "text")
