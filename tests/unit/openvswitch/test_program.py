"""The program on the host asks Open vSwitch for one transaction, and leaves what is somebody else's."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openvswitch_cases import place
from plugin_loader import load_plugin

from flatnet.openvswitch.network import network
from flatnet.openvswitch.place import place_of

FILE = Path(__file__).parents[3] / "roles/cni_openvswitch/files/flatnet_openvswitch.py"


@pytest.fixture
def program() -> ModuleType:
    return load_plugin(FILE)


class Commands:
    """Answers commands and keeps them; the longest beginning of a command that is known counts."""

    def __init__(self, **answers: str) -> None:
        self.answers = {name.replace("_", " "): text for name, text in answers.items()}
        self.ran: list[str] = []

    def __call__(self, *words: str, given: str | None = None) -> str:
        assert given is None or given.endswith("\n")
        line = " ".join(word for word in words if not word.startswith("--timeout"))
        self.ran.append(line)
        known = [name for name in self.answers if name in re.sub("[-_/]", " ", line)]
        if "--format=json" in line and not known:
            return '{"data": []}'
        return self.answers[max(known, key=len)] if known else ""


def wanted(datapath: str = "netdev") -> dict[str, Any]:
    return network(place_of(place()), datapath)


def test_values_are_written_as_the_database_reads_them(program: ModuleType) -> None:
    assert program.text(True) == "true"
    assert program.text({"remote_ip": "192.0.2.1", "key": "1"}) == '{"remote_ip"="192.0.2.1","key"="1"}'
    assert program.text(["OpenFlow13"]) == '["OpenFlow13"]'
    assert program.text({}) == "{}"


def test_one_transaction_adds_what_is_wanted_and_drops_what_is_not(program: ModuleType) -> None:
    line = " ".join(program.transaction(wanted("system"), ["obr0-c000020a", "obr0-c0000263"]))
    assert line.count("del-port") == 1
    assert "--if-exists del-port obr0 obr0-c0000263" in line
    assert '-- set interface obr0-c000020c type=gre options={"remote_ip"="192.0.2.12"' in line
    assert "obr0-tun" not in line
    assert "br-set-external-id obr0 flatnet cni_openvswitch" in line


def test_the_passage_is_made_in_the_same_transaction(program: ModuleType) -> None:
    line = " ".join(program.transaction(wanted(), []))
    assert "--may-exist add-port obr0-tun obr0-kernel" in line
    assert 'set interface obr0-kernel type=internal mac="0a:58:a9:fe:4d:01"' in line
    assert line.count("br-set-external-id") == 2


def test_a_switch_of_somebody_else_is_left_alone(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(list_br="obr0\nbr-int\n", br_get_external_id="\n")
    monkeypatch.setattr(program, "run", commands)
    with pytest.raises(program.StepError, match="obr0 of Open vSwitch is somebody else's"):
        program.up(wanted("system"))
    with pytest.raises(program.StepError, match="somebody else's"):
        program.down(wanted("system"))
    assert {line.split()[1] for line in commands.ran} == {"list-br", "br-get-external-id"}


def test_a_host_without_anything_of_it_has_nothing_to_take_away(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands = Commands(list_br="br-int\n")
    monkeypatch.setattr(program, "run", commands)
    monkeypatch.setattr(program, "INTERFACES", tmp_path)
    program.down(wanted())
    assert set(commands.ran) == {"ovs-vsctl list-br"}


def test_with_a_route_that_goes_another_comes_again(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = "".join(
        f"User: {address}/32 dev obr0-tun GW 169.254.77.1 SRC 169.254.77.2\n"
        for address in ("192.0.2.10", "192.0.2.12", "192.0.2.99")
    )
    commands = Commands(ovs_route_show=f"Route Table:\n{shown}User: 203.0.113.1/32 dev br-int\n")
    monkeypatch.setattr(program, "run", commands)
    monkeypatch.setattr(program, "IPV4", tmp_path)
    monkeypatch.setattr(program, "IPV6", tmp_path / "none")
    (tmp_path / "obr0-kernel").mkdir()
    program.lead_passage(wanted()["passage"])
    changes = [line.removeprefix("ovs-appctl ovs/route/") for line in commands.ran if "ovs/route/" in line]
    assert changes[1:] == [
        "del 192.0.2.99/32",
        "del 192.0.2.10/32",
        "add 192.0.2.10/32 obr0-tun 169.254.77.1",
    ]
    assert (tmp_path / "obr0-kernel" / "accept_local").read_text() == "1"


def test_what_changes_with_the_daemon_is_seen(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(program, "INTERFACES", tmp_path)
    monkeypatch.setenv("OVS_RUNDIR", str(tmp_path))
    (tmp_path / "ovs-vswitchd.pid").write_text("41\n")
    (tmp_path / "kbr0").mkdir()
    (tmp_path / "obr0").mkdir()
    (tmp_path / "obr0/ifindex").write_text("7\n")
    (tmp_path / "obr0/master").symlink_to("../kbr0")
    before = program.signature(wanted())
    assert program.signature(wanted()) == before
    (tmp_path / "obr0/master").unlink()
    without = program.signature(wanted())
    (tmp_path / "ovs-vswitchd.pid").write_text("42\n")
    assert len({before, without, program.signature(wanted())}) == 3


def test_a_command_that_fails_says_how(program: ModuleType) -> None:
    with pytest.raises(program.StepError, match="no such thing"):
        program.run(sys.executable, "-c", "import sys; sys.exit('no such thing')")
    assert program.run(sys.executable, "-c", "print(input())", given="flows\n") == "flows\n"


def test_a_tunnel_that_cannot_be_made_is_told(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    data = [["obr0-c000020a", ["set", []]], ["others", "no such device"], ["obr0-c000020c", "File exists"]]
    monkeypatch.setattr(program, "run", Commands(list_interface=json.dumps({"data": data})))
    with pytest.raises(
        program.StepError, match=r"^the tunnel obr0-c000020c to \S+ cannot be made: File exists"
    ):
        program.refuse_errors(wanted("system"))
    monkeypatch.setattr(program, "run", Commands(list_interface=json.dumps({"data": data[:2]})))
    program.refuse_errors(wanted("system"))
