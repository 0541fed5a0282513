"""A contract of a role outside of the repository is found and checked like one inside."""

from pathlib import Path

import pytest
from outside_roles import ROLES, WAYS, Broken, broken_contract

from flatnet.contract import find_contracts
from flatnet.errors import FlatnetError

OURS = Path(__file__).parents[3] / "roles"


def test_roles_of_two_folders_are_known_together() -> None:
    found = find_contracts([OURS, ROLES])
    assert found.backend("claims").modes == ("routed", "vxlan")
    assert found.policy_engine("sieve").role == "policy_sieve"
    assert "kubenet" in found.backends


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_way_to_break_it_is_told_with_its_file_and_place(tmp_path: Path, way: Broken) -> None:
    path = broken_contract(way, tmp_path)
    with pytest.raises(FlatnetError) as caught:
        find_contracts([OURS, tmp_path])
    assert str(caught.value) == f"the contract {path} is wrong:\n- {way.fault}"
