"""Making checks: ask, compare, repeat until right or too late."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from .answers import Json, NoAnswerError, ask_dial, ask_http
from .connect import ask_connect
from .dns import ask_dns
from .host import ask_interface, global_addresses, links, pod_processes
from .host_ports import ask_running_host_ports
from .loss import ask_loss
from .pods import ask_running_pods
from .upstreams import ask_upstreams


def _data(how: Json, seconds: float) -> str:
    del seconds
    return str(how["observed"])


def _none(how: Json, seconds: float) -> str:
    del seconds
    raise NoAnswerError("none", how["reason"])


METHODS: dict[str, Callable[[Json, float], str]] = {
    "http": ask_http,
    "dial": ask_dial,
    "connect": ask_connect,
    "dns": ask_dns,
    "interface": ask_interface,
    "running_pods": ask_running_pods,
    "loss": ask_loss,
    "running_host_ports": ask_running_host_ports,
    "upstreams": ask_upstreams,
    "data": _data,
    "none": _none,
}

# What may come instead of an answer, in the words in which a check expects it.
SILENCE = {"refused": "refused", "unreachable": "unreachable", "timeout": "no answer"}


def observed_of(answer: str, check: Json) -> str:
    """Return the answer in the form in which the check expects it."""
    reads = check["reads"]
    if reads == "source":
        host = answer.strip().rpartition(":")[0].strip("[]")
        try:
            return str(ip_address(host))
        except ValueError:
            return answer.strip()[:200]
    if reads == "length":
        whole = answer == "x" * int(check["how"]["bytes"])
        return f"{len(answer)} bytes" if whole else f"{len(answer)} bytes, damaged"
    if reads in ("rcode", "addresses"):
        reply = json.loads(answer)
        if reads == "rcode" or reply["rcode"] != "NOERROR":
            return str(reply["rcode"])
        return ",".join(reply["addresses"]) or "no addresses"
    return answer.strip()[:200]


def expected_of(check: Json, seconds: float) -> list[str]:
    """Return the expected values with those replaced that only this host can know."""
    expected = []
    for value in check["expected"]:
        if value == "reference":
            expected.append(observed_of(ask_http(check["how"]["reference"], seconds), check))
        elif value.startswith("device:"):
            found = [link for link in links() if link["ifname"] == value.partition(":")[2]]
            addresses = [address for link in found for address in global_addresses(link, check["family"])]
            # One that has none stays in the report under its name.
            expected += addresses or [f"an {check['family']} address of {value.partition(':')[2]}"]
        else:
            expected.append(value)
    return expected


def make(check: Json, attempt_seconds: float, deadline: float) -> Json:
    """Make one check until it is right or the deadline (of time.monotonic) has passed; at least once.

    A check that promises silence is repeated as long as answers come, as others are as long as none does: an
    attempt that nothing answers has waited long enough to be the proof.
    """
    result: Json = {"id": check["id"], "ok": False, "tries": 0}
    pause = 0.1
    while True:
        started = time.monotonic()
        result.update(observed="", error="", detail="", expected=check["expected"])
        try:
            result["expected"] = expected_of(check, attempt_seconds)
            result["observed"] = observed_of(
                METHODS[check["how"]["method"]](check["how"], attempt_seconds), check
            )
            result["ok"] = result["observed"] in result["expected"]
        except NoAnswerError as error:
            silence = SILENCE.get(error.kind, "")
            result["ok"] = silence in result["expected"]
            result.update(observed=silence if result["ok"] else "", detail=str(error))
            result["error"] = "" if result["ok"] else error.kind
        except (OSError, ValueError, LookupError) as error:
            result.update(error="failed", detail=f"{type(error).__name__}: {error}")
        now = time.monotonic()
        result.update(milliseconds=round((now - started) * 1000, 1), tries=result["tries"] + 1)
        if result["tries"] == 1 and _may_be_lost_in_a_burst(check, result):
            check["how"]["slowly"] = True
            continue
        # What cannot be attempted does not get better by repeating it, and lost packets stay lost.
        if result["ok"] or now + pause >= deadline or check["how"]["method"] in ("none", "data", "loss"):
            return result
        time.sleep(pause)
        pause = min(pause * 2, 1.0)


def _may_be_lost_in_a_burst(check: Json, result: Json) -> bool:
    """Return whether packets were lost that might not be at a slower pace.

    A way without room for a burst is as good as others; one that loses packets does so slowly too.
    """
    measured = bool(result["observed"]) or result["error"] == "timeout"
    return check["how"]["method"] == "loss" and measured and not result["ok"]


def run(
    checks: list[Json],
    attempt_seconds: float = 2,
    deadline_seconds: float = 5,
    total_seconds: float = 60,
    threads: int = 64,
) -> list[Json]:
    """Make all checks, at most `threads` at a time, and return their results in the same order."""
    if not checks:
        return []
    end = time.monotonic() + total_seconds
    readers = [check["how"] for check in checks if check["how"].get("pod_uid")]
    processes = pod_processes({how["pod_uid"] for how in readers})
    for how in readers:
        how["process"] = processes.get(how["pod_uid"])

    def one(check: Json) -> Json:
        return make(check, attempt_seconds, min(time.monotonic() + deadline_seconds, end))

    with ThreadPoolExecutor(max_workers=min(threads, len(checks))) as pool:
        return list(pool.map(one, checks))
