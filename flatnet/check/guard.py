"""Who runs a check on this controller, whether that run has ended, and what is done if it is killed.

A playbook that is interrupted or killed runs none of its tasks any more, so what it started would stay.
"""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.5
_PROC = Path("/proc")


def identity(process: int, proc: Path = _PROC) -> dict[str, str]:
    """Return {controller, processes, process} of a run, by its main process; the last two "" where not known.

    processes: which numbering of processes of which boot, so that one of a container is not taken for one of
    another. process: its number and when it began, since numbers are used again (proc(5), field 22 of stat).
    """
    controller = {"controller": socket.gethostname(), "processes": "", "process": ""}
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (proc / "self/ns/pid").readlink()
        controller.update(processes=f"{boot} {namespace}", process=_began(process, proc))
    except (OSError, IndexError):
        # Not Linux: there, a claim is worth something until its time is over.
        pass
    return controller


def _began(process: int, proc: Path) -> str:
    # The name, in parentheses, may hold anything.
    fields = (proc / str(process) / "stat").read_text().rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        raise FileNotFoundError(process)
    return f"{process} {fields[19]}"


def has_ended(claim: Mapping[str, Any], proc: Path = _PROC) -> bool:
    """Tell whether the run of a claim was one of this controller and is over; False if that is not known."""
    here = identity(os.getpid(), proc)
    if not claim.get("process") or not here["processes"] or claim.get("processes") != here["processes"]:
        return False
    try:
        return _began(int(str(claim["process"]).split()[0]), proc) != str(claim["process"])
    except (OSError, IndexError, ValueError):
        return True


def holder_text(claim: Mapping[str, Any], now: float) -> str:
    """Return who has the network to check, for people."""
    minutes = max(1, round((float(claim["until"]) - now) / 60))
    process = f" (process {str(claim['process']).split()[0]})" if claim.get("process") else ""
    since = datetime.fromtimestamp(float(claim["since"])).astimezone().isoformat(timespec="seconds")
    where = claim.get("controller") or "another controller"
    return (
        f"another check of this network runs since {since} on {where}{process}, and two would meet each "
        "other's probes; run this one again when that has ended. If nothing is left of it, its claim is over "
        f"in {minutes} minutes"
    )


def start(process: int, act: Callable[[], None]) -> int:
    """Return the number of a process of its own that waits for the end of `process` and then acts.

    It outlives a signal to the whole run, and holds nothing open that somebody may wait for the end of.
    """
    began = _began(process, _PROC)
    child = os.fork()
    if child:
        return child
    # In the child: whatever happens, it must never return into the program that it is a copy of.
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        while _is(process, began):
            time.sleep(_POLL_SECONDS)
        act()
    finally:
        os._exit(0)


def _is(process: int, began: str) -> bool:
    try:
        return _began(process, _PROC) == began
    except (OSError, IndexError):
        return False


def stop(guard: int) -> None:
    """End a guard that is not needed any more."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(guard, signal.SIGKILL)
