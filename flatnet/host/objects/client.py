"""One kept-alive connection to an API server, and a second one while something is watched."""

from __future__ import annotations

import http.client
import json
import math
import os
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from .errors import ApiError, MissingCredentialsError, ObjectsError, UnreachableError

# The server closed an idle connection just when it was used again: nothing was processed.
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
# Too many requests, and a server that is starting or stopping; both say when to come again.
_BUSY = (429, 503)
_BUSY_SECONDS = 20.0
_REQUEST_SECONDS = 60.0


class Client:
    """Requests to one API server with a client certificate."""

    def __init__(self, server: str, ca: str, certificate: str, key: str) -> None:
        """Read the credentials; nothing is sent. Raises ObjectsError for files that do not fit."""
        url = urlsplit(server)
        if url.scheme != "https" or not url.hostname:
            raise ObjectsError(f"server {server!r} is not a URL of the form https://host:port")
        self.server = server
        self.certificate = certificate
        self._host, self._port = url.hostname, url.port or 443
        self._context = _context(ca, certificate, key)
        self._connection: http.client.HTTPSConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        content_type: str = "application/json",
        busy_seconds: float = _BUSY_SECONDS,
    ) -> dict[str, Any]:
        """Send a request and return the JSON object of the answer.

        A busy server is asked again for up to busy_seconds. Raises ApiError for an answer that is a failure,
        UnreachableError when there is none.
        """
        text = None if body is None else json.dumps(body).encode()
        target = _target(path, query)
        give_up = time.monotonic() + busy_seconds
        while True:
            response, content = self._exchange(method, target, text, content_type)
            if response.status not in _BUSY or time.monotonic() >= give_up:
                return self._decoded(method, path, response.status, content)
            time.sleep(min(float(response.headers.get("Retry-After") or 0.2), 1.0))

    def text(self, path: str) -> tuple[int, str]:
        """Return the status and the body of a plain-text endpoint. Raises UnreachableError."""
        response, content = self._exchange("GET", path, None, "")
        return response.status, content.decode(errors="replace")

    def watch(self, path: str, query: dict[str, str], deadline: float) -> Iterator[dict[str, Any]]:
        """Yield the events of a watch as they come, until the server ends it or at the deadline (monotonic).

        An event of type ERROR, such as 410 Gone, ends it as well: the caller lists again.
        """
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return
        options = {**query, "watch": "true", "timeoutSeconds": str(math.ceil(remaining))}
        connection = self._connect(remaining)
        try:
            connection.request("GET", _target(path, options), headers={"Accept": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                self._decoded("GET", path, response.status, response.read())
            for line in iter(response.readline, b""):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event
                if connection.sock is not None:
                    connection.sock.settimeout(max(deadline - time.monotonic(), 0.001))
        except (OSError, http.client.HTTPException):
            # A deadline, or a server that goes away: both are the caller's to judge after a new list.
            return
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(
        self, method: str, target: str, text: bytes | None, content_type: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {"Accept": "application/json, */*"}
        if text is not None:
            headers["Content-Type"] = content_type
        used_before = self._connection is not None
        try:
            if self._connection is None:
                self._connection = self._connect(_REQUEST_SECONDS)
            self._connection.request(method, target, text, headers)
            response = self._connection.getresponse()
            return response, response.read()
        except _STALE as error:
            self.close()
            if used_before:
                return self._exchange(method, target, text, content_type)
            raise UnreachableError(f"{self.server} closed the connection: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnreachableError(f"{self.server} does not answer: {_reason(error)}") from error

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout, context=self._context
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise ObjectsError(
                f"{self.server}: its certificate does not verify: {error.verify_message}: give the CA that"
                " issued it, and a server name or address from its SANs"
            ) from error
        except OSError as error:
            raise UnreachableError(f"{self.server} does not answer: {_reason(error)}") from error
        return connection

    def _decoded(self, method: str, path: str, code: int, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {}
        if not isinstance(answer, dict):
            answer = {}
        if 200 <= code < 300:
            return answer
        message = answer.get("message") or content.decode(errors="replace").strip()[:200] or "no message"
        raise ApiError(self._explained(method, path, code, message), code, answer)

    def _explained(self, method: str, path: str, code: int, message: str) -> str:
        if code == 401:
            return (
                f"{self.server} does not accept {self.certificate}: it has to be issued by the client CA of"
                " the API server and to be valid now"
            )
        if code == 403:
            # The message names the user, the verb, the resource and the namespace.
            return f"{message}: bind a role that allows it to this user, or use another certificate"
        return f"{message} ({method} {path}: {code})"


def _context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    for meaning, path in (("ca", ca), ("certificate", certificate), ("key", key)):
        _check_readable(meaning, path)
    try:
        context = ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, ValueError) as error:
        raise ObjectsError(f"ca {ca} holds no certificate") from error
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, ValueError):
        # Without its cause: nothing about a key reaches an error message.
        raise ObjectsError(
            f"certificate {certificate} and key {key} cannot be used: one of them is not a PEM file, or they"
            " do not belong together"
        ) from None
    return context


def _check_readable(meaning: str, path: str) -> None:
    """Refuse a file that cannot be read by its name, which ssl's own errors do not give."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise MissingCredentialsError(f"{meaning} {path} cannot be read: {error.strerror}") from error


def _target(path: str, query: dict[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.timeout):
        return "timed out"
    if isinstance(error, OSError) and not isinstance(error, (ssl.SSLError, socket.gaierror)) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
