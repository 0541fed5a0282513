"""Whom a host is told to remove, in which order, and what each of them makes."""

import re
from pathlib import Path

import pytest

from flatnet.contract import Contract, find_contracts
from flatnet.errors import FlatnetError
from flatnet.removal import removal

CONTRACTS = find_contracts([Path(__file__).parents[2] / "roles"])


def names(*owners: str) -> list[str]:
    return [owner["name"] for owner in removal(CONTRACTS, owners)["owners"]]


def test_what_starts_pods_goes_first_and_what_removing_needs_last() -> None:
    ordered = names("*")
    assert ordered[:2] == ["kube_control_plane", "kube_node"]
    assert ordered[-3:] == ["container_runtime", "node_prepare", "node_programs"]
    assert set(ordered) == set(CONTRACTS)
    assert removal(CONTRACTS, ["*"])["others"] == []


def test_the_others_come_along_with_what_they_make() -> None:
    found = removal(CONTRACTS, ["cni_kubenet"])
    assert [owner["name"] for owner in found["owners"]] == ["cni_kubenet"]
    others = {owner["name"]: owner["makes"] for owner in found["others"]}
    assert others.keys() == CONTRACTS.keys() - {"cni_kubenet"}
    assert others["container_runtime"]["containerd"]["root"] == "/var/lib/containerd"


def test_what_any_mode_makes_is_told() -> None:
    [proxy] = removal(CONTRACTS, ["kube_proxy"])["owners"]
    assert proxy["makes"]["ipsets"] == ["KUBE-*"]
    assert {table["name"] for table in proxy["makes"]["tables"]} == {"kube-proxy"}


def test_a_pattern_means_all_that_it_matches() -> None:
    assert names("cni_*") == ["cni_bgp", "cni_flannel", "cni_kubenet", "cni_l2_bridge", "cni_openvswitch"]


def test_a_role_of_elsewhere_is_an_owner_like_any_other() -> None:
    outside = {"kind": "component", "name": "site_agent", "description": "Of a site", "removed": "last"}
    contracts = {**CONTRACTS, "site_agent": Contract.from_mapping(outside, "contract.yml")}
    assert removal(contracts, ["*"])["owners"][-1]["name"] == "site_agent"


def test_an_owner_that_does_not_exist_is_refused() -> None:
    said = (
        "there is no owner 'cni_kubnet': no role of this name has meta/contract.yml; do you mean cni_kubenet?"
    )
    with pytest.raises(FlatnetError, match=re.escape(said)):
        removal(CONTRACTS, ["etcd", "cni_kubnet"])


@pytest.mark.parametrize("role", [role for role in CONTRACTS if role.startswith("cni_")])
def test_no_two_backends_hold_on_to_each_others_things(role: str) -> None:
    makes = CONTRACTS[role].all_makes()
    for other in CONTRACTS.components.values():
        assert not {*makes.directories} & {
            place for place in other.all_makes().directories if not place.endswith("/")
        }
