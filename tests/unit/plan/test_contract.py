from pathlib import Path
from typing import Any

import pytest
import yaml
from plan_cases import KUBENET

from flatnet.errors import FlatnetError
from flatnet.plan import Contract, find_contracts, load_contract


def write(roles: Path, name: str, document: object) -> Path:
    path = roles / f"cni_{name}" / "vars" / "contract.yml"
    path.parent.mkdir(parents=True)
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def test_a_contract_is_found_beside_other_roles_and_the_first_directory_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a", "kubenet", {"cni_kubenet_contract": KUBENET})
    write(tmp_path / "b", "kubenet", {"cni_kubenet_contract": KUBENET | {"routes": "backend"}})
    other = write(tmp_path / "b", "other", {"cni_other_contract": KUBENET | {"name": "other"}})
    paths = [tmp_path / "absent", tmp_path / "a", tmp_path / "b"]
    assert find_contracts(paths) == {"kubenet": first, "other": other}
    assert load_contract("kubenet", paths).routes == "plan"
    assert load_contract("other", paths).data == KUBENET | {"name": "other"}


def test_an_unknown_backend_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(FlatnetError) as caught:
        load_contract("weave", [tmp_path])
    assert str(caught.value) == (
        "there is no backend 'weave': no role cni_weave declares vars/contract.yml; "
        "known backends: none found"
    )
    write(tmp_path, "b", {})
    write(tmp_path, "a", {})
    with pytest.raises(FlatnetError, match=r"known backends: a, b$"):
        load_contract("weave", [tmp_path])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[", "cannot be read"),
        ("x: 2001-13-45", "cannot be read"),
        ({"contract": {}}, "must have the one top-level key cni_x_contract"),
        ({"cni_x_contract": KUBENET | {"name": "y"}}, "calls itself 'y'; its role says 'x'"),
        ({"cni_x_contract": []}, "a backend contract is a mapping"),
    ],
)
def test_a_file_that_is_no_contract_is_refused(tmp_path: Path, document: object, message: str) -> None:
    write(tmp_path, "x", document)
    with pytest.raises(FlatnetError, match=message):
        load_contract("x", [tmp_path])


def test_everything_missing_in_a_contract_is_named() -> None:
    with pytest.raises(FlatnetError) as caught:
        Contract.from_mapping({"name": "x", "ipam": "somebody"})
    message = str(caught.value)
    assert message.startswith("the contract of backend 'x' is wrong: ")
    missing = [
        part for part in message.split(": ", 1)[1].split("; ") if part.endswith(("str", "list", "dict"))
    ]
    assert len(missing) == len(KUBENET) - 2
    assert "ipam must be one of plan, backend" in message


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"families": ["ipx"]}, "families holds 'ipx', not ipv4 or ipv6"),
        ({"overhead": {"ipv4": 50}}, "overhead.ipv6 must be a number of bytes"),
        ({"overhead": {"ipv4": -1, "ipv6": 0}}, "overhead.ipv4 must be a number of bytes"),
        ({"overhead": {"ipv4": True, "ipv6": 0}}, "overhead.ipv4 must be a number of bytes"),
        ({"ports": [8472]}, "every port must be a mapping"),
    ],
)
def test_a_contract_with_a_wrong_value_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(FlatnetError, match=message):
        Contract.from_mapping(KUBENET | changed)


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[3] / "roles").glob("cni_*")), ids=lambda p: p.name
)
def test_the_contract_of_every_backend_is_sound(path: Path) -> None:
    assert load_contract(path.name.removeprefix("cni_"), [path.parent]).name == path.name.removeprefix("cni_")
