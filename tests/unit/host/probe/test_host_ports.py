"""Host ports of the pods that run, asked where a test listens."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from flatnet.check.model import Json
from flatnet.host.probe import host_ports
from flatnet.host.probe.answers import NoAnswerError
from flatnet.host.probe.host_ports import EVERY_HOST_PORT, ask_running_host_ports
from flatnet.host.probe.pods import _pod

_HOW: Json = {"family": "ipv4", "address": "127.0.0.1"}


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free: int = server.getsockname()[1]
    return free


def _running(monkeypatch: pytest.MonkeyPatch, **mapping: object) -> None:
    """Let one pod run, whose own address is the tests'."""
    usual = {"protocol": "tcp", "address": ""}
    pod = {
        "name": "shop/web",
        "addresses": [ip_address("127.0.0.1")],
        "host_ports": [{**usual, **mapping}],
    }
    monkeypatch.setattr(host_ports, "recorded_pods", lambda: [pod])


def test_a_host_port_that_leads_to_its_pod_answers(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    _running(monkeypatch, host=port, container=port)
    assert ask_running_host_ports(_HOW, 1) == EVERY_HOST_PORT


def test_a_host_port_without_its_rules_is_named_with_its_pod(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    closed = _closed()
    _running(monkeypatch, host=closed, container=port)
    with pytest.raises(NoAnswerError) as lost:
        ask_running_host_ports(_HOW, 1)
    assert (lost.value.kind, str(lost.value)) == ("lost", f"shop/web: 127.0.0.1 port {closed}")


@pytest.mark.parametrize("changes", [{"container": _closed()}, {"protocol": "udp"}, {"address": "::1"}])
def test_what_brings_no_proof_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, port: int, changes: dict[str, Any]
) -> None:
    _running(monkeypatch, **{"host": _closed(), "container": port, **changes})
    assert ask_running_host_ports(_HOW, 1) == EVERY_HOST_PORT


def test_mappings_are_read_from_what_the_cni_library_keeps() -> None:
    record = {
        "netns": "/proc/self/ns/net",
        "cniArgs": [["K8S_POD_UID", "u"], ["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", "web"]],
        "capabilityArgs": {
            "portMappings": [
                {"hostPort": 8989, "containerPort": 80, "protocol": "TCP", "hostIP": "::"},
                {"HostPort": 53, "ContainerPort": 53, "Protocol": "udp", "HostIP": "192.0.2.11"},
            ]
        },
        "result": {"ips": [{"address": "10.200.1.7/24"}]},
    }
    assert _pod(record)["host_ports"] == [
        {"host": 8989, "container": 80, "protocol": "tcp", "address": ""},
        {"host": 53, "container": 53, "protocol": "udp", "address": "192.0.2.11"},
    ]
