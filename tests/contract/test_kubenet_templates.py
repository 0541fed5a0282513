"""What the role cni_kubenet gives a host and refuses, for each way of a pod to itself."""

import json
from pathlib import Path
from typing import Any, cast

from ansible.template import Templar
from template_loader import loader

from flatnet.contract import find_contracts

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/cni_kubenet"
CONTRACT = find_contracts([ROOT / "roles"])["cni_kubenet"]


def given(hairpin_mode: str, **features: bool) -> tuple[dict[str, Any], list[str]]:
    """Return what node_state is told, and what is refused before."""
    variables: dict[str, Any] = {
        "ansible_search_path": [str(ROLE)],
        "cni_backend": {
            "contract": CONTRACT.in_mode().data,
            "facts": {"interfaces": [], "kernel_features": features},
            "pod_cidrs": ["10.200.1.0/24"],
            "mtu": 1500,
            "routes": [],
        },
    }
    for file in ("defaults/main.yml", "vars/main.yml"):
        content = loader(ROLE).load_from_file(str(ROLE / file), trusted_as_template=True)
        variables |= cast(dict[str, Any], content)
    variables["cni_kubenet_hairpin_mode"] = hairpin_mode
    templar = Templar(loader(ROLE), variables=variables)
    tasks = loader(ROLE).load_from_file(str(ROLE / "tasks/main.yml"), trusted_as_template=True)
    [task] = cast(list[dict[str, Any]], tasks)
    return templar.template(task["node_state"]), templar.template(variables["__cni_kubenet_refusals"])


def bridge_of(state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(state["files"][0]["content"])["plugins"][0]
    return found


def test_hairpin_ports_need_no_table_and_no_unit() -> None:
    state, refusals = given("hairpin-veth")
    assert refusals == []
    assert (state["nftables"], state["units"]) == ([], [])
    assert bridge_of(state)["hairpinMode"] is True


def test_a_promiscuous_bridge_comes_with_its_table_and_a_unit_that_turns_it_back() -> None:
    state, refusals = given("promiscuous-bridge", promiscuous_hairpin=True)
    assert refusals == []
    assert [(table["family"], table["table"]) for table in state["nftables"]] == [
        ("bridge", "flatnet_kubenet")
    ]
    assert bridge_of(state)["promiscMode"] is True
    [unit] = state["units"]
    flat = unit["content"].replace(" \\\n ", "")
    assert "ExecStart=-ip link set dev cbr0 promisc on\n" in flat
    assert "ExecStop=-ip link set dev cbr0 promisc off\n" in flat
    # systemd makes one dollar sign of two.
    assert "brif/*/hairpin_mode; do echo 1 > $$port; done" in flat


def test_a_kernel_that_forgets_a_packet_on_such_a_bridge_is_refused_by_name() -> None:
    _, [refusal] = given("promiscuous-bridge", promiscuous_hairpin=False)
    assert "promiscuous-bridge needs the kernel feature promiscuous_hairpin" in refusal
    assert refusal.endswith("Fix: leave cni_kubenet_hairpin_mode at hairpin-veth.")


def test_what_the_mode_makes_is_known_to_the_contract() -> None:
    state, _ = given("promiscuous-bridge", promiscuous_hairpin=True)
    known = {(table["family"], table["name"]) for table in CONTRACT.all_makes_data()["tables"]}
    assert {(table["family"], table["table"]) for table in state["nftables"]} <= known
