"""A record that somebody, or something, damaged: refused as a whole, with what is wrong, or good enough."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from plan_cases import prepare
from plan_report_cases import PLANS, plan

from flatnet.errors import FlatnetError
from flatnet.plan import Settings
from flatnet.plan_report import difference_table, page_html, parse_document, plan_difference, plan_document
from flatnet.plan_report.installers import node_objects, plain_flags
from flatnet.plan_report.kubeadm import kubeadm_configuration
from flatnet.plan_report.validity import faults, schema

WANTED = plan_document(plan(Settings(node_prefixes=(25,), dns_upstreams=("192.0.2.53",))))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70000) | st.sampled_from(["", "x", "10.0.0.0/8", "none"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each member and item."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


DOCUMENTS = {name: plan_document(PLANS[name]) for name in ("kubenet", "flannel", "dual-stack")}
PLACES = {name: sorted(set(places(document)), key=str) for name, document in DOCUMENTS.items()}


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """Return a document of which one or two parts are gone or another value."""
    name = draw(st.sampled_from(sorted(DOCUMENTS)))
    document = copy.deepcopy(DOCUMENTS[name])
    for path in draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=2)):
        parent: Any = document
        try:
            for key in path[:-1]:
                parent = parent[key]
            if draw(st.booleans()):
                del parent[path[-1]]
            else:
                parent[path[-1]] = draw(JSON)
        except (KeyError, IndexError, TypeError):
            # The other change has taken that part away.
            continue
    return document


@settings(max_examples=120, deadline=None)
@given(damaged())
def test_a_damaged_record_is_refused_before_anything_follows_from_it(document: dict[str, Any]) -> None:
    try:
        read = parse_document(json.dumps(document), "network_deployed.json")
    except FlatnetError:
        return
    found = plan_difference(read, WANTED)
    difference_table(found)
    plan_difference(WANTED, read)
    page_html(WANTED, found)
    try:
        prepare(deployed=read)
    except FlatnetError:
        # What is deployed is another cluster now.
        return


@settings(max_examples=80, deadline=None)
@given(damaged())
def test_what_is_read_as_a_plan_can_be_shown_and_given_to_installers(document: dict[str, Any]) -> None:
    try:
        read = parse_document(json.dumps(document), "plan.json")
    except FlatnetError:
        return
    page_html(read, plan_difference(None, read))
    for make in (kubeadm_configuration, node_objects, plain_flags):
        try:
            assert make(read)
        except FlatnetError:
            # A backend that gives nodes their networks has no Node objects.
            continue


@settings(max_examples=80, deadline=None)
@given(damaged())
def test_the_schema_is_understood_as_a_full_implementation_does(document: dict[str, Any]) -> None:
    is_valid = Draft202012Validator(schema()).is_valid(document)
    assert (next(faults(document, schema()), None) is None) == is_valid


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("backend", {}, "backend.kind is missing"),
        ("api_endpoint", {"host": "gone"}, "api_endpoint.address is missing"),
        ("pod_cidrs", ["10.200.0.0"], 'pod_cidrs[0] "10.200.0.0"'),
    ],
)
def test_a_fault_names_its_place(key: str, value: object, fault: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        parse_document(json.dumps(DOCUMENTS["kubenet"] | {key: value}), "p")
    assert str(caught.value).startswith(f"the plan in p is wrong: {fault}")
