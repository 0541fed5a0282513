"""Every rule of the catalog: what it refuses, what it accepts just beside that, in both families."""

import re
from pathlib import Path
from typing import Any

import pytest
from plan_cases import HOSTS, OWN_IPAM, contracts_of, host, prepare
from plan_examples import Case, node_b, running
from plan_examples_hosts import REFUSED_HOSTS, WARNED
from plan_examples_settings import REFUSED as REFUSED_SETTINGS

from flatnet.errors import FlatnetError
from flatnet.plan import RULES, PlanError, Settings, adopted_allocations, plan_from_data
from flatnet.plan.findings import Finding, Findings
from flatnet.plan.immutable import KINDS
from flatnet.settings import SETTINGS, setting_of

ROOT = Path(__file__).resolve().parents[3]
REFUSED = [*REFUSED_SETTINGS, *REFUSED_HOSTS]

# Rules about inputs that never get as far as a plan.
ELSEWHERE = {
    "setting-unknown": lambda: plan_from_data({"cluster_colour": "red"}, [], contracts_of()),
    "setting-type": lambda: plan_from_data({"cluster_max_pods": "many"}, [], contracts_of()),
    "setting-range": lambda: plan_from_data({"cluster_max_pods": 0}, [], contracts_of()),
    "host-type": lambda: plan_from_data({}, [5], contracts_of()),
    "allocation-format": lambda: prepare(allocations={"nodes": {"node-a": ["x"]}}),
    "allocation-twice": lambda: prepare(allocations={"nodes": {"a": []}, "removed": {"a": []}}),
}


def ids(cases: list[Case]) -> list[str]:
    return [case.rule for case in cases]


def rules_of(arguments: dict[str, Any]) -> set[str]:
    with pytest.raises(PlanError) as caught:
        prepare(**arguments)
    return {finding.rule for finding in caught.value.findings}


@pytest.mark.parametrize("case", REFUSED, ids=ids(REFUSED))
def test_a_rule_refuses_what_breaks_it_and_accepts_what_is_just_beside(case: Case) -> None:
    assert case.rule in rules_of(case.broken)
    assert [line for line in prepare(**case.kept).warnings if f"[{case.rule}]" in line] == []


@pytest.mark.parametrize("case", WARNED, ids=ids(WARNED))
def test_a_rule_warns_of_what_breaks_it_and_not_of_what_is_just_beside(case: Case) -> None:
    assert [line for line in prepare(**case.broken).warnings if line.startswith(f"[{case.rule}] ")]
    assert [line for line in prepare(**case.kept).warnings if f"[{case.rule}]" in line] == []


@pytest.mark.parametrize("rule", ELSEWHERE)
def test_a_rule_about_inputs_refuses_them(rule: str) -> None:
    with pytest.raises(FlatnetError, match=rf"\[{rule}\] .*\. Fix: .*\."):
        ELSEWHERE[rule]()


def test_every_rule_of_the_catalog_has_an_example_and_every_example_a_rule() -> None:
    assert {*ids(REFUSED), *ids(WARNED), *ELSEWHERE} == set(RULES)


def test_every_rule_is_documented_in_the_words_of_the_catalog() -> None:
    text = (ROOT / "docs/plan_rules.md").read_text().partition("## What Kubernetes accepts")[0]
    rows = dict(line.strip("| ").split(" | ", 1) for line in text.splitlines() if line.startswith("| `"))
    assert {name.strip("`"): meaning for name, meaning in rows.items()} == dict(RULES)


def test_every_kind_of_change_that_can_be_allowed_is_documented_and_accepted_by_the_role() -> None:
    text = (ROOT / "docs/plan_rules.md").read_text().partition("## What cannot change")[2]
    rows = [line.split("`")[1:4:2] for line in text.splitlines() if line.startswith("| `")]
    assert rows == [[kind, KINDS[kind].rule] for kind in KINDS]
    assert setting_of("allowed_changes").choices == tuple(
        name for name, kind in KINDS.items() if not kind.is_switched
    )


@pytest.mark.parametrize("case", REFUSED, ids=ids(REFUSED))
def test_a_message_has_the_value_the_reason_and_the_fix(case: Case) -> None:
    with pytest.raises(PlanError) as caught:
        prepare(**case.broken)
    for finding in caught.value.findings:
        assert finding.reason
        assert finding.fix
        assert finding.value or finding.host
        assert not finding.reason.endswith(".")
        assert not finding.fix.endswith(".")


VARIABLES = {one.variable for one in SETTINGS}
# A host may have its own number of pods, under that name.
INNER_NAMES = {one.name for one in SETTINGS} - VARIABLES - {"max_pods"}


@pytest.mark.parametrize("case", [*REFUSED, *WARNED], ids=ids([*REFUSED, *WARNED]))
def test_a_finding_names_settings_as_the_inventory_does(case: Case) -> None:
    try:
        lines = prepare(**case.broken).warnings
    except PlanError as error:
        lines = str(error).splitlines()
    # Kinds of change have names of their own, some of which are those of settings.
    words = set(
        re.findall(
            r"[a-z]+(?:_[a-z]+)+", re.sub(r"cluster_allowed_changes:? \[?\w+\]?", "", "\n".join(lines))
        )
    )
    assert words & INNER_NAMES == set()
    assert {word for word in words if word.startswith("cluster_")} <= VARIABLES


def test_a_fault_of_a_thousand_hosts_is_one_finding_that_names_them_all() -> None:
    some = [HOSTS[0], *(host(f"n{i:04}", f"10.200.{i // 250}.{i % 250}") for i in range(1000))]
    with pytest.raises(PlanError) as caught:
        prepare(Settings(pod_cidrs=("10.192.0.0/12",)), some)
    assert str(caught.value).splitlines()[0] == "the network cannot be planned, 1 finding:"
    assert "n0000: address '10.200.0.0'; n0001: address '10.200.0.1'; " in str(caught.value)
    assert "; and the same for n[0005:0999]: it is inside cluster_pod_cidrs" in str(caught.value)
    assert len(caught.value.findings) == 1000


def test_findings_as_data_know_their_host() -> None:
    with pytest.raises(PlanError) as caught:
        prepare(**node_b(node_name="B"))
    assert caught.value.findings == (
        Finding(
            "node-name",
            "node_name 'B'",
            "it is not a lower-case DNS name",
            "set node_name to one like node-a",
            "node-b",
        ),
    )


def test_a_rule_that_is_not_in_the_catalog_cannot_be_reported() -> None:
    with pytest.raises(LookupError, match="no-such-rule is not in the catalog"):
        Findings().add("no-such-rule", "x", "y", "z")


def test_the_filter_of_adoption_reports_like_the_plan() -> None:
    with pytest.raises(PlanError, match=r"\[adoption-conflict\] node-a: "):
        adopted_allocations(running("node-a", "10.0.0.0/24"), {"nodes": {"node-a": ["10.0.1.0/24"]}})


def test_a_backend_that_gives_networks_itself_is_not_held_to_the_rules_about_them() -> None:
    assert prepare(Settings(node_prefixes=(26,)), contract=OWN_IPAM).warnings == []
