"""Connections out of a pod's network, and checks whose right answer is that none comes."""

import ast
import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flatnet.check.model import SILENCE, Json
from flatnet.host.probe import checks, connect


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        body = f"{self.client_address[0]}:{self.client_address[1]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(autouse=True)
def own_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make sockets in the network that the tests have: to enter another takes root."""
    monkeypatch.setattr(connect, "in_network_of", lambda _, make: make())
    monkeypatch.setattr(connect, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(connect, "_RESEND_SECONDS", 0.1)
    monkeypatch.setattr(connect, "_RUN", tmp_path)
    monkeypatch.setattr(checks, "pod_processes", lambda uids: dict.fromkeys(uids, 4711))


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def _udp(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def _closed() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


def _make(port: int, expected: list[str], seconds: float = 0, **how: str) -> Json:
    question: Json = {
        "method": "connect",
        "pod_uid": "u",
        "host": "127.0.0.1",
        "port": port,
        "transport": "tcp",
        **how,
    }
    check = {"id": "x", "how": question, "reads": "source", "expected": expected, "family": "ipv4"}
    result: Json = checks.run([check], attempt_seconds=0.3, deadline_seconds=seconds)[0]
    return result


def test_a_connection_says_which_source_its_target_saw(port: int) -> None:
    result = _make(port, ["127.0.0.1"])
    assert (result["ok"], result["observed"], result["error"]) == (True, "127.0.0.1", "")


def test_a_refusal_is_silence_and_takes_one_attempt() -> None:
    result = _make(_closed(), list(SILENCE), seconds=5)
    assert (result["ok"], result["observed"], result["tries"]) == (True, "refused", 1)
    # And the same is wrong where an answer was promised.
    assert _make(_closed(), ["127.0.0.1"])["error"] == "refused"


def test_only_the_kind_of_silence_that_was_promised_is_right() -> None:
    assert not _make(_closed(), ["no answer"])["ok"]


def test_what_answers_although_nothing_should_is_asked_until_the_deadline(port: int) -> None:
    result = _make(port, list(SILENCE), seconds=0.6)
    assert (result["ok"], result["observed"], result["error"]) == (False, "127.0.0.1", "")
    assert result["tries"] > 1


def test_datagrams_are_sent_again_before_their_loss_is_silence() -> None:
    seen = []

    def listen(server: socket.socket) -> None:
        server.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while True:
                seen.append(server.recv(100))

    with _udp(listen) as port:
        result = _make(port, list(SILENCE), transport="udp")
    assert (result["ok"], result["observed"], result["tries"]) == (True, "no answer", 1)
    assert seen.count(b"clientip") >= 3


def test_a_lost_datagram_is_made_good_by_the_next() -> None:
    def answer_the_second(server: socket.socket) -> None:
        server.recvfrom(100)
        _, client = server.recvfrom(100)
        server.sendto(f"{client[0]}:{client[1]}".encode(), client)

    with _udp(answer_the_second) as port:
        assert _make(port, ["127.0.0.1"], transport="udp")["observed"] == "127.0.0.1"


def test_an_icmp_error_is_told_from_a_refusal_and_from_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Prohibited(socket.socket):
        def connect(self, _: object) -> None:
            raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(socket, "socket", _Prohibited)
    assert _make(1, ["unreachable"])["observed"] == "unreachable"


def test_a_pod_that_is_not_there_proves_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "pod_processes", lambda _: {})
    result = _make(_closed(), list(SILENCE))
    assert (result["ok"], result["error"]) == (False, "source")


def test_a_connection_is_kept_and_still_answers_after_a_change(port: int) -> None:
    assert _make(port, ["127.0.0.1"], hold="keep")["ok"]
    result = _make(port, ["127.0.0.1"], hold="use")
    assert (result["ok"], result["observed"]) == (True, "127.0.0.1")


def test_a_kept_connection_that_broke_is_silence(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _OneAnswer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        port = server.server_address[1]
        assert _make(port, ["127.0.0.1"], hold="keep")["ok"]
        server.shutdown()
        thread.join()
    held = tmp_path / "flatnet-check-127.0.0.1.json"
    end = time.monotonic() + 5
    while time.monotonic() < end and 'error": ""' in (held.read_text() if held.exists() else 'error": ""'):
        time.sleep(0.05)
    result = _make(port, ["127.0.0.1"], hold="use")
    assert (result["ok"], result["error"]) == (False, "timeout")
    assert "the connection from before the change" in result["detail"]
    assert not held.exists()


class _OneAnswer(_Server):
    def do_GET(self) -> None:
        super().do_GET()
        self.close_connection = True


def test_without_a_kept_connection_nothing_is_proven() -> None:
    assert _make(1, ["127.0.0.1"], hold="use")["error"] == "source"


def test_what_holds_a_connection_needs_no_more_than_python_3_9() -> None:
    assert ast.parse(connect._HOLDER, feature_version=(3, 9)).body
