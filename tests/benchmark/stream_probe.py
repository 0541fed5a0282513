"""One end of a TCP stream, and of bytes there and back: what tests/benchmark/throughput.py runs on hosts.

Standard library, Python 3.9. `serve PORT` says `ready`, answers two connections and ends. `ask ADDRESS PORT
SECONDS TIMES` opens them, and prints megabits a second of a stream and the median of microseconds that one
byte takes there and back, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import statistics
import sys
import time

BLOCK = 1 << 16
# What nobody answers within this is broken.
PATIENCE = 30


def serve(port: int) -> None:
    """Answer one stream, and then one connection of bytes."""
    with socket.create_server(("0.0.0.0", port)) as listener:  # noqa: S104 - whoever the network lets
        listener.settimeout(PATIENCE)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        with listener.accept()[0] as stream:
            stream.settimeout(PATIENCE)
            _swallow(stream)
        with listener.accept()[0] as echo:
            echo.settimeout(PATIENCE)
            echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The other end may be gone with the last byte.
            with contextlib.suppress(ConnectionError):
                while echo.recv(1):
                    echo.sendall(b"1")


def _swallow(stream: socket.socket) -> None:
    """Take all that comes, and say how many bytes that were."""
    count, room = 0, bytearray(BLOCK)
    while True:
        got = stream.recv_into(room)
        if not got:
            break
        count += got
    stream.sendall(str(count).encode())


def ask(address: str, port: int, seconds: float, times: int) -> dict[str, float]:
    """Return what both connections took. Raises OSError where the other end does not answer."""
    return {
        "megabits": _stream(address, port, seconds),
        "microseconds": _there_and_back(address, port, times),
    }


def _stream(address: str, port: int, seconds: float) -> float:
    """Return megabits a second, of what the other end has got by the time that it says so."""
    block = bytes(BLOCK)
    with socket.create_connection((address, port), PATIENCE) as stream:
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            stream.sendall(block)
        stream.shutdown(socket.SHUT_WR)
        got = int(stream.recv(64))
        took = time.perf_counter() - start
    return got * 8 / 1e6 / took


def _there_and_back(address: str, port: int, times: int) -> float:
    """Return the median of microseconds."""
    took = []
    with socket.create_connection((address, port), PATIENCE) as echo:
        echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            start = time.perf_counter()
            echo.sendall(b"1")
            if not echo.recv(1):
                raise ConnectionError("the other end is gone")
            took.append(time.perf_counter() - start)
    return statistics.median(took) * 1e6


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        sys.stdout.write(json.dumps(ask(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))))
