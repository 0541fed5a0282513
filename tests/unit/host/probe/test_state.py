"""What a node is like, read with programs that the tests stand for."""

import json
import pathlib
import shutil
from pathlib import Path

import pytest

from flatnet.host.probe import answers, state

_SHOWN = """\
Id=kubelet.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
NRestarts=0

Id=kube-proxy.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=exit-code
NRestarts=7

Id=flanneld.service
LoadState=not-found
ActiveState=inactive
SubState=dead
Result=success
NRestarts=0
"""


def _programs(monkeypatch: pytest.MonkeyPatch, outputs: dict[str, str]) -> None:
    """Let each program print the first output whose key its command line begins with."""

    def run(*command: str) -> str:
        line = " ".join(command)
        return next((text for key, text in outputs.items() if line.startswith(key)), "")

    monkeypatch.setattr(state, "run_program", run)


def test_a_unit_that_is_not_well_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    _programs(
        monkeypatch,
        {
            "systemctl show": _SHOWN,
            "journalctl --unit=kube-proxy": "starting\naddress in use\n",
        },
    )
    assert state.unit_states(["kubelet", "kube-proxy", "flanneld"]) == {
        "kubelet": {"state": "active/running", "restarts": 0, "last": ""},
        "kube-proxy": {
            "state": "activating/auto-restart",
            "restarts": 7,
            "last": "starting | address in use",
        },
        "flanneld": {"state": "absent", "restarts": 0, "last": ""},
    }


def test_routes_of_all_tables_and_the_rules_to_them_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _programs(
        monkeypatch,
        {
            "ip -json -4 route show table all": json.dumps(
                [
                    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "table": "101"},
                    {"type": "blackhole", "dst": "10.200.2.0/25"},
                    {
                        "type": "local",
                        "dst": "192.0.2.11",
                        "dev": "eth0",
                        "table": "local",
                        "protocol": "kernel",
                    },
                ]
            ),
            "ip -json -4 rule": json.dumps([{"priority": 100, "src": "192.0.2.11", "table": "101"}]),
            "ip -json neighbour": json.dumps(
                [
                    {
                        "dst": "192.0.2.12",
                        "dev": "eth0",
                        "lladdr": "02:00:00:00:00:99",
                        "state": ["PERMANENT"],
                    },
                    {"dst": "192.0.2.13", "dev": "eth0", "state": ["FAILED"]},
                ]
            ),
        },
    )
    found = state.state_of([])
    assert [(route["table"], route["type"], route["destination"]) for route in found["routes"]] == [
        ("101", "unicast", "0.0.0.0/0"),
        ("main", "blackhole", "10.200.2.0/25"),
    ]
    assert [(rule["source"], rule["table"]) for rule in found["rules"]] == [("192.0.2.11/32", "101")]
    assert [entry["address"] for entry in found["neighbours"]] == ["192.0.2.12"]


def test_all_filters_in_force_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tables = tmp_path / "ip_tables_names"
    tables.write_text("filter\n")
    monkeypatch.setattr(
        pathlib, "Path", lambda *parts: tables if parts[-1] == tables.name else tmp_path / "none"
    )
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/sbin/nft")
    _programs(
        monkeypatch,
        {
            "iptables-nft-save": ":FORWARD ACCEPT [0:0]\n",
            "iptables-legacy-save": ":FORWARD DROP [3:180]\n",
            "nft --terse list ruleset": "table inet site {\n}\n",
        },
    )
    found = state.packet_filters()
    assert [entry["name"] for entry in found] == ["iptables-nft", "iptables-legacy", "nft"]
    assert [len(entry["policies"]) for entry in found] == [0, 1, 0]


@pytest.mark.parametrize("switched", [True, False])
def test_kube_proxy_tells_how_it_is_configured(monkeypatch: pytest.MonkeyPatch, *, switched: bool) -> None:
    told = {
        "kubeproxy.config.k8s.io": {
            "Iptables": {"MasqueradeAll": switched},
            "IPVS": {"MasqueradeAll": False},
            "ClusterCIDR": "10.200.0.0/16",
        }
    }
    monkeypatch.setattr(state, "get", lambda *_: (200, json.dumps(told)))
    assert state.kube_proxy_configuration() == {
        "masquerade_all": switched,
        "cluster_cidr": "10.200.0.0/16",
    }


def test_a_kube_proxy_that_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise answers.NoAnswerError("refused", "connection refused")

    monkeypatch.setattr(state, "get", refuse)
    assert state.kube_proxy_configuration() == {}
