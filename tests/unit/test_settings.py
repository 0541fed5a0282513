from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from flatnet.settings import (
    SECTIONS,
    SETTINGS,
    Settings,
    VariableFindings,
    check_variables,
    fault_lines,
    read_settings,
)
from flatnet.settings.definition import setting, settings_of

ROOT = Path(__file__).resolve().parents[2]
WIRING = {
    "__cluster_name": "{{ __cluster_settings.cluster_name }}",
    "network_plan_pod_cidrs": "{{ __cluster_settings.cluster_pod_cidrs }}",
    "network_check_dns": "{{ 'refused' if cluster_dns_upstreams == [] else 'skipped' }}",
    "cluster_dns_domain": "{{ plan.domain }}",
    "cni_backend": {
        "cluster_name": "{{ __cluster_name }}",
        "mtu": ["{{ __cluster_settings.cluster_underlay_mtu }}"],
    },
    "etcd_members": "{{ cluster_pki_result.members }}",
}
INPUTS = {"cluster_dns_replicas", "cluster_dns_domain"}


def _findings(*given: str, overruling: tuple[str, ...] = ()) -> VariableFindings:
    return check_variables(given, overruling, WIRING, INPUTS)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cluster_pod_cidr", "cluster_pod_cidr is not a setting; do you mean cluster_pod_cidrs?"),
        ("cluster_dns_replica", "cluster_dns_replica is not a setting; do you mean cluster_dns_replicas?"),
        (
            "network_plan_pod_cidrs",
            "network_plan_pod_cidrs is set by the playbooks; set cluster_pod_cidrs instead",
        ),
        ("network_check_dns", "network_check_dns is set by the playbooks; set cluster_dns_upstreams instead"),
        (
            "etcd_members",
            "etcd_members is set by the playbooks from what they know; take it out of the inventory",
        ),
        ("cni_backend", "cni_backend is set by the playbooks; set cluster_underlay_mtu instead"),
    ],
)
def test_a_variable_that_is_meant_otherwise_is_refused_with_what_to_set(name: str, sentence: str) -> None:
    assert _findings(name) == VariableFindings([sentence], [])


def test_what_only_begins_as_settings_do_is_told_and_not_refused() -> None:
    assert _findings("cluster_owner") == VariableFindings(
        [], ["cluster_owner is not a setting of flatnet, and nothing reads it"]
    )


def test_settings_inputs_of_roles_and_foreign_variables_are_nothing_to_speak_of() -> None:
    given = (
        "cluster_name",
        "cluster_dns_replicas",
        "cluster_reset_confirmed",
        "cluster_switch_confirmed",
        "ansible_user",
        "etcd_data",
    )
    assert _findings(*given) == VariableFindings([], [])


def test_the_command_line_outranks_the_wiring_so_that_nothing_is_lost() -> None:
    assert _findings("network_plan_pod_cidrs", overruling=("network_plan_pod_cidrs",)) == VariableFindings(
        [], []
    )


@pytest.mark.parametrize("path", sorted((ROOT / "inventories").glob("*/group_vars/*/*.yml")), ids=str)
def test_the_inventories_of_the_project_set_nothing_in_vain(path: Path) -> None:
    wiring = yaml.safe_load((ROOT / "playbooks/vars/wiring.yml").read_text())
    assert check_variables(yaml.safe_load(path.read_text()), (), wiring, ()) == VariableFindings([], [])


def test_every_default_is_a_value_that_the_setting_takes_and_an_empty_one_says_what_it_stands_for() -> None:
    read, faults = read_settings(Settings().data)
    assert (read.data, faults) == (Settings().data, [])
    assert read_settings({}) == (Settings(), [])
    unsaid = [one.variable for one in SETTINGS if one.default in ("", (), {}, None) and not one.empty]
    assert unsaid == []
    assert len({one.variable for one in SETTINGS}) == len(SETTINGS)
    assert {one.section for one in SETTINGS} == set(SECTIONS)


def test_every_fault_of_an_inventory_is_told_in_one_go_with_value_reason_and_fix() -> None:
    settings, faults = read_settings(
        {"cluster_api_port": "abc", "cluster_max_pods": 3_000_000_000, "cluster_dns_upstreams": [53]}
    )
    assert settings == Settings()
    assert fault_lines(faults) == [
        "[setting-range] cluster_max_pods 3000000000: it is not from 1 to 4194304 pods. "
        "Fix: use a number in between; 110 is the default.",
        "[setting-type] cluster_api_port 'abc': it is not a whole number. Fix: write a number.",
        "[setting-type] cluster_dns_upstreams [53]: it is not a list of strings. "
        "Fix: write a list of quoted strings.",
    ]


@pytest.mark.parametrize("value", [["port"], {"port": "many"}, {7: 8}, {"port": True}])
def test_numbers_by_name_are_numbers_by_name(value: object) -> None:
    settings, [fault] = read_settings({"cluster_network_backend_options": value})
    assert (fault.rule, settings.network_backend_options) == ("setting-type", {})
    settings, faults = read_settings({"cluster_network_backend_options": {"port": "4789", "vni": 2}})
    assert (settings.network_backend_options, faults) == ({"port": 4789, "vni": 2}, [])


def test_a_setting_of_a_type_that_no_inventory_can_give_cannot_be_defined() -> None:
    @dataclass
    class Odd:
        speed: float = setting(0.5, "The cluster", "How fast.")

    with pytest.raises(LookupError, match="speed is <class 'float'>, which no setting can be"):
        settings_of(Odd)
