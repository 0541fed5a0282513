"""The numbers that an inventory chooses for its backend, from the plan to the switch that changes one."""

from typing import Any

import pytest
from plan_cases import FLANNEL, HOSTS, findings, prepare, with_facts

from flatnet.plan import Settings
from flatnet.plan.options import options_words

WIREGUARD = FLANNEL | {
    "ports": [*FLANNEL["ports"], {"protocol": "udp", "port": 51821, "option": "other", "purpose": "IPv6"}],
    "options": {**FLANNEL["options"], "other": {"about": "A", "default": 51821, "least": 1, "most": 65535}},
}


def chosen(**numbers: int) -> Settings:
    return Settings(network_backend_options=numbers)


def test_without_a_choice_the_defaults_are_planned_with() -> None:
    backend = prepare(contract=FLANNEL).plan["backend"]
    assert backend["option_values"] == {"port": 8472, "vni": 1}
    assert options_words(backend) == ""


def test_a_chosen_port_is_the_port_in_everything_that_follows() -> None:
    backend = prepare(chosen(port=4789, vni=42), contract=FLANNEL).plan["backend"]
    assert backend["option_values"] == {"port": 4789, "vni": 42}
    assert backend["ports"] == [{"protocol": "udp", "port": 4789, "option": "port", "purpose": "VXLAN"}]
    assert options_words(backend) == "port 4789, vni 42"
    in_range = Settings(network_backend_options={"port": 30000})
    [line] = findings(in_range, contract=FLANNEL)
    assert line.startswith("[node-port-range] cluster_node_port_range '30000-32767': it holds port 30000")
    taken = {"address": "192.0.2.11", "port": 4789, "protocol": "udp", "process": "ovs", "unit": ""}
    some = [with_facts(HOSTS[0], listening=[taken]), *HOSTS[1:]]
    assert prepare(some=some, contract=FLANNEL).plan
    [line] = findings(chosen(port=4789), some, FLANNEL)
    assert line.startswith("[port-in-use] node-a: udp port 4789: ovs has it, and backend flannel needs it.")


@pytest.mark.parametrize(
    ("contract", "numbers", "line"),
    [
        (
            FLANNEL,
            {"vnii": 2},
            "[backend-option] cluster_network_backend_options vnii: 2: backend flannel has no such option. "
            "Fix: do you mean vni.",
        ),
        (
            FLANNEL,
            {"vni": 0},
            "[backend-option] cluster_network_backend_options vni: 0: The identifier of the tunnel of "
            "backend flannel is from 1 to 9999. Fix: use one of these; 1 is the default.",
        ),
        (
            FLANNEL,
            {"port": 10256},
            "[backend-option] cluster_network_backend_options port: 10256: it is the port of kube-proxy. "
            "Fix: use another; 8472 is the default.",
        ),
        (
            WIREGUARD,
            {"other": 8472},
            "[backend-option] cluster_network_backend_options other: 8472: it is the port of VXLAN. "
            "Fix: use another; 51821 is the default.",
        ),
    ],
)
def test_a_number_that_is_not_possible_is_refused(
    contract: dict[str, Any], numbers: dict[str, int], line: str
) -> None:
    assert findings(chosen(**numbers), contract=contract) == [line]


def test_a_backend_without_options_takes_none() -> None:
    [line] = findings(chosen(port=1))
    assert line.endswith("backend kubenet has no such option. Fix: leave it out.")


def test_another_number_on_a_running_cluster_is_for_a_switch() -> None:
    deployed = prepare(contract=FLANNEL).plan
    [line] = findings(chosen(vni=2), contract=FLANNEL, deployed=deployed)
    assert line.startswith("[immutable-backend-mode] backend flannel with vni 2 in place of its defaults: ")
    assert "playbooks/switch_network.yml" in line
    # A record of before there were options says nothing of them.
    del deployed["backend"]["option_values"]
    assert prepare(contract=FLANNEL, deployed=deployed).plan
