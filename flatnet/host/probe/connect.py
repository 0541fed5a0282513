"""Connections out of a pod's network namespace, which tell a refusal, an ICMP error and silence apart.

A probe pod that is asked to call somebody reports its own words for what went wrong, and gives up when it
likes. A socket made in the pod's namespace shows the error of the kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .answers import Json, NoAnswerError, no_answer

Made = TypeVar("Made")
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
# A first packet that gets lost is sent again after 1 and after 3 seconds (RFC 6298, section 2); datagrams are
# sent again by us. After this long without an answer, three in a row are lost.
SILENCE_SECONDS = 3.5
_RESEND_SECONDS = 0.7
_RUN = pathlib.Path("/run")
# Asks over and over on one connection and writes down how it goes; ends with its file, or by itself.
_HOLDER = """
import http.client, json, os, pathlib, socket, sys, time
state, path, end = {"answers": 0, "source": "", "error": ""}, pathlib.Path(sys.argv[2]), time.time() + 120
connection = socket.socket(fileno=int(sys.argv[1]))
connection.settimeout(2)
def write():
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps({**state, "at": time.time()}))
    os.replace(new, path)
write()
while time.time() < end and path.exists() and not state["error"]:
    try:
        connection.sendall(b"GET /clientip HTTP/1.1\\r\\nHost: held\\r\\n\\r\\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        state.update(answers=state["answers"] + 1, source=response.read().decode().strip())
    except (OSError, http.client.HTTPException) as error:
        state["error"] = str(error)
    if path.exists():
        write()
    time.sleep(0.2)
time.sleep(5 if state["error"] else 0)
path.unlink(missing_ok=True)
"""


def in_network_of(process: int, make: Callable[[], Made]) -> Made:
    """Return what `make` returns when it runs in the network namespace of the process.

    In a thread of its own: one that has entered a namespace is of no more use elsewhere. A socket stays in
    the namespace that it was made in. Raises OSError where the namespace is gone.
    """

    def run() -> Made:
        with pathlib.Path(f"/proc/{process}/ns/net").open("rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return make()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(run).result()


def ask_connect(how: Json, seconds: float) -> str:
    """Return the address that the target saw, "address:port", of a connection out of how.process's namespace.

    A pod that isn't there is no proof of silence and raises NoAnswerError of the kind "source".
    """
    if how.get("hold") == "use":
        return _use_held(how, seconds)
    process = how.get("process")
    if not process:
        raise NoAnswerError("source", f"no process of pod {how['pod_uid']} runs here")
    family = socket.AF_INET6 if ":" in how["host"] else socket.AF_INET
    kind = socket.SOCK_DGRAM if how["transport"] == "udp" else socket.SOCK_STREAM
    try:
        connection = in_network_of(int(process), lambda: socket.socket(family, kind))
    except OSError as error:
        raise NoAnswerError(
            "source", f"the network of pod {how['pod_uid']} cannot be entered: {error}"
        ) from error
    with connection:
        try:
            if kind == socket.SOCK_DGRAM:
                return _over_udp(connection, how, SILENCE_SECONDS)
            connection.settimeout(SILENCE_SECONDS)
            connection.connect((how["host"], how["port"]))
            connection.sendall(b"GET /clientip HTTP/1.1\r\nHost: flatnet\r\n\r\n")
            response = http.client.HTTPResponse(connection)
            response.begin()
            answer = response.read().decode().strip()
        except (OSError, http.client.HTTPException) as error:
            raise no_answer(error, f"{how['transport']} to {how['host']} port {how['port']}") from error
        if how.get("hold") == "keep":
            _keep(connection, how)
        return answer


def _over_udp(connection: socket.socket, how: Json, seconds: float) -> str:
    # A connected socket hears of ICMP errors and of nobody but the target.
    connection.connect((how["host"], how["port"]))
    end = time.monotonic() + seconds
    while True:
        connection.send(b"clientip")
        connection.settimeout(min(_RESEND_SECONDS, max(end - time.monotonic(), 0.05)))
        try:
            return connection.recv(4096).decode().strip()
        except socket.timeout:
            if time.monotonic() >= end:
                raise


def _held(how: Json) -> pathlib.Path:
    return _RUN / f"flatnet-check-{how['host']}.json"


def _keep(connection: socket.socket, how: Json) -> None:
    """Leave the connection to a process that goes on asking."""
    path = _held(how)
    path.unlink(missing_ok=True)
    subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(connection.fileno()), str(path)],
        pass_fds=[connection.fileno()],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _use_held(how: Json, seconds: float) -> str:
    """Return the address that was seen on the connection kept before, on which answers still have to come."""
    began, path = time.time(), _held(how)
    while True:
        state: Json = {}
        with contextlib.suppress(OSError, ValueError):
            state = json.loads(path.read_text())
        if state.get("error"):
            break
        # Not the first answer: what cuts a connection may come somewhat later than the change.
        if time.time() - began >= seconds and state.get("at", 0) > time.time() - 1:
            break
        if time.time() - began >= seconds + 2:
            break
        time.sleep(0.1)
    path.unlink(missing_ok=True)
    if not state:
        raise NoAnswerError("source", "no connection was kept from before the change")
    if state["error"]:
        raise NoAnswerError("timeout", f"the connection from before the change: {state['error']}")
    return str(state["source"])
