import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from flatnet.check.model import Json
from flatnet.host.probe import checks, host


class _Answers(BaseHTTPRequestHandler):
    """What a probe pod answers; /dial as agnhost 2.x words it."""

    failures = 0

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        status, body = 200, ""
        if path == "/clientip":
            body = "{}:{}".format(*self.client_address[:2])
        elif path == "/masqueraded":
            body = "192.0.2.99:4711"
        elif path == "/flaky":
            type(self).failures += 1
            status, body = (503, "not yet") if type(self).failures < 3 else (200, "ready")
        elif path == "/slow":
            time.sleep(10)
        elif path == "/dial":
            status, body = self._dial({key: values[0] for key, values in query.items()})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def _dial(self, query: dict[str, str]) -> tuple[int, str]:
        answers = {
            "10.200.1.10": '{"responses":["10.200.0.11:40892"]}',
            "10.200.2.10": '{"errors":["Get \\"http://10.200.2.10:8080/clientip\\": '
            'dial tcp 10.200.2.10:8080: connect: connection refused"]}',
            "10.200.3.10": '{"errors":["Get \\"http://10.200.3.10:8080/clientip\\": '
            'dial tcp 10.200.3.10:8080: connect: no route to host"]}',
            "10.200.4.10": '{"errors":["reading from udp connection failed. err:\'read udp '
            "10.200.0.11:36068-\\u003e10.200.4.10:8081: i/o timeout'\"]}",
        }
        if query["request"].startswith("echo?msg="):
            return 200, json.dumps({"responses": [query["request"].removeprefix("echo?msg=")]})
        if query["host"] == "missing":
            return 400, "host and/or port param are invalid. lookup missing on 10.32.0.10:53: no such host\n"
        if query["host"] == "10.200.5.10":
            time.sleep(10)
        return 200, answers.get(query["host"], "{}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that did not wait for the answer: that is what is tested."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with _Server(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def _make(how: Json, expected: list[str], reads: str = "source", seconds: float = 0.3) -> Json:
    check = {"id": "x", "how": how, "reads": reads, "expected": expected, "family": "ipv4"}
    result: Json = checks.run([check], attempt_seconds=0.5, deadline_seconds=seconds)[0]
    return result


def _http(port: int, path: str) -> Json:
    return {"method": "http", "host": "127.0.0.1", "port": port, "path": path}


def _dial(port: int, host: str, **more: object) -> Json:
    via = {"method": "dial", "via": "127.0.0.1", "via_port": port, "host": host, "port": 8080}
    return {**via, "request": "clientip", "protocol": "http", **more}


def test_the_source_that_the_server_saw_is_right(port: int) -> None:
    result = _make(_http(port, "clientip"), ["127.0.0.1"])
    assert (result["ok"], result["observed"], result["error"], result["tries"]) == (True, "127.0.0.1", "", 1)


def test_a_masqueraded_answer_is_a_failure_however_often_it_comes(port: int) -> None:
    result = _make(_http(port, "masqueraded"), ["127.0.0.1"])
    assert (result["ok"], result["observed"], result["error"]) == (False, "192.0.2.99", "")
    assert result["tries"] == 2


def test_a_check_that_comes_right_in_time_says_how_many_tries_it_took(port: int) -> None:
    _Answers.failures = 0
    result = _make(_http(port, "flaky"), ["ready"], "text", seconds=3)
    assert (result["ok"], result["tries"], result["error"], result["detail"]) == (True, 3, "", "")


def test_the_true_source_can_be_what_another_server_sees(port: int) -> None:
    seen = {**_http(port, "masqueraded"), "reference": _http(port, "clientip")}
    result = _make(seen, ["reference"])
    assert (result["ok"], result["expected"], result["observed"]) == (False, ["127.0.0.1"], "192.0.2.99")


@pytest.mark.parametrize(
    ("host", "error", "words"),
    [
        ("10.200.2.10", "refused", "connection refused"),
        ("10.200.3.10", "unreachable", "no route to host"),
        ("10.200.4.10", "timeout", "i/o timeout"),
        ("10.200.5.10", "timeout", "the pod got no answer from 10.200.5.10 port 8080 within 0.5 s"),
        ("10.200.6.10", "failed", "empty answer"),
        ("missing", "name", "lookup missing on 10.32.0.10:53: no such host"),
    ],
)
def test_what_stopped_a_pods_own_request_is_told_apart(port: int, host: str, error: str, words: str) -> None:
    result = _make(_dial(port, host), ["10.200.0.11"], seconds=0)
    assert (result["ok"], result["error"], result["observed"]) == (False, error, "")
    assert words in result["detail"]


def test_a_pods_answer_is_what_its_peer_saw(port: int) -> None:
    result = _make(_dial(port, "10.200.1.10"), ["10.200.0.11"])
    assert (result["ok"], result["observed"]) == (True, "10.200.0.11")


def test_a_probe_pod_that_is_not_reached_is_not_blamed_on_its_target() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        result = _make(_dial(unused.getsockname()[1], "10.200.1.10"), ["10.200.0.11"], seconds=0)
    assert (result["error"], result["observed"]) == ("source", "")


def test_large_answers_are_compared_byte_by_byte(port: int) -> None:
    whole = _make(_dial(port, "10.200.1.10", request="echo", bytes=8000), ["8000 bytes"], "length")
    assert (whole["ok"], whole["observed"]) == (True, "8000 bytes")
    check = {"reads": "length", "how": {"bytes": 5}}
    assert checks.observed_of("xxxx", check) == "4 bytes, damaged"
    assert checks.observed_of("xxxxy", check) == "5 bytes, damaged"


def test_an_answer_that_takes_too_long_is_given_up(port: int) -> None:
    started = time.monotonic()
    result = _make(_http(port, "slow"), ["x"], "text", seconds=0)
    assert (result["error"], result["tries"]) == ("timeout", 1)
    assert time.monotonic() - started < 9


def test_many_failing_checks_cost_no_more_than_one(port: int) -> None:
    check = {
        "how": _http(port, "masqueraded"),
        "reads": "source",
        "expected": ["127.0.0.1"],
        "family": "ipv4",
    }
    started = time.monotonic()
    results = checks.run([{**check, "id": str(number)} for number in range(40)], deadline_seconds=0.5)
    assert [result["id"] for result in results] == [str(number) for number in range(40)]
    # One after the other they would take 20 s.
    assert time.monotonic() - started < 10


def test_after_the_total_time_every_check_still_gets_one_attempt(port: int) -> None:
    check = {
        "how": _http(port, "masqueraded"),
        "reads": "source",
        "expected": ["127.0.0.1"],
        "family": "ipv4",
    }
    many = [{**check, "id": str(number)} for number in range(6)]
    results = checks.run(many, deadline_seconds=5, total_seconds=0, threads=1)
    assert [result["tries"] for result in results] == [1] * 6


def test_what_cannot_be_made_is_not_attempted() -> None:
    result = _make({"method": "none", "reason": "there is no server pod on node-2"}, ["x"], seconds=5)
    assert (result["error"], result["detail"], result["tries"]) == (
        "none",
        "there is no server pod on node-2",
        1,
    )


def test_data_is_judged_without_traffic() -> None:
    assert _make({"method": "data", "observed": "10.200.0.10"}, ["10.200.0.10"], "text")["ok"]
    result = _make({"method": "data", "observed": "10.88.0.5"}, ["10.200.0.0/24"], "text", seconds=5)
    assert (result["ok"], result["observed"], result["tries"]) == (False, "10.88.0.5", 1)


def test_an_expected_device_stands_for_its_address(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    address = {"family": "inet", "local": "10.200.0.10", "scope": "global"}
    links = [{"ifname": "eth0", "addr_info": [address]}]
    monkeypatch.setattr(host, "run_program", lambda *_: json.dumps(links))
    result = _make(_http(port, "clientip"), ["device:eth0"], seconds=0)
    assert (result["ok"], result["expected"], result["observed"]) == (False, ["10.200.0.10"], "127.0.0.1")
