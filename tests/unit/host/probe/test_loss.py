"""Lost packets, counted on a connection of the tests; echo requests themselves take root."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flatnet.check.model import Json
from flatnet.host.probe import checks, loss
from flatnet.host.probe.answers import NoAnswerError
from flatnet.host.probe.pods import checksum

_REPLY_HEADER = bytes([0x45]) + bytes(19)


class _Echo(socket.socket):
    """Stands for a raw socket and a peer that answers all echo requests but some."""

    lost: frozenset[int] = frozenset()
    options: tuple[tuple[int, ...], ...] = ()

    def __init__(self, *_: int) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        super().__init__(fileno=self.near.detach())
        self.seen: list[bytes] = []

    @property
    def family(self) -> int:  # type: ignore[override]
        return socket.AF_INET

    def setsockopt(self, *option: int) -> None:  # type: ignore[override]
        type(self).options = (*type(self).options, option)

    def connect(self, _: object) -> None:
        """Take nothing from others; there are none."""

    def sendto(self, message: bytes, _: object) -> int:  # type: ignore[override]
        assert checksum(message) == 0
        self.seen.append(message)
        number = struct.unpack(">H", message[6:8])[0]
        if number not in self.lost:
            self.far.send(_REPLY_HEADER + b"\0" + message[1:])
        return len(message)

    def close(self) -> None:
        self.far.close()
        super().close()


@contextmanager
def _losing(monkeypatch: pytest.MonkeyPatch, numbers: set[int]) -> Iterator[None]:
    monkeypatch.setattr(_Echo, "lost", frozenset(numbers))
    monkeypatch.setattr(_Echo, "options", ())
    monkeypatch.setattr(loss, "in_network_of", lambda _, __: _Echo())
    monkeypatch.setattr(loss, "_PER_SECOND", 100_000)
    monkeypatch.setattr(loss, "_SLOWLY_PER_SECOND", 50_000)
    monkeypatch.setattr(loss, "_LAST_ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(checks, "pod_processes", lambda uids: dict.fromkeys(uids, 4711))
    yield


def _make(packets: int = 200, size: int = 0) -> Json:
    how = {"method": "loss", "pod_uid": "u", "host": "10.200.1.10", "packets": packets, "bytes": size}
    expected = [f"{lost} of {packets} packets lost" for lost in range(3)]
    check = {"id": "x", "how": how, "reads": "text", "expected": expected, "family": "ipv4"}
    result: Json = checks.run([check], deadline_seconds=5)[0]
    return result


def test_a_way_that_loses_nothing_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    with _losing(monkeypatch, set()):
        result = _make()
    assert (result["ok"], result["observed"]) == (True, "0 of 200 packets lost")


def test_one_in_a_hundred_is_seen_and_measured_once_more_at_a_slower_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _losing(monkeypatch, {7, 60, 61, 199}):
        result = _make()
    assert (result["ok"], result["observed"], result["tries"]) == (False, "4 of 200 packets lost", 2)


def test_what_only_a_burst_loses_is_no_loss_and_was_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    paces: list[bool] = []

    def ask(how: Json, _: float) -> str:
        paces.append(bool(how.get("slowly")))
        return "0 of 200 packets lost" if paces[-1] else "16 of 200 packets lost"

    monkeypatch.setitem(checks.METHODS, "loss", ask)
    with _losing(monkeypatch, set()):
        result = _make()
    assert (result["ok"], result["observed"], result["tries"]) == (True, "0 of 200 packets lost", 2)
    assert paces == [False, True]


def test_a_burst_that_is_lost_as_a_whole_is_measured_once_more_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask(how: Json, _: float) -> str:
        if how.get("slowly"):
            return "0 of 20 packets lost"
        raise NoAnswerError("timeout", "none of 20 packets to 10.200.1.10 was answered")

    monkeypatch.setitem(checks.METHODS, "loss", ask)
    with _losing(monkeypatch, set()):
        result = _make(20)
    assert (result["ok"], result["observed"], result["tries"]) == (True, "0 of 20 packets lost", 2)


def test_who_does_not_answer_at_all_is_not_asked_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(_Echo, "close", lambda self: sent.append(len(self.seen)))
    with _losing(monkeypatch, set(range(1000))):
        monkeypatch.setattr(loss, "_SILENT_SECONDS", 0.05)
        monkeypatch.setattr(loss, "_PER_SECOND", 1000)
        monkeypatch.setattr(loss, "_SLOWLY_PER_SECOND", 200)
        result = _make(1000)
    assert (result["ok"], result["error"], result["tries"]) == (False, "timeout", 2)
    assert max(sent) < 200


def test_no_more_are_under_way_than_a_queue_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Slow(_Echo):
        """Answers a packet only when fifteen others have come after it."""

        def sendto(self, message: bytes, _: object) -> int:  # type: ignore[override]
            self.seen.append(message)
            number = struct.unpack(">H", message[6:8])[0]
            for late in (number - 15,) if number < 199 else range(184, 200):
                if late >= 0:
                    self.far.send(_REPLY_HEADER + b"\0" + self.seen[late][1:])
            return len(message)

    with _losing(monkeypatch, set()):
        monkeypatch.setattr(loss, "in_network_of", lambda _, __: _Slow())
        monkeypatch.setattr(loss, "_WAITING_SECONDS", 60)
        began = time.monotonic()
        assert _make()["observed"] == "0 of 200 packets lost"
        at_pace = time.monotonic() - began
        monkeypatch.setattr(loss, "_WAITING", 15)
        monkeypatch.setattr(loss, "_SLOWLY_PER_SECOND", 1000)
        assert _make()["observed"] == "0 of 200 packets lost"
        # 186 of them had to wait for their turn.
        assert time.monotonic() - began - at_pace > 0.18 > at_pace


def test_what_a_busy_machine_may_drop_is_told_and_not_held_against_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _losing(monkeypatch, {7}):
        result = _make()
    assert (result["ok"], result["observed"]) == (True, "1 of 200 packets lost")


def test_when_nothing_is_answered_there_is_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with _losing(monkeypatch, set(range(20))):
        result = _make(20)
    assert (result["ok"], result["error"], result["tries"]) == (False, "timeout", 2)
    assert result["detail"] == "none of 20 packets to 10.200.1.10 was answered"


def test_full_sized_packets_have_the_size_of_the_mtu_and_are_never_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(_Echo, "close", lambda self: sizes.extend(len(message) for message in self.seen))
    with _losing(monkeypatch, set()):
        _make(3, size=1450)
        assert (socket.IPPROTO_IP, 10, 3) in _Echo.options
    # The header of IP is the kernel's.
    assert sizes == [1430] * 3


def test_a_pod_that_is_not_there_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with _losing(monkeypatch, set()):
        monkeypatch.setattr(checks, "pod_processes", lambda _: {})
        assert _make()["error"] == "source"
