"""Answers of probes over HTTP, asked by the host itself or through a probe pod."""

from __future__ import annotations

import errno
import http.client
import json
import urllib.parse
from typing import Any

Json = dict[str, Any]
_ERRNO_KINDS = {
    errno.ECONNREFUSED: "refused",
    # That something prohibits it (RFC 4443, section 3.1, code 1) is another error for IPv6 than for IPv4.
    errno.EACCES: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EPERM: "unreachable",
    errno.ETIMEDOUT: "timeout",
}
# The words of Go's net package, in which a probe pod reports its own attempt.
_GO_KINDS = {
    "connection refused": "refused",
    "no route to host": "unreachable",
    "network is unreachable": "unreachable",
    "i/o timeout": "timeout",
    "deadline exceeded": "timeout",
}


class NoAnswerError(Exception):
    """No answer came.

    kind is one of refused, unreachable, timeout, source, name, interface, record, lost, none, failed.
    """

    def __init__(self, kind: str, detail: str) -> None:
        """Keep what happened in one word and in full."""
        super().__init__(detail)
        self.kind = kind


def no_answer(error: Exception, prefix: str) -> NoAnswerError:
    """Return the error in one word and in full; prefix says what was being done."""
    # Python before 3.10 has a timeout of its own for sockets, without an errno.
    kind = _ERRNO_KINDS.get(getattr(error, "errno", None) or 0, "failed")
    if "timed out" in str(error):
        kind = "timeout"
    return NoAnswerError(kind, f"{prefix}: {error or type(error).__name__}")


def get(host: str, port: int, path: str, seconds: float, connect_kind: str = "") -> tuple[int, str]:
    """Return status and body of a GET; connect_kind replaces the kind of error while connecting."""
    where = f"{host} port {port}"
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.connect()
    except OSError as error:
        failure = no_answer(error, f"connect to {where}")
        raise NoAnswerError(connect_kind or failure.kind, str(failure)) from error
    try:
        connection.request("GET", "/" + path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise no_answer(error, f"answer of {where}") from error
    finally:
        connection.close()


def ask_http(how: Json, seconds: float) -> str:
    """Return the body that a GET of how.path at how.host and how.port brings."""
    status, body = get(how["host"], how["port"], how["path"], seconds)
    if status != http.client.OK:
        raise NoAnswerError("failed", f"HTTP status {status}: {body.strip()[:200]}")
    return body


def ask_dial(how: Json, seconds: float) -> str:
    """Ask through a probe pod: GET /dial of agnhost netexec (kubernetes/test/images/agnhost/netexec)."""
    request = how["request"]
    if "bytes" in how:
        request += "?msg=" + "x" * int(how["bytes"])
    query = {
        "host": how["host"],
        "port": how["port"],
        "protocol": how["protocol"],
        "request": request,
        "tries": 1,
    }
    path = "dial?" + urllib.parse.urlencode(query)
    try:
        status, body = get(how["via"], how["via_port"], path, seconds, connect_kind="source")
    except NoAnswerError as error:
        if error.kind != "timeout":
            raise
        detail = f"the pod got no answer from {how['host']} port {how['port']} within {seconds:g} s"
        raise NoAnswerError("timeout", detail) from error
    if status != http.client.OK:
        raise NoAnswerError("name" if "lookup" in body else "failed", body.strip()[:300])
    answer = json.loads(body)
    if answer.get("responses"):
        return str(answer["responses"][-1])
    detail = "; ".join(answer.get("errors", ["empty answer"]))
    kind = next((kind for words, kind in _GO_KINDS.items() if words in detail), "failed")
    raise NoAnswerError(kind, detail[:300])
