"""The ways of breaking a network that the scenario broken_networks tries."""

import re
from pathlib import Path

import pytest
import yaml

_MOLECULE = Path(__file__).parents[2] / "molecule"
_FAULTS = yaml.safe_load((_MOLECULE / "broken_networks/vars/faults.yml").read_text())["faults"]
_TROUBLES = yaml.safe_load((_MOLECULE / "broken_networks/vars/troubles.yml").read_text())["troubles"]
_HOSTS = ("control-plane-1", "node-1", "node-2")


def test_no_two_ways_share_a_name_and_so_a_report() -> None:
    names = [fault["name"] for fault in _FAULTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: str(fault["name"]))
def test_a_way_says_where_how_back_and_by_what_name(fault: dict[str, str]) -> None:
    assert set(fault) - {"new_probes"} == {"name", "host", "break", "restore", "cause"}
    assert fault["host"] in _HOSTS
    assert re.fullmatch("[a-z0-9_]+", fault["name"])
    # Named is a host or a part of the cluster, and not just anything.
    assert any(host in re.sub(r"\\", "", fault["cause"]) for host in (*_HOSTS, "DNS", "NetworkPolicy"))


def test_those_about_new_probes_come_first() -> None:
    # The others leave theirs behind.
    new = [bool(fault.get("new_probes")) for fault in _FAULTS]
    assert new == sorted(new, reverse=True)


def test_there_are_as_many_as_were_promised() -> None:
    assert len(_FAULTS) >= 35


@pytest.mark.parametrize("trouble", _TROUBLES, ids=lambda trouble: str(trouble["name"]))
def test_a_trouble_says_how_long_a_check_may_take(trouble: dict[str, str | int]) -> None:
    assert set(trouble) == {"name", "break", "restore", "seconds", "cause"}
    assert 15 < int(trouble["seconds"]) <= 90
