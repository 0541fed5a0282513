from pathlib import Path
from typing import Any

import pytest
import yaml
from contract_cases import BACKEND, COMPONENT

from flatnet.contract import find_contracts
from flatnet.errors import FlatnetError

ROLES = Path(__file__).parents[3] / "roles"


def write(roles: Path, role: str, document: object) -> Path:
    path = roles / role / "meta/contract.yml"
    path.parent.mkdir(parents=True)
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False))
    return path


def backend(name: str, **changed: object) -> dict[str, Any]:
    return {**BACKEND, "name": name, **changed}


def test_contracts_of_all_directories_are_found_and_the_first_directory_wins(tmp_path: Path) -> None:
    write(tmp_path / "a", "cni_one", backend("one"))
    write(tmp_path / "b", "cni_one", backend("one", routes="backend"))
    write(tmp_path / "b", "cni_two", backend("two"))
    write(
        tmp_path / "b",
        "policy_three",
        COMPONENT | {"kind": "policy_engine", "name": "three", "families": ["ipv4"]},
    )
    write(tmp_path / "b", "four", COMPONENT | {"name": "four"})
    (tmp_path / "b/without_contract/tasks").mkdir(parents=True)
    found = find_contracts([tmp_path / "absent", tmp_path / "a", tmp_path / "b"])
    assert list(found) == ["cni_one", "cni_two", "four", "policy_three"]
    assert found.backend("one").in_mode().routes == "plan"
    assert found.policy_engine("three").role == "policy_three"
    assert list(found.components) == ["four"]
    assert found["cni_two"].where == str(tmp_path / "b/cni_two/meta/contract.yml")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "tow",
            "there is no backend 'tow': no role cni_tow has meta/contract.yml; "
            "do you mean two? known: one, two",
        ),
        (
            "weave",
            "there is no backend 'weave': no role cni_weave has meta/contract.yml; use one of one, two",
        ),
    ],
)
def test_an_unknown_backend_is_refused_with_the_known_ones(tmp_path: Path, name: str, message: str) -> None:
    for known in ("one", "two"):
        write(tmp_path, f"cni_{known}", backend(known))
    with pytest.raises(FlatnetError) as caught:
        find_contracts([tmp_path]).backend(name)
    assert str(caught.value) == message


def test_an_engine_where_there_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlatnetError) as caught:
        find_contracts([tmp_path]).policy_engine("nets")
    assert str(caught.value) == (
        "there is no policy engine 'nets': no role policy_nets has meta/contract.yml; none is known"
    )


@pytest.mark.parametrize(
    ("role", "document", "fault"),
    [
        ("cni_x", "[", "it cannot be read: while parsing a flow node"),
        ("cni_x", "a: 2001-13-45", "it cannot be read: month must be in 1..12"),
        ("cni_x", "", "it is None, not a mapping; see docs/backends.md"),
        ("cni_x", "kind: backend\nname: x\nname: y\n", "it cannot be read: the key name is there twice"),
        ("cni_x", backend("y"), "name: backend y is what the role cni_y would be; this is cni_x"),
        ("x", backend("x"), "name: backend x is what the role cni_x would be; this is x"),
        (
            "policy_x",
            COMPONENT | {"name": "policy_x"},
            "kind: a role whose name begins with policy_ is not a component",
        ),
    ],
)
def test_a_file_that_is_no_contract_is_refused(
    tmp_path: Path, role: str, document: object, fault: str
) -> None:
    path = write(tmp_path, role, document)
    with pytest.raises(FlatnetError) as caught:
        find_contracts([tmp_path])
    assert str(caught.value).startswith(f"the contract {path} is wrong:\n- {fault}")


def test_every_fault_of_every_contract_is_told_at_once(tmp_path: Path) -> None:
    first = write(tmp_path, "cni_a", backend("a", familes=["ipv4"]))
    second = write(tmp_path, "cni_b", backend("b", ipam="plans", makes={"iterfaces": {}}))
    with pytest.raises(FlatnetError) as caught:
        find_contracts([tmp_path])
    assert str(caught.value).splitlines() == [
        f"the contract {first} is wrong:",
        "- familes: there is no such key; do you mean families?",
        f"the contract {second} is wrong:",
        "- ipam: 'plans' is not possible; do you mean plan?",
        "- makes.iterfaces: there is no such key; do you mean interfaces?",
    ]


def test_every_role_of_ours_that_declares_itself_does_it_rightly() -> None:
    found = find_contracts([ROLES])
    assert list(found.backends) == ["bgp", "flannel", "kubenet", "l2_bridge", "openvswitch", "romana"]
    assert found["kube_proxy"].modes == ("iptables", "nftables", "ipvs")


def test_a_record_from_before_a_backend_had_modes_has_its_first() -> None:
    contracts = find_contracts([ROLES])
    old = {"backend": {"name": "kubenet", "mode": "default"}, "mtu": 1500}
    assert contracts.with_known_mode(old) == {
        "backend": {"name": "kubenet", "mode": "host-routes"},
        "mtu": 1500,
    }
    for document in (
        None,
        {"backend": {"name": "l2_bridge", "mode": "default"}},
        {"backend": {"name": "kubenet", "mode": "network-routes"}},
        {"backend": {"name": "of-another-site", "mode": "default"}},
    ):
        assert contracts.with_known_mode(document) == document
