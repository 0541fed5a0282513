"""What a leg of the tour looks for in the API, and in a report."""

from typing import Any

from plan_cases import FLANNEL, KUBENET, contracts_of

from tests.tour.leg import failed_causes, kinds_of_others

CRD = {"api_version": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}


def test_kinds_that_programs_of_other_roles_make_are_looked_for() -> None:
    def making(backend: dict[str, Any], *kinds: dict[str, str]) -> dict[str, Any]:
        return backend | {"makes": {**backend.get("makes", {}), "api_objects": [*kinds]}}

    pools = {"api_version": "crd.example.org/v1", "kind": "Pool"}
    contracts = contracts_of(making(KUBENET, CRD), making(FLANNEL, CRD, pools))
    assert kinds_of_others(contracts, {"cni_kubenet"}) == ["Pool.v1.crd.example.org"]
    assert kinds_of_others(contracts, {"cni_flannel"}) == []


def test_each_cause_of_a_failed_check_is_told_once() -> None:
    checks = [{"ok": False, "cause": "x"}, {"ok": True, "cause": "y"}, {"ok": False, "cause": "x"}]
    assert failed_causes({"checks": checks}) == ["x"]
