"""How long an interruption is, and that it is measured for as long as the run is there."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flatnet.switch import meter
from flatnet.switch.interruption import Attempt, interruption, told
from flatnet.switch.meter import attempts_of, is_answered, measure, start, stop
from flatnet.switch.probe import probe_objects, targets


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        ("1111", 0.0),
        ("1100011", 3.0),
        ("10101", 3.0),
        ("0000", None),
        ("0011", 0.0),
        ("00110011", 2.0),
        ("0010", None),
        ("1100", None),
        ("", None),
    ],
)
def test_an_interruption_lasts_from_the_first_failure_to_the_end_of_failures(
    answers: str, seconds: float | None
) -> None:
    attempts = [Attempt(float(index), answer == "1") for index, answer in enumerate(answers)]
    assert interruption(attempts) == seconds


def test_it_is_told_in_seconds_and_what_was_not_measured_as_that() -> None:
    assert told({"pods": None, "outside": 7.25}, 0.5) == (
        "Interruption, to within 0.5 s: from outside to a NodePort 7.2 s, from pod to pod of another node "
        "not measured"
    )


class _Probe(BaseHTTPRequestHandler):
    answers: tuple[int, bytes] = (200, b"{}")

    def do_GET(self) -> None:
        code, body = self.answers
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(name="server")
def serve() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Probe)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "code", "body", "answered"),
    [
        ("/clientip", 200, b"192.0.2.1", True),
        ("/clientip", 500, b"", False),
        ("/dial?host=x", 200, b'{"responses": ["far"]}', True),
        ("/dial?host=x", 200, b'{"errors": ["timeout"]}', False),
        ("/dial?host=x", 200, b"not JSON", False),
    ],
)
def test_an_answer_is_one_of_the_pod_that_is_meant(
    server: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    code: int,
    body: bytes,
    answered: bool,
) -> None:
    monkeypatch.setattr(_Probe, "answers", (code, body))
    assert is_answered(f"http://127.0.0.1:{server.server_port}{path}") is answered


def test_nobody_there_is_no_answer() -> None:
    assert not is_answered("http://127.0.0.1:1/clientip")


def test_the_objects_lead_to_the_near_pod_and_behind_it() -> None:
    objects = probe_objects(["node-1", "node-2", "node-3"], "agnhost")
    assert [one["kind"] for one in objects] == ["Namespace", "Service", "Service", "Pod", "Pod"]
    assert [one["spec"]["nodeName"] for one in objects[3:]] == ["node-1", "node-2"]
    objects[1]["spec"]["ports"][0]["nodePort"] = 30123
    objects[2]["spec"]["clusterIP"] = "10.32.0.9"
    assert targets(objects, "192.0.2.11") == {
        "outside": "http://192.0.2.11:30123/clientip",
        "pods": "http://192.0.2.11:30123/dial?host=10.32.0.9&port=8080&request=hostname&protocol=http&tries=1",
    }
    assert targets(objects, "2001:db8::1")["outside"] == "http://[2001:db8::1]:30123/clientip"


def test_one_node_has_both_pods() -> None:
    assert [one["spec"]["nodeName"] for one in probe_objects(["node-1"], "agnhost")[3:]] == [
        "node-1",
        "node-1",
    ]


def test_a_measurement_ends_with_its_file_and_tells_the_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "INTERVAL_SECONDS", 0.01)
    (tmp_path / "targets.json").write_text(json.dumps({"targets": {"outside": "u"}, "run": os.getpid()}))
    answers = iter([True, True, False, False, True])
    done = threading.Event()

    def ask(_: str) -> bool:
        answer = next(answers, None)
        if answer is None:
            done.set()
        return answer is not False

    thread = threading.Thread(target=measure, args=(tmp_path, ask))
    thread.start()
    assert done.wait(10)
    measured = stop(tmp_path, 5)
    thread.join(10)
    assert not thread.is_alive()
    assert [one.answered for one in attempts_of(tmp_path)["outside"]][:5].count(False) == 2
    assert 0 < (measured["outside"] or 0) < 2


def test_a_measurement_ends_with_its_run(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    (tmp_path / "targets.json").write_text(json.dumps({"targets": {"outside": "u"}, "run": child}))
    measure(tmp_path, lambda _: True)
    assert attempts_of(tmp_path) == {}


def test_the_process_measures_by_itself(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    way = {"outside": f"http://127.0.0.1:{server.server_port}/clientip"}
    start(tmp_path, way, os.getpid(), 10)
    assert attempts_of(tmp_path)["outside"][0].answered
    assert stop(tmp_path, 5) == {"outside": 0.0}


def test_a_measurement_begins_when_the_way_is_open(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_Probe, "answers", (503, b""))
    threading.Timer(1.2, lambda: monkeypatch.setattr(_Probe, "answers", (200, b""))).start()
    way = {"outside": f"http://127.0.0.1:{server.server_port}/clientip"}
    start(tmp_path, way, os.getpid(), 10)
    assert [one.answered for one in attempts_of(tmp_path)["outside"]][-1:] == [True]
    assert stop(tmp_path, 5) == {"outside": 0.0}
