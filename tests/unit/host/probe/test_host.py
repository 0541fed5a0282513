import json
from pathlib import Path

import pytest

from flatnet.check.model import Json
from flatnet.host.probe import checks, host


def _make(how: Json, expected: list[str], reads: str) -> Json:
    check = {"id": "x", "how": how, "reads": reads, "expected": expected, "family": "ipv4"}
    result: Json = checks.run([check], attempt_seconds=0.5, deadline_seconds=0)[0]
    return result


_LINKS = [
    {
        "ifname": "lo",
        "flags": ["LOOPBACK", "UP"],
        "mtu": 65536,
        "addr_info": [{"family": "inet", "local": "127.0.0.1", "scope": "host"}],
    },
    {
        "ifname": "eth0",
        "flags": ["UP"],
        "mtu": 1450,
        "addr_info": [
            {"family": "inet", "local": "10.200.0.10", "scope": "global"},
            {"family": "inet6", "local": "fe80::1", "scope": "link"},
        ],
    },
]


def test_a_pods_address_and_mtu_are_read_in_its_network_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(*command: str) -> str:
        commands.append(command)
        return json.dumps(_LINKS)

    monkeypatch.setattr(host, "run_program", run)
    monkeypatch.setattr(checks, "pod_processes", lambda uids: dict.fromkeys(uids, 4711))
    how = {"method": "interface", "pod_uid": "u", "family": "ipv4"}
    assert _make({**how, "read": "address"}, ["10.200.0.10"], "text")["ok"]
    assert _make({**how, "read": "mtu"}, ["1450"], "text")["ok"]
    assert set(commands) == {("nsenter", "--target", "4711", "--net", "ip", "-json", "address", "show")}
    missing = _make({**how, "read": "address", "family": "ipv6"}, ["x"], "text")
    assert (missing["error"], missing["detail"]) == (
        "interface",
        "no interface of the pod has an ipv6 address",
    )


@pytest.mark.parametrize("uid", ["8f0c-aa", "8f0c_aa"])
def test_a_pods_process_is_found_whichever_cgroup_driver_the_kubelet_uses(tmp_path: Path, uid: str) -> None:
    for process, group in ((7, "/kubepods/besteffort/podffff/1"), (8, f"/kubepods/besteffort/pod{uid}/2")):
        (tmp_path / str(process)).mkdir()
        (tmp_path / str(process) / "cgroup").write_text(f"0::{group}\n")
    (tmp_path / "9").mkdir()  # ended meanwhile
    (tmp_path / "self").mkdir()
    assert host.pod_processes({"8f0c-aa"}, str(tmp_path)) == {"8f0c-aa": 8}


def test_a_pod_without_a_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "pod_processes", lambda _: {})
    result = _make({"method": "interface", "pod_uid": "u", "read": "mtu", "family": "ipv4"}, ["1"], "text")
    assert (result["error"], result["detail"]) == ("interface", "no process of pod u runs here")


def test_evidence_holds_what_explains_a_failure_and_survives_missing_programs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs = {
        ("nft", "list", "ruleset"): "table ip nat {\n  ip saddr 10.200.0.0/24 masquerade\n  accept\n}\n",
        ("ip", "route", "get", "10.200.2.10"): "10.200.2.10 via 192.0.2.1 dev eth0 \n    cache\n",
    }
    monkeypatch.setattr(host, "run_program", lambda *command: outputs.get(command, ""))
    evidence = host.evidence_of([{"target": {"address": "10.200.2.10"}}, {"target": {"address": ""}}])
    assert evidence["masquerade"] == ["ip saddr 10.200.0.0/24 masquerade"]
    assert evidence["route_get"] == {"10.200.2.10": "10.200.2.10 via 192.0.2.1 dev eth0 cache"}
    assert evidence["fdb"] == []


def test_a_missing_program_gives_no_evidence_instead_of_an_error() -> None:
    assert host.run_program("a-program-that-does-not-exist") == ""
    assert host.run_program("false") == ""
