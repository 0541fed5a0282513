"""How many of many packets between two pods get lost, told by the kernels at both ends.

Echo requests leave the network of a pod here and the kernel of the other node answers for the pod there, so
that no program that is slow to read counts as loss.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Collection, Sequence

from .answers import Json, NoAnswerError
from .connect import in_network_of
from .pods import checksum

# Type of an echo request and of its reply (RFC 792; RFC 4443, section 4).
_ECHO = {4: (8, 0), 6: (128, 129)}
# Headers before the payload of an echo: those of IP, and 8 of ICMP.
_HEADERS = {4: 28, 6: 48}
# What a program forwards, such as flanneld in mode udp, waits in a small buffer while a busy machine runs
# others: a burst finds no room there, and says nothing of the way.
_PER_SECOND, _SLOWLY_PER_SECOND = 1000, 200
# More would not keep the pace; what a host sends at once is bounded.
_AT_ONCE = threading.Semaphore(8)
# So many packets without an answer may be on the way, and for so long do they count as that: what a program
# forwards is dropped where more of them wait than its queue takes, with the packets of all others.
_WAITING, _WAITING_SECONDS = 3, 0.1
# SO_RCVBUFFORCE of asm-generic/socket.h, which Python has no name for.
_FORCED_RECEIVE_BUFFER = 33
_LAST_ANSWER_SECONDS = 1.0
# Who has not answered by then is not asked any further.
_SILENT_SECONDS = 0.5
# Values of linux/in.h and linux/in6.h that Python has no names for: never fragment, whatever a route says.
_DO_NOT_FRAGMENT = {4: (socket.IPPROTO_IP, 10, 3), 6: (socket.IPPROTO_IPV6, 23, 3)}


def ask_loss(how: Json, seconds: float) -> str:
    """Return "N of M packets lost".

    how: host, packets, bytes (whole size of each with its headers, 0 for small ones), process; slowly,
    whether to take five times as long.
    Raises NoAnswerError: of the kind "source" where the pod is not there, "timeout" where all are lost.
    """
    del seconds
    if not how.get("process"):
        raise NoAnswerError("source", f"no process of pod {how['pod_uid']} runs here")
    version = 6 if ":" in how["host"] else 4
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
    try:
        connection = in_network_of(
            int(how["process"]), lambda: socket.socket(family, socket.SOCK_RAW, protocol)
        )
    except OSError as error:
        raise NoAnswerError(
            "source", f"the network of pod {how['pod_uid']} cannot be entered: {error}"
        ) from error
    with connection, _AT_ONCE:
        # Room for all answers, and none for those of others: what finds no room would count as lost.
        connection.setsockopt(socket.SOL_SOCKET, _FORCED_RECEIVE_BUFFER, 4 << 20)
        with contextlib.suppress(OSError):
            connection.connect((how["host"], 0))
        if how["bytes"]:
            level, name, value = _DO_NOT_FRAGMENT[version]
            connection.setsockopt(level, name, value)
        # Of an even length, as the checksum takes it.
        payload = max(how["bytes"] - _HEADERS[version], 24) & ~1
        interval = 1 / (_SLOWLY_PER_SECOND if how.get("slowly") else _PER_SECOND)
        answered = _exchange(connection, (how["host"], how["packets"], payload), version, interval)
    lost = how["packets"] - answered
    if not answered:
        raise NoAnswerError("timeout", f"none of {how['packets']} packets to {how['host']} was answered")
    return f"{lost} of {how['packets']} packets lost"


def _exchange(connection: socket.socket, what: tuple[str, int, int], version: int, interval: float) -> int:
    """Send that many echo requests, one per interval at most, and return how many were answered."""
    host, packets, payload = what
    request, reply = _ECHO[version]
    identity = os.urandom(2)
    answered: set[int] = set()
    sent: list[float] = []
    began = due = time.monotonic()
    for number in range(packets):
        message = struct.pack(">BBH2sH", request, 0, 0, identity, number) + bytes(payload)
        if version == 4:
            # Of ICMPv6 the kernel makes the checksum (RFC 3542, section 3.1).
            message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
        # Where there is no way, or a packet is too large for it, no answer comes.
        with contextlib.suppress(OSError):
            connection.sendto(message, (host, 0))
        sent.append(time.monotonic())
        due += interval
        _read(connection, answered, (reply, identity), due)
        latest = sent[-1] + 1 / _SLOWLY_PER_SECOND
        while _is_far_ahead(sent, answered) and time.monotonic() < latest:
            due = min(time.monotonic() + interval, latest)
            _read(connection, answered, (reply, identity), due)
        if not answered and time.monotonic() > began + _SILENT_SECONDS:
            break
    end = time.monotonic() + _LAST_ANSWER_SECONDS
    while len(answered) < packets and time.monotonic() < end:
        _read(connection, answered, (reply, identity), min(end, time.monotonic() + 0.05))
    return len(answered)


def _is_far_ahead(sent: Sequence[float], answered: Collection[int]) -> bool:
    """Return whether so many of the newest packets wait for an answer that more would fill queues.

    sent: when which packet was. What was sent long ago waits nowhere any more.
    """
    late = time.monotonic() - _WAITING_SECONDS
    newest = range(len(sent) - 1, max(len(sent) - 1 - 4 * _WAITING, -1), -1)
    return sum(number not in answered and sent[number] > late for number in newest) >= _WAITING


def _read(connection: socket.socket, answered: set[int], expected: tuple[int, bytes], until: float) -> None:
    """Take what answers come until then; at least those that are there."""
    reply, identity = expected
    while select.select([connection], [], [], max(until - time.monotonic(), 0))[0]:
        try:
            packet = connection.recv(65536)
        except OSError:
            # What a host on the way answers, such as that a packet is too large for it, brings none.
            if time.monotonic() >= until:
                return
            continue
        # A raw socket of IPv4 brings the header along; its length counts words of 4 bytes (RFC 791).
        body = packet[(packet[0] & 15) * 4 :] if connection.family == socket.AF_INET else packet
        if len(body) >= 8 and body[0] == reply and body[4:6] == identity:
            answered.add(struct.unpack(">H", body[6:8])[0])
        if time.monotonic() >= until:
            return
