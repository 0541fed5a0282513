from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BACKENDS = sorted((ROOT / "roles").glob("cni_*"))
ADDRESSES = {"pod_gateway", "node_address", "tunnel_address"}
SHAPE = {
    "name": str,
    "description": str,
    "ipam": str,
    "families": list,
    "several_pod_cidrs": bool,
    "overhead": dict,
    "ports": list,
    "kernel_features": list,
    "kube_proxy_modes": list,
    "policy_engine": str,
    "masquerade": str,
    "routes": str,
    "programs": list,
    "identities": list,
    "check": dict,
}

by_backend = pytest.mark.parametrize("role", BACKENDS, ids=[role.name for role in BACKENDS])


def contract(role: Path) -> dict[str, Any]:
    content: dict[str, dict[str, Any]] = yaml.safe_load((role / "vars/contract.yml").read_text())
    assert list(content) == [f"{role.name}_contract"]
    return content[f"{role.name}_contract"]


@by_backend
def test_a_backend_declares_everything_and_nothing_else(role: Path) -> None:
    found = contract(role)
    assert {key: type(value) for key, value in found.items()} == SHAPE
    assert f"cni_{found['name']}" == role.name


@by_backend
def test_a_backend_uses_only_words_that_the_planner_knows(role: Path) -> None:
    found = contract(role)
    assert found["ipam"] in {"plan", "backend"}
    assert found["masquerade"] in {"flatnet", "backend"}
    assert found["routes"] in {"plan", "backend"}
    assert set(found["families"]) <= {"ipv4", "ipv6"}
    assert set(found["kube_proxy_modes"]) <= {"iptables", "ipvs", "nftables"}
    assert set(found["overhead"]) == {"ipv4", "ipv6"}
    assert set(found["check"]) == {"node_to_local_pod", "node_to_remote_pod", "hairpin"}
    assert set(found["check"].values()) <= ADDRESSES


@by_backend
def test_a_backend_has_a_scenario_and_a_row_in_the_table_of_backends(role: Path) -> None:
    name = contract(role)["name"]
    scenarios = (path.read_text() for path in (ROOT / "molecule").glob("*/inventory/*.yml"))
    assert name == "kubenet" or any(f"cluster_network_backend: {name}" in text for text in scenarios)
    assert f"| {name} |" in (ROOT / "docs/backends.md").read_text()
