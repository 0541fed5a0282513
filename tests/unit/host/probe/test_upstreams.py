"""Servers that DNS forwards to: any answer will do, and the silent ones are named."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatnet.check.model import Json
from flatnet.host.probe import upstreams
from flatnet.host.probe.answers import NoAnswerError
from flatnet.host.probe.upstreams import EVERY_UPSTREAM, ask_upstreams, nameservers


class _Refuses(socketserver.BaseRequestHandler):
    """Does not hear the first question, and refuses to answer the others."""

    heard = 0

    def handle(self) -> None:
        type(self).heard += 1
        query, connection = self.request
        if self.heard > 1:
            connection.sendto(b"\0\0" + query[2:], self.client_address)
            connection.sendto(query[:3] + b"\x05" + query[4:], self.client_address)


@pytest.fixture(autouse=True)
def own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sockets in the network that the tests have: to enter another takes root."""
    monkeypatch.setattr(upstreams, "in_network_of", lambda _, make: make())


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(_Refuses, "heard", 0)
    with socketserver.UDPServer(("127.0.0.1", 0), _Refuses) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(*servers: tuple[str, int, str], seconds: float = 0.6, family: str = "ipv4") -> str:
    entries: list[Json] = [
        {"text": f"{address}:{port}", "address": address, "port": port, "transport": transport}
        for address, port, transport in servers
    ]
    how = {"servers": entries, "name": "example.com", "family": family, "process": 1, "pod_uid": "x"}
    return ask_upstreams(how, seconds)


def test_one_that_refuses_is_there(port: int) -> None:
    assert ask(("127.0.0.1", port, "udp")) == EVERY_UPSTREAM


def test_the_silent_ones_are_named_and_no_others(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        mute = silent.getsockname()[1]
        with pytest.raises(NoAnswerError, match=f"^127.0.0.1:{mute}$") as caught:
            ask(("127.0.0.1", port, "udp"), ("127.0.0.1", mute, "udp"))
    assert caught.value.kind == "lost"
    # Nobody has the port now.
    with pytest.raises(NoAnswerError, match=f"^127.0.0.1:{mute}$"):
        ask(("127.0.0.1", mute, "udp"))


def test_one_that_is_asked_over_tls_need_only_take_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listening = server.getsockname()[1]
        assert ask(("127.0.0.1", listening, "tcp")) == EVERY_UPSTREAM
    with pytest.raises(NoAnswerError, match=str(listening)):
        ask(("127.0.0.1", listening, "tcp"))


def test_servers_of_the_other_family_are_not_asked() -> None:
    assert ask(("127.0.0.1", 1, "udp"), family="ipv6") == EVERY_UPSTREAM


def test_the_nodes_own_file_is_read_past_its_stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("search example.com\nnameserver 127.0.0.53\n")
    real.write_text("# nobody\nnameserver\nnameserver 192.0.2.53\nnameserver ::1\noptions ndots:5\n")
    assert nameservers((str(stub), str(tmp_path / "none"), str(real))) == ["192.0.2.53"]
    assert nameservers((str(stub),)) == []
    monkeypatch.setattr(upstreams, "nameservers", lambda: ["127.0.0.9"])
    with pytest.raises(NoAnswerError, match=r"^127\.0\.0\.9$"):
        ask(("", 53, "udp"), seconds=0.3)


def test_without_the_pod_nobody_is_asked() -> None:
    with pytest.raises(NoAnswerError) as caught:
        ask_upstreams({"servers": [], "name": "x", "family": "ipv4", "process": None, "pod_uid": "x"}, 1)
    assert caught.value.kind == "source"
