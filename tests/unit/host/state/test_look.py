"""A look at what was applied: it agrees with what an apply would do, whatever somebody did to the host."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from node_state_host import FakeHost, apply, tree, unit_text

from flatnet.host.state.asked import asked_for, digest, is_empty
from flatnet.host.state.look import look
from flatnet.host.state.record import RECORDS
from flatnet.state.desired import parse
from flatnet.state.wire import to_wire

TABLE = {"family": "ip", "table": "flatnet_example", "content": "chain c { }"}
ROUTE = {"destination": "198.51.100.0/24", "gateway": "192.0.2.12"}


def state(program: Path) -> dict[str, Any]:
    """Return a state with something of each kind."""
    return {
        "directories": [{"path": "/opt/d", "mode": "0700"}],
        "files": [
            {"path": "/etc/f", "content": "text\n"},
            {"path": "/etc/key", "content": "SECRET", "mode": "0600"},
        ],
        "programs": [{"path": "/opt/p", "source": str(program)}],
        "links": [{"path": "/opt/link", "target": "/opt/p"}],
        "kernel_modules": ["br_netfilter"],
        "sysctls": {"net.ipv4.ip_forward": "1"},
        "routes": [ROUTE],
        "nftables": [TABLE],
        "units": [{"name": "a.service", "content": unit_text(), "restart_on": ["/etc/f", "/opt/p"]}],
        "absent": ["/etc/unwanted"],
    }


def digest_of(**wanted: object) -> str:
    return digest(asked_for(to_wire(parse({"name": "example", **wanted})).state))


@pytest.fixture(name="program")
def make_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "program"
    path.write_bytes(b"program" * 20000)
    return path


@pytest.fixture(name="host")
def applied(tmp_path: Path, program: Path) -> FakeHost:
    host = FakeHost(tmp_path / "host")
    host.kernel.loadable = {"br_netfilter"}
    apply(host, **state(program))
    return host


def test_what_was_applied_holds_and_the_look_changes_nothing(host: FakeHost, program: Path) -> None:
    before, steps = tree(host.root), list(host.steps)
    assert look(host) == {"example": digest_of(**state(program))}
    assert (tree(host.root), host.steps) == (before, steps)


def test_what_was_asked_for_is_recorded_without_contents(host: FakeHost) -> None:
    record = (host.root / f"{RECORDS}/example.json".lstrip("/")).read_text()
    assert "SECRET" not in record
    assert json.loads(record)["asked"]["files"][0]["path"] == "/etc/f"


DRIFT: dict[str, Callable[[FakeHost], object]] = {
    "content": lambda host: host.put("etc/f", "other\n"),
    "content of a program": lambda host: host.put("opt/p", "other"),
    "mode": lambda host: (host.root / "etc/key").chmod(0o644),
    "mode of a directory": lambda host: (host.root / "opt/d").chmod(0o755),
    "file gone": lambda host: (host.root / "etc/f").unlink(),
    "link elsewhere": lambda host: _point(host.root / "opt/link", "/elsewhere"),
    "unit stopped": lambda host: host.systemd.running.pop("a.service"),
    "unit failed": lambda host: _fail(host, "a.service"),
    "unit disabled": lambda host: host.systemd.enabled.remove("a.service"),
    "unit file altered": lambda host: host.put("etc/systemd/system/a.service", unit_text() + "#\n"),
    "route gone": lambda host: host.kernel.routes.clear(),
    "route elsewhere": lambda host: next(iter(host.kernel.routes.values())).update(gateway="192.0.2.13"),
    "table gone": lambda host: host.kernel.tables.clear(),
    "table altered": lambda host: host.kernel.tables.update({"ip flatnet_example": "table ip x {}"}),
    "sysctl": lambda host: host.put("proc/sys/net/ipv4/ip_forward", "0"),
    "kernel module": lambda host: host.put("proc/modules", ""),
    "file that sets the sysctl at boot": lambda host: host.put("etc/sysctl.d/99-zz-flatnet-example.conf", ""),
    "unit that sets the routes": lambda host: host.systemd.running.pop("flatnet-routes-example.service"),
    "what is wanted absent": lambda host: host.put("etc/unwanted", ""),
    "apply cut off": lambda host: _alter_record(host, complete=False),
    "no state recorded": lambda host: _alter_record(host, asked={}),
    "record that nobody can read": lambda host: host.put("var/lib/flatnet/state/example.json", "{"),
    "reboot, after which modules are looked for anew": lambda host: host.put(
        "proc/sys/kernel/random/boot_id", "boot-2"
    ),
}


def _fail(host: FakeHost, unit: str) -> None:
    host.systemd.running.pop(unit)
    host.systemd.failed.add(unit)


def _point(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


def _alter_record(host: FakeHost, **fields: object) -> None:
    path = host.root / f"{RECORDS}/example.json".lstrip("/")
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize("drift", DRIFT)
def test_whatever_somebody_changed_does_not_hold_until_it_is_applied_again(
    host: FakeHost, program: Path, drift: str
) -> None:
    DRIFT[drift](host)
    before = tree(host.root)
    assert look(host) == {"example": ""}
    assert tree(host.root) == before
    if drift == "record that nobody can read":
        (host.root / "var/lib/flatnet/state/example.json").unlink()
        host.kernel.tables.clear()
    apply(host, **state(program))
    assert look(host) == {"example": digest_of(**state(program))}
    assert apply(host, **state(program))["changes"] == []


def test_owners_are_judged_by_themselves(host: FakeHost) -> None:
    apply(host, name="other", files=[{"path": "/opt/other", "content": "x"}])
    host.put("etc/f", "other\n")
    found = look(host)
    assert found["example"] == ""
    assert found["other"] == digest_of(name="other", files=[{"path": "/opt/other", "content": "x"}])


def test_a_file_that_another_owner_brings_is_seen_by_whose_unit_reads_it(
    host: FakeHost, program: Path
) -> None:
    wanted = reading_more(state(program))
    apply(host, name="other", files=[{"path": "/etc/others", "content": "old"}])
    apply(host, **wanted)
    assert all(look(host).values())
    apply(host, name="other", files=[{"path": "/etc/others", "content": "new"}])
    assert look(host)["example"] == ""
    assert apply(host, **wanted)["restarted"] == [{"unit": "a.service", "reason": "/etc/others changed"}]
    assert all(look(host).values())


@pytest.mark.parametrize("is_there", [True, False])
def test_whose_unit_reads_what_no_owner_brings_is_asked_each_time(
    host: FakeHost, program: Path, is_there: bool
) -> None:
    if is_there:
        host.put("etc/others", "a template's")
    apply(host, **reading_more(state(program)))
    assert apply(host, **reading_more(state(program)))["changed"] is False
    assert look(host) == {"example": ""}


def reading_more(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the state with a unit that restarts for a file which is not in it."""
    [unit] = wanted["units"]
    return {**wanted, "units": [{**unit, "restart_on": [*unit["restart_on"], "/etc/others"]}]}


def test_systemd_is_asked_once_for_the_units_of_all_owners(host: FakeHost) -> None:
    apply(host, name="other", units=[{"name": "b.service", "content": unit_text()}])
    host.commands.clear()
    assert all(look(host).values())
    assert [command[0] for command in host.commands].count("systemctl") == 1


def test_nobody_has_applied_anything(tmp_path: Path) -> None:
    assert look(FakeHost(tmp_path / "host")) == {}


def test_the_order_of_entries_means_something_only_where_it_ends_up_on_the_host() -> None:
    files = [{"path": "/a", "content": "1"}, {"path": "/b", "content": "2"}]
    assert digest_of(files=files) == digest_of(files=files[::-1])
    routes = [ROUTE, {**ROUTE, "destination": "203.0.113.0/24"}]
    assert digest_of(routes=routes) != digest_of(routes=routes[::-1])
    unit = {"name": "a.service", "content": unit_text(), "restart_on": ["/a", "/b"]}
    assert digest_of(units=[unit]) == digest_of(units=[{**unit, "restart_on": ["/b", "/a"]}])


@pytest.mark.parametrize(
    "change",
    [
        {"files": [{"path": "/etc/f", "content": "other"}]},
        {"files": [{"path": "/etc/f", "content": "text", "mode": "0600"}]},
        {"files": [{"path": "/etc/f", "content": "text"}], "absent": ["/etc/g"]},
        {"files": [{"path": "/etc/f", "content": "text"}], "sysctls": {"net.ipv4.ip_forward": "1"}},
        {"files": [{"path": "/etc/f", "content": "text"}], "units": [{"name": "a.service"}]},
        {"files": [{"path": "/etc/f", "content": "text"}], "state": "absent"},
    ],
)
def test_another_state_has_another_digest(change: dict[str, Any]) -> None:
    assert digest_of(**change) != digest_of(files=[{"path": "/etc/f", "content": "text"}])


def test_a_state_without_entries_is_empty() -> None:
    def asked(**wanted: object) -> dict[str, Any]:
        return asked_for(to_wire(parse({"name": "example", **wanted})).state)

    assert is_empty(asked())
    assert is_empty(asked(state="absent", files=[{"path": "/a", "content": ""}]))
    assert not is_empty(asked(absent=["/opt/a"]))
    assert not is_empty(asked(sysctls={"net.ipv4.ip_forward": "1"}))
    assert not is_empty(asked(nftables=[TABLE]))
