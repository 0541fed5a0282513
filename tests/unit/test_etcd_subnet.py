"""The program that keeps a node's subnet in etcd, against a stand-in for etcd's JSON gateway."""

import base64
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/cni_flannel/files/etcd_subnet.py"
SPEC = importlib.util.spec_from_file_location("etcd_subnet", PROGRAM)
assert SPEC
assert SPEC.loader
etcd_subnet: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(etcd_subnet)

CONFIG, SUBNETS = "/coreos.com/network/config", "/coreos.com/network/subnets/"
PLAN = {
    "prefix": "/coreos.com/network",
    "address": "192.0.2.11",
    "subnet": "10.200.1.0-24",
    "taken": {"FLANNEL_SUBNET": "10.200.1.1/24"},
    "network": '{"Network": "10.200.0.0/16"}',
}
OWN = SUBNETS + "10.200.1.0-24"


class Gateway:
    """Keys and values, and how often something was written."""

    def __init__(self, **subnets: str) -> None:
        self.kept = {SUBNETS + name: json.dumps({"PublicIP": address}) for name, address in subnets.items()}
        self.written = 0

    def __call__(self, what: str, question: dict[str, str]) -> dict[str, Any]:
        key, end, value = (
            base64.b64decode(question.get(name, "")).decode() for name in ("key", "range_end", "value")
        )
        found = {one for one in self.kept if (key <= one < end if end else one == key)}
        self.written += what != "range"
        if what == "put":
            self.kept[key] = value
        if what == "deleterange":
            for one in found:
                del self.kept[one]
        return (
            {
                "kvs": [
                    {name: base64.b64encode(text.encode()).decode() for name, text in pair}
                    for pair in ((("key", one), ("value", self.kept[one])) for one in sorted(found))
                ]
            }
            if what == "range" and found
            else {}
        )

    def addresses(self) -> dict[str, str]:
        return {
            key.removeprefix(SUBNETS): json.loads(value)["PublicIP"]
            for key, value in self.kept.items()
            if key != CONFIG
        }


def test_the_network_and_the_planned_subnet_are_there_before_flanneld_looks() -> None:
    gateway = Gateway()
    etcd_subnet.reserve(gateway, PLAN)
    assert gateway.kept == {CONFIG: PLAN["network"], OWN: '{"PublicIP": "192.0.2.11"}'}


def test_what_is_as_planned_is_not_written_again() -> None:
    gateway = Gateway()
    etcd_subnet.reserve(gateway, PLAN)
    gateway.kept[OWN] = '{"PublicIP": "192.0.2.11", "BackendType": "vxlan", "BackendData": {"VNI": 1}}'
    before, gateway.written = dict(gateway.kept), 0
    assert etcd_subnet.reserve(gateway, PLAN) == []
    assert (gateway.kept, gateway.written) == (before, 0)


def test_a_subnet_that_the_node_had_before_goes_and_those_of_others_stay() -> None:
    gateway = Gateway(**{"10.200.7.0-24": "192.0.2.11", "10.200.2.0-24": "192.0.2.12"})
    assert f"removed {SUBNETS}10.200.7.0-24" in etcd_subnet.reserve(gateway, PLAN)
    assert gateway.addresses() == {"10.200.1.0-24": "192.0.2.11", "10.200.2.0-24": "192.0.2.12"}


def test_the_planned_subnet_is_taken_from_whoever_has_it() -> None:
    gateway = Gateway(**{"10.200.1.0-24": "192.0.2.99"})
    etcd_subnet.reserve(gateway, PLAN)
    assert gateway.addresses() == {"10.200.1.0-24": "192.0.2.11"}


def test_a_node_that_goes_takes_its_keys_and_the_last_one_the_network() -> None:
    gateway = Gateway(**{"10.200.2.0-24": "192.0.2.12"})
    etcd_subnet.reserve(gateway, PLAN)
    etcd_subnet.release(gateway, PLAN)
    assert gateway.addresses() == {"10.200.2.0-24": "192.0.2.12"}
    assert CONFIG in gateway.kept
    etcd_subnet.release(gateway, {**PLAN, "address": "192.0.2.12"})
    assert gateway.kept == {}
    assert etcd_subnet.release(gateway, PLAN) == []


def test_a_value_that_is_none_of_flanneld_is_of_nobody() -> None:
    gateway = Gateway()
    gateway.kept = {SUBNETS + "x": "not json", SUBNETS + "y": "[]"}
    etcd_subnet.release(gateway, PLAN)
    assert set(gateway.kept) == {SUBNETS + "x", SUBNETS + "y"}


def test_a_flanneld_that_took_another_subnet_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "subnet.env"
    file.write_text("FLANNEL_NETWORK=10.200.0.0/16\nFLANNEL_SUBNET=10.200.1.1/24\nFLANNEL_MTU=1450\n")
    assert etcd_subnet.check(str(file), PLAN) == []
    file.write_text("FLANNEL_SUBNET=10.200.9.1/24\n")
    with pytest.raises(etcd_subnet.EtcdError, match=r"took .*10\.200\.9\.1/24.*planned is .*10\.200\.1\.1"):
        etcd_subnet.check(str(file), PLAN)


def test_an_etcd_that_comes_up_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd_subnet.time, "sleep", lambda _: None)
    answers = iter([etcd_subnet.EtcdError("refused"), etcd_subnet.EtcdError("refused"), ["done"]])

    def what() -> list[str]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    assert etcd_subnet.patiently(what, 60) == ["done"]
    with pytest.raises(etcd_subnet.EtcdError, match="refused"):
        etcd_subnet.patiently(lambda: (_ for _ in ()).throw(etcd_subnet.EtcdError("refused")), 0)
