"""The ways of breaking a network that the scenario broken_networks tries."""

import re
from pathlib import Path

import pytest
import yaml

_FAULTS = yaml.safe_load(
    (Path(__file__).parents[2] / "molecule/broken_networks/vars/faults.yml").read_text()
)["faults"]
_HOSTS = ("control-plane-1", "node-1", "node-2")


def test_no_two_ways_share_a_name_and_so_a_report() -> None:
    names = [fault["name"] for fault in _FAULTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: str(fault["name"]))
def test_a_way_says_where_how_back_and_by_what_name(fault: dict[str, str]) -> None:
    assert set(fault) == {"name", "host", "break", "restore", "cause"}
    assert fault["host"] in _HOSTS
    assert re.fullmatch("[a-z0-9_]+", fault["name"])
    # Named is a host or a part of the cluster, and not just anything.
    assert any(host in re.sub(r"\\", "", fault["cause"]) for host in (*_HOSTS, "DNS", "NetworkPolicy"))
