"""What the role asks of a host, for either kind of uplink, is a state that node_state takes."""

from pathlib import Path
from typing import Any, cast

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import Templar
from l2_bridge_cases import after, before, dedicated

from flatnet.state.desired import parse

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/cni_l2_bridge"


def tasks(facts: dict[str, Any], interface: str) -> list[dict[str, Any]]:
    """Return the arguments of the role's tasks that would run, by module."""
    init_plugin_loader()
    for folder in (ROLE / "filter_plugins", ROOT / "filter_plugins"):
        filter_loader.add_directory(str(folder))
    loader = DataLoader()

    def loaded(file: str) -> object:
        return loader.load_from_file(str(ROLE / file), trusted_as_template=True)

    inputs: dict[str, Any] = {
        "cni_l2_bridge_contract": {"makes": {"interfaces": {"bridge": {"name": "br-pods"}}}},
        "cni_l2_bridge_facts": facts,
        "cni_l2_bridge_interface": interface,
        "cni_l2_bridge_node_addresses": ["192.0.2.11", "2001:db8::11"],
        "cni_l2_bridge_pod_cidrs": ["10.200.1.0/24", "fd00:200:0:1::/64"],
        "cni_l2_bridge_cluster_pod_cidrs": ["10.200.0.0/16", "fd00:200::/48"],
        "cni_l2_bridge_mtu": 1500,
    }
    variables: dict[str, Any] = {"role_path": str(ROLE)}
    for file in ("defaults/main.yml", "vars/main.yml"):
        variables |= cast(dict[str, Any], loaded(file))
    templar = Templar(loader, variables=variables | inputs)
    found = []
    for task in cast(list[dict[str, Any]], loaded("tasks/main.yml")):
        if "when" not in task or templar.evaluate_conditional(task["when"]):
            module = next(name for name in task if name not in ("name", "when"))
            found.append({module: templar.template(task[module])})
    return found


def texts(state: dict[str, Any]) -> dict[str, str]:
    return {unit["name"]: unit["content"] for unit in state["units"]}


@pytest.mark.parametrize(
    ("facts", "interface"), [(before(), "eth0"), (after(), "eth0"), (dedicated(), "eth1")]
)
def test_the_state_is_one_that_node_state_takes(facts: dict[str, Any], interface: str) -> None:
    state = tasks(facts, interface)[0]["node_state"]
    assert parse(state)
    assert all("\n\n[Service]\n" in text for text in texts(state).values())


def test_the_node_s_own_interface_is_moved_once() -> None:
    state, move = tasks(before(), "eth0")
    assert set(texts(state["node_state"])) == {
        "flatnet-l2-bridge.service",
        "flatnet-l2-bridge-uplink.service",
    }
    assert move["l2_uplink"]["moves"][0] == "192.0.2.11/24 from eth0 to br-pods"
    assert move["l2_uplink"]["rollback_seconds"] == 30
    [later] = tasks(after(), "eth0")
    assert later == state
    assert "redirect drop" in later["node_state"]["nftables"][0]["content"]


def test_an_uplink_that_serves_pods_alone_is_not_moved() -> None:
    [state] = tasks(dedicated(), "eth1")
    assert set(texts(state["node_state"])) == {"flatnet-l2-bridge.service"}
    assert "redirect" not in state["node_state"]["nftables"][0]["content"]
