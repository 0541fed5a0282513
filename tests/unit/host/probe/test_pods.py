import json
import struct
from pathlib import Path

import pytest

from flatnet.check.model import Json
from flatnet.host.probe import checks, pods

WEB, DNS = "10.200.1.7", "10.200.1.2"
LINKS = [
    {"ifname": "cbr0", "flags": ["UP"]},
    {"ifname": "veth1", "flags": ["UP"], "master": "cbr0"},
    {"ifname": "veth2", "flags": ["UP"], "master": "cbr0"},
]


def record(folder: Path, name: str, addresses: list[str], port: str = "veth1") -> Path:
    """Write what the CNI library keeps of a running pod; return the file of its network namespace."""
    namespace = folder / "netns" / name
    namespace.parent.mkdir(exist_ok=True)
    namespace.touch()
    (folder / "results").mkdir(exist_ok=True)
    content = {
        "kind": "cniCacheV1",
        "containerId": f"container-{name}",
        "networkName": "flatnet",
        "netns": str(namespace),
        "cniArgs": [["K8S_POD_UID", f"uid-{name}"], ["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", name]],
        "result": {
            "interfaces": [{"name": "cbr0"}, {"name": port}, {"name": "eth0", "sandbox": str(namespace)}],
            "ips": [{"address": address, "interface": 2} for address in addresses],
        },
    }
    (folder / "results" / f"flatnet-{name}-eth0").write_text(json.dumps(content))
    return namespace


def test_pods_are_known_by_what_the_cni_library_keeps_of_them(tmp_path: Path) -> None:
    record(tmp_path, "web", [f"{WEB}/24", "2001:db8:1::7/64"])
    record(tmp_path, "loopback", ["127.0.0.1/8", "::1/128"])
    record(tmp_path, "ended", ["10.200.1.8/24"]).unlink()
    for name, content in {"being-written": '{"kind":', "list": "[]", "no-result": '{"result": null}'}.items():
        (tmp_path / "results" / name).write_text(content)
    (found,) = pods.recorded_pods(str(tmp_path / "results"))
    assert (found["name"], found["uid"], found["ports"]) == ("shop/web", "uid-web", ["cbr0", "veth1"])
    assert [str(address) for address in found["addresses"]] == [WEB, "2001:db8:1::7"]
    assert pods.recorded_pods(str(tmp_path / "nothing")) == []


STATIC, POD, OTHER = (
    "0123456789abcdef" * 2,
    "8f0c1d2e-0000-4111-8222-0123456789ab",
    "9" * 8 + "-0000" * 3 + "-" + "9" * 12,
)


def _process(proc: Path, number: int, group: str, network: str) -> None:
    (proc / str(number) / "ns").mkdir(parents=True)
    (proc / str(number) / "cgroup").write_text(f"0::{group}\n")
    (proc / str(number) / "ns/net").symlink_to(f"net:[{network}]")


def test_pods_that_run_are_known_by_their_processes(tmp_path: Path) -> None:
    _process(tmp_path, 1, "/init.scope", "1")
    _process(tmp_path, 20, f"/kubepods/burstable/pod{STATIC}/c", "2")
    _process(tmp_path, 21, f"/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri.scope", "3")
    # A pod of the host's network, in which a process made a namespace for itself.
    _process(tmp_path, 22, f"/kubepods/besteffort/pod{OTHER}/pause", "1")
    _process(tmp_path, 23, f"/kubepods/besteffort/pod{OTHER}/c", "4")
    _process(tmp_path, 24, "/system.slice/podman.service", "5")
    (tmp_path / "25").mkdir()  # ended meanwhile
    (tmp_path / "meminfo").touch()
    assert pods.running_pods(str(tmp_path)) == {STATIC, POD}


class Host:
    """A host whose pods web and dns run; those in `silent` do not answer, `neighbours` can be resolved."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.links, self.silent, self.neighbours = [dict(link) for link in LINKS], set[str](), set[str]()
        self.commands: list[tuple[str, ...]] = []
        self.namespaces = [
            record(folder, "web", [f"{WEB}/24"]),
            record(folder, "dns", [f"{DNS}/24"], "veth2"),
        ]
        self.running = {"uid-web", "uid-dns"}
        known = pods.recorded_pods
        monkeypatch.setattr(pods, "recorded_pods", lambda: known(str(folder / "results")))
        monkeypatch.setattr(pods, "running_pods", lambda: self.running)
        monkeypatch.setattr(pods, "echo", lambda addresses, *_: addresses - self.silent)
        monkeypatch.setattr(pods, "run_program", self._run)

    def _run(self, *command: str) -> str:
        self.commands.append(command)
        if command == ("ip", "-json", "link"):
            return json.dumps([*self.links, {}])
        state = "REACHABLE" if command[-1] in self.neighbours else "INCOMPLETE"
        return json.dumps([{"dst": command[-1], "state": [state]}]) if "show" in command else ""

    def asked(self, *uids: str) -> Json:
        how = {"method": "running_pods", "family": "ipv4", "pod_uids": list(uids)}
        check = {"id": "x", "how": how, "reads": "text", "expected": [pods.EVERY_POD], "family": "ipv4"}
        result: Json = checks.run([check], attempt_seconds=0.5, deadline_seconds=0)[0]
        return result


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_pods_that_all_answer_are_right_and_nothing_is_done_to_the_host(host: Host) -> None:
    assert host.asked("uid-web")["ok"]
    assert host.commands == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"master": "docker0"}, ": its interface veth2 is not a port of cbr0"),
        ({"master": ""}, ": its interface veth2 is not a port of cbr0"),
        ({"flags": ["BROADCAST"]}, ": its interface veth2 is down"),
        ({"ifname": "other"}, ": its interface veth2 is gone"),
    ],
)
def test_a_silent_pod_is_named_with_what_is_wrong_on_the_host(host: Host, change: Json, reason: str) -> None:
    host.silent = {DNS}
    host.links[2].update(change)
    result = host.asked("uid-web")
    assert (result["ok"], result["error"]) == (False, "lost")
    assert result["detail"] == f"shop/dns ({DNS}){reason}"


def test_a_bridge_that_is_gone_is_named(host: Host) -> None:
    host.silent = {WEB, DNS}
    del host.links[0]
    gone = "the bridge cbr0 is gone"
    assert host.asked("uid-web")["detail"] == f"shop/dns ({DNS}): {gone}; shop/web ({WEB}): {gone}"


def test_a_pod_that_refuses_echo_requests_is_there_when_it_can_be_resolved_anew(host: Host) -> None:
    host.silent, host.neighbours = {DNS}, {DNS}
    assert host.asked("uid-web")["ok"]
    # An older entry would say nothing; those of other pods stay.
    assert host.commands[0] == ("ip", "neighbour", "flush", "to", DNS)
    assert [command for command in host.commands if "flush" in command] == host.commands[:1]


def test_a_pod_that_ends_while_it_is_asked_is_no_failure(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(addresses: set[str], *_: object) -> set[str]:
        host.namespaces[1].unlink(missing_ok=True)
        return addresses - {DNS}

    monkeypatch.setattr(pods, "echo", end)
    assert host.asked("uid-web")["ok"]


@pytest.mark.parametrize("where", ["probes", "processes"])
def test_a_record_that_lacks_a_running_pod_cannot_speak_for_all(host: Host, where: str) -> None:
    if where == "processes":
        host.running.add("uid-old")
    result = host.asked("uid-web", *(["uid-old"] if where == "probes" else []))
    assert (result["ok"], result["error"]) == (False, "record")
    assert result["detail"] == "/var/lib/cni/results lacks pods that run: uid-old"


def test_two_pods_with_one_address_are_named_though_it_answers(host: Host, tmp_path: Path) -> None:
    record(tmp_path, "again", [f"{WEB}/24"])
    result = host.asked("uid-web")
    assert (result["ok"], result["error"]) == (False, "lost")
    assert result["detail"] == f"shop/again and shop/web have one address, {WEB}"


def test_a_pod_without_an_address_of_the_family_is_not_asked_in_it(host: Host, tmp_path: Path) -> None:
    record(tmp_path, "other", ["2001:db8:1::9/64"])
    host.running.add("uid-other")
    assert host.asked("uid-web")["ok"]


def test_many_silent_pods_are_counted(host: Host, tmp_path: Path) -> None:
    for number in range(4):
        record(tmp_path, f"more-{number}", [f"10.200.1.{20 + number}/24"])
    host.silent = {WEB, DNS, *(f"10.200.1.{20 + number}" for number in range(4))}
    shown = host.asked("uid-web")["detail"].split("; ")
    assert [part.split()[0] for part in shown[:3]] == ["shop/dns", "shop/more-0", "shop/more-1"]
    assert shown[3:] == ["3 more"]


def test_the_checksum_is_that_of_the_internet() -> None:
    # The example of RFC 1071, section 3, whose sum is 0xddf2.
    assert pods.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2
    message = bytes.fromhex("08000000beef0001")
    whole = message[:2] + struct.pack(">H", pods.checksum(message)) + message[4:]
    assert pods.checksum(whole) == 0
