"""What the contracts of components say is what their roles do."""

from pathlib import Path

import pytest
import yaml

from flatnet.contract import find_contracts
from flatnet.contract.schema import KUBE_PROXY_MODES
from flatnet.host.state.routes import PROTOCOL
from flatnet.plan_report.changes import UNITS
from flatnet.programs.catalog import load_catalog

ROLES = Path(__file__).resolve().parents[2] / "roles"
CONTRACTS = find_contracts([ROLES])
# Roles that work on the controller, on a host for another role, or take away.
WITHOUT = {
    "cluster_objects",
    "cluster_pki",
    "gce_routes",
    "host_preflight",
    "network_plan",
    "network_switch",
    "node_reset",
    "node_state",
    "plan_report",
}


def test_every_role_that_applies_something_has_a_contract() -> None:
    roles = {path.parents[1].name for path in ROLES.glob("*/tasks/main.yml")}
    assert roles - set(CONTRACTS) == WITHOUT


def test_kube_proxy_has_the_modes_that_a_backend_may_name() -> None:
    assert CONTRACTS["kube_proxy"].modes == KUBE_PROXY_MODES


def test_the_words_about_restarts_know_the_units_of_components() -> None:
    units = {role: CONTRACTS[role].in_mode().units for role in CONTRACTS.components}
    declared = {unit for names in units.values() for unit in names} - {"flatnet-images"}
    assert {unit for names in UNITS.values() for unit in names} == declared


def test_routes_that_are_applied_have_the_protocol_that_kubenet_declares() -> None:
    declared = [route.protocol for route in CONTRACTS["cni_kubenet"].in_mode().makes.routes]
    assert [str(protocol) for protocol in declared] == [str(PROTOCOL)]


@pytest.mark.parametrize("role", CONTRACTS)
def test_what_is_needed_is_in_the_catalog(role: str) -> None:
    catalog = load_catalog()
    for mode in CONTRACTS[role].modes:
        needs = CONTRACTS[role].in_mode(mode).needs
        assert {name for names in needs.programs.values() for name in names} <= set(catalog.programs)
        assert {name for names in needs.images.values() for name in names} <= set(catalog.images)


def test_whoever_needs_a_command_names_the_same_packages() -> None:
    packages: dict[str, set[object]] = {}
    for contract in CONTRACTS.values():
        for mode in contract.modes:
            for name, entry in contract.in_mode(mode).needs.commands.items():
                packages.setdefault(name, set()).add(entry)
    assert {name for name, found in packages.items() if len(found) > 1} == set()


def test_etcd_keeps_its_data_where_its_contract_says() -> None:
    defaults = yaml.safe_load((ROLES / "etcd/defaults/main.yml").read_text())
    assert defaults["etcd_data_directory"] in CONTRACTS["etcd"].in_mode().makes.directories
