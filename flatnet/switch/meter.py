"""A process on the controller that connects at regular times while a network is switched.

`python -m flatnet.switch.meter FOLDER`: what to ask is in `targets.json` there. It ends when the file is
gone, or its run is, or after an hour. Each attempt is a line of `attempts`: the way, the time, 1 or 0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from flatnet.switch.interruption import Attempt, interruption

INTERVAL_SECONDS = 0.5
_TIMEOUT_SECONDS = 1.0
_LONGEST_SECONDS = 3600.0
_SETTLED = 3
_TARGETS, _ATTEMPTS = "targets.json", "attempts"


def is_answered(url: str) -> bool:
    """Tell whether a URL of the probe is answered, by the far pod as well where it is asked for."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    if response.status != 200:
        return False
    # agnhost's /dial says 200 in any case, and lists who answered.
    try:
        return not parts.query or bool(json.loads(body).get("responses"))
    except ValueError:
        return False


def start(folder: Path, targets: Mapping[str, str], run: int, patience: float) -> None:
    """Begin to measure. folder: an empty one of this run alone. run: the process of the playbook.

    patience: seconds to wait until each way has been answered once. A Service is made known to the nodes some
    time after its pods are ready, and what was not open before has no interruption.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _TARGETS).write_text(json.dumps({"targets": dict(targets), "run": run}))
    subprocess.Popen(
        [sys.executable, "-m", "flatnet.switch.meter", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _wait(lambda: all(_has_opened(attempts_of(folder).get(way, [])) for way in targets), patience)


def stop(folder: Path, patience: float) -> dict[str, float | None]:
    """Return the interruption of each way in seconds, and end the measurement.

    patience: seconds to wait until the ways that were open in the beginning are so again, for some attempts.
    """
    _wait(lambda: all(map(_is_open_again, attempts_of(folder).values())), patience)
    measured = {way: interruption(attempts) for way, attempts in attempts_of(folder).items()}
    (folder / _TARGETS).unlink(missing_ok=True)
    return measured


def _wait(is_so: Callable[[], bool], patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and not is_so():
        time.sleep(INTERVAL_SECONDS)


def _has_opened(attempts: Sequence[Attempt]) -> bool:
    return any(one.answered for one in attempts)


def _is_open_again(attempts: Sequence[Attempt]) -> bool:
    return not _has_opened(attempts) or all(one.answered for one in attempts[-_SETTLED:])


def attempts_of(folder: Path) -> dict[str, list[Attempt]]:
    """Return the attempts so far, by way and time."""
    try:
        lines = (folder / _ATTEMPTS).read_text().splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, list[Attempt]] = {}
    for way, at, answered in (line.split() for line in lines):
        found.setdefault(way, []).append(Attempt(float(at), answered == "1"))
    return {way: sorted(attempts) for way, attempts in found.items()}


def measure(folder: Path, ask: Callable[[str], bool] = is_answered) -> None:
    """Connect until somebody stops it."""
    request = json.loads((folder / _TARGETS).read_text())
    lock, threads = threading.Lock(), []

    def attempt(way: str, url: str) -> None:
        began = time.monotonic()
        answered = ask(url)
        with lock, (folder / _ATTEMPTS).open("a") as stream:
            stream.write(f"{way} {began:.3f} {answered:d}\n")

    give_up = time.monotonic() + _LONGEST_SECONDS
    while (folder / _TARGETS).exists() and _is_alive(request["run"]) and time.monotonic() < give_up:
        for way, url in request["targets"].items():
            # One that waits for its answer must not delay the next.
            threads.append(threading.Thread(target=attempt, args=(way, url)))
            threads[-1].start()
        time.sleep(INTERVAL_SECONDS)
    for thread in threads:
        thread.join()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
