"""A browser for tests: chromedriver and headless Chromium, spoken to by the W3C WebDriver protocol."""

import base64
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Json: TypeAlias = Any

# Without those of background networking, Chromium asks for hosts that a closed network refuses.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "Shift": "\ue008",
    "End": "\ue010",
}
_START_SECONDS = 20.0


class Browser:
    """One window."""

    def __init__(self, address: str, session: str) -> None:
        """Take over a session of the driver at the address."""
        self._base = f"{address}/session/{session}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Json:
        """Send one command and return its value."""
        return _request(method, f"{self._base}{path}", body)

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.call("POST", "/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: object) -> Json:
        """Run the body of a JavaScript function and return what it returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def press(self, *keys: str) -> None:
        """Press and release keys, by name or as text."""
        actions = [
            {"type": kind, "value": _KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")
        ]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def devtools(self, command: str, **parameters: object) -> Json:
        """Send a command of the DevTools protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def prefer(self, scheme: str, media: str = "") -> None:
        """Ask for light or dark, and for a medium such as print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", media=media, features=features)

    def console(self) -> list[str]:
        """Return what was written to the console since the last call, errors of the page included."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def size(self, width: int, height: int) -> None:
        """Make the window that large, in pixels of the page."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def screenshot(self, target: Path, width: int = 1280, height: int = 0) -> None:
        """Write a picture of the page, of all of it when no height is given."""
        self.size(width, height or 900)
        self.size(width, height or int(self.run("return document.documentElement.scrollHeight")))
        target.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))


def _request(method: str, url: str, body: dict[str, Any] | None = None) -> Json:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        data = None if method == "GET" else json.dumps(body or {})
        connection.request(method, parts.path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read().decode()
    finally:
        connection.close()
    assert response.status == 200, f"{method} {url}: {answer[:600]}"
    return json.loads(answer)["value"]


@contextmanager
def browser(profile: Path, width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """Start a driver and a window with a fresh profile in the directory, and end both."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as driver:
        address = f"http://127.0.0.1:{port}"
        session = ""
        try:
            _wait(address)
            options = {"args": [*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]}
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            session = _request("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})[
                "sessionId"
            ]
            yield Browser(address, session)
        finally:
            if session:
                _request("DELETE", f"{address}/session/{session}")
            driver.terminate()


def _wait(address: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            if _request("GET", f"{address}/status")["ready"]:
                return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)
