#!/usr/bin/python
"""Make one node's part of the network check, all checks at once."""

from __future__ import annotations

import errno
import http.client
import json
import os
import pathlib
import socket
import struct
import subprocess
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: network_probe
short_description: Make one node's part of the network check
description:
  - Makes every check at once, repeats those that go wrong until their deadline, and says what was observed.
  - Failing checks do not fail the module; they bring evidence along (routes, addresses, masquerade rules).
  - Needs nothing but Python 3.9 on the host, and C(nsenter) and C(ip) for what is read inside a pod.
options:
  checks:
    description:
      - The checks; each has C(id), C(how), C(reads), C(expected) and C(family).
      - C(how.method) is C(http) (host, port, path), C(dial) (the same through a probe pod at via, via_port),
        C(dns) (server, name, type, transport), C(interface) (pod_uid, read address or mtu),
        C(data) (observed already) or C(none) (reason why it cannot be made).
    type: list
    elements: dict
    required: true
  attempt_seconds:
    description: How long one attempt may take.
    type: float
    default: 2
  deadline_seconds:
    description: How long a check is repeated while it goes wrong.
    type: float
    default: 5
  total_seconds:
    description: After this long, checks get one attempt each.
    type: float
    default: 60
  threads:
    description: How many checks are under way at once.
    type: int
    default: 64
  evidence:
    description: When to gather evidence.
    type: str
    choices: [never, on_failure, always]
    default: on_failure
author: [flatnet]
"""

EXAMPLES = """
- name: Check that a node sees the other node
  network_probe:
    checks:
      - id: node_to_node/ipv4/http/node-0->node-1
        how: {method: http, host: 192.0.2.12, port: 18080, path: clientip}
        reads: source
        expected: [192.0.2.11]
        family: ipv4
"""

RETURN = """
results:
  description: One entry per check, with id, ok, observed, expected, error, detail, milliseconds and tries.
  returned: always
  type: list
  elements: dict
evidence:
  description: Routes, addresses, masquerade rules, forwarding entries and settings of this host.
  returned: always
  type: dict
"""

Json = dict[str, Any]
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_RECORD_TYPES = {"A": (1, socket.AF_INET), "AAAA": (28, socket.AF_INET6)}
_ERRNO_KINDS = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
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
    """No answer came; kind is one of refused, unreachable, timeout, source, name, interface, none, failed."""

    def __init__(self, kind: str, detail: str) -> None:
        """Keep what happened in one word and in full."""
        super().__init__(detail)
        self.kind = kind


def _no_answer(error: Exception, prefix: str) -> NoAnswerError:
    # Python before 3.10 has a timeout of its own for sockets, without an errno.
    kind = _ERRNO_KINDS.get(getattr(error, "errno", None) or 0, "failed")
    if "timed out" in str(error):
        kind = "timeout"
    return NoAnswerError(kind, f"{prefix}: {error or type(error).__name__}")


def _get(host: str, port: int, path: str, seconds: float, connect_kind: str = "") -> tuple[int, str]:
    """Return status and body of a GET; connect_kind replaces the kind of error while connecting."""
    where = f"{host} port {port}"
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.connect()
    except OSError as error:
        failure = _no_answer(error, f"connect to {where}")
        raise NoAnswerError(connect_kind or failure.kind, str(failure)) from error
    try:
        connection.request("GET", "/" + path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(error, f"answer of {where}") from error
    finally:
        connection.close()


def _http(how: Json, seconds: float) -> str:
    status, body = _get(how["host"], how["port"], how["path"], seconds)
    if status != http.client.OK:
        raise NoAnswerError("failed", f"HTTP status {status}: {body.strip()[:200]}")
    return body


def _dial(how: Json, seconds: float) -> str:
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
        status, body = _get(how["via"], how["via_port"], path, seconds, connect_kind="source")
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


def dns_query(name: str, record: str, identity: int) -> bytes:
    """Return a recursive query (RFC 1035, section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return (
        struct.pack(">6H", identity, 0x0100, 1, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack(">2H", _RECORD_TYPES[record][0], 1)
    )


def dns_answer(message: bytes, record: str) -> tuple[str, list[str]]:
    """Return the response code's name and the addresses of the wanted type (RFC 1035, section 4.1)."""
    flags, questions, answers = struct.unpack(">2xHHH4x", message[:12])
    kind, family = _RECORD_TYPES[record]
    position = 12
    for _ in range(questions):
        position = _after_name(message, position) + 4
    addresses = []
    for _ in range(answers):
        position = _after_name(message, position)
        found, length = struct.unpack(">H6xH", message[position : position + 10])
        data = message[position + 10 : position + 10 + length]
        position += 10 + length
        if found == kind:
            addresses.append(socket.inet_ntop(family, data))
    return RCODES.get(flags & 15, str(flags & 15)), sorted(addresses)


def _after_name(message: bytes, position: int) -> int:
    while message[position]:
        if message[position] >= 0xC0:  # a pointer to an earlier name, two bytes
            return position + 2
        position += message[position] + 1
    return position + 1


def _exact(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionResetError("the connection ended early")
        data += piece
    return data


def _dns(how: Json, seconds: float) -> str:
    """Ask the server directly, past the host's resolver and its caches."""
    identity = int.from_bytes(os.urandom(2), "big")
    query = dns_query(how["name"], how["type"], identity)
    tcp = how["transport"] == "tcp"
    family = _RECORD_TYPES["AAAA" if ":" in how["server"] else "A"][1]
    try:
        with socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as connection:
            connection.settimeout(seconds)
            # A connected UDP socket hears of ICMP errors and of nobody but the server.
            connection.connect((how["server"], how.get("port", 53)))
            if tcp:
                connection.sendall(struct.pack(">H", len(query)) + query)
                message = _exact(connection, struct.unpack(">H", _exact(connection, 2))[0])
            else:
                connection.send(query)
                message = connection.recv(4096)
    except OSError as error:
        raise _no_answer(error, f"DNS {how['transport']} to {how['server']}") from error
    try:
        if message[:2] != query[:2]:
            raise NoAnswerError("failed", f"{how['server']} answered another question")
        rcode, addresses = dns_answer(message, how["type"])
    except (struct.error, IndexError, ValueError) as error:
        raise NoAnswerError("failed", f"{how['server']} sent a malformed answer: {error}") from error
    return json.dumps({"rcode": rcode, "addresses": addresses})


def pod_processes(uids: set[str], proc: str = "/proc") -> dict[str, int]:
    """Return a process of each pod by pod UID, found by the name of its control group.

    The cgroupfs driver of the kubelet writes the UID as it is, the systemd driver with underscores.
    """
    found: dict[str, int] = {}
    names = {uid: uid for uid in uids} | {uid.replace("-", "_"): uid for uid in uids}
    for entry in pathlib.Path(proc).iterdir() if uids else ():
        if not entry.name.isdigit():
            continue
        try:
            group = (entry / "cgroup").read_text()
        except OSError:  # it ended meanwhile
            continue
        found.update({uid: int(entry.name) for name, uid in names.items() if "pod" + name in group})
    return found


def _run(*command: str) -> str:
    """Return what the program prints, "" when it is missing or fails: evidence is what can be had."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=3, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _links(*prefix: str) -> list[Json]:
    return [link for link in json.loads(_run(*prefix, "ip", "-json", "address", "show") or "[]") if link]


def _addresses(link: Json, family: str) -> list[str]:
    inet = {"ipv4": "inet", "ipv6": "inet6"}[family]
    entries = link.get("addr_info", [])
    return [entry["local"] for entry in entries if entry["family"] == inet and entry["scope"] == "global"]


def _interface(how: Json, seconds: float) -> str:
    """Read what a pod sees of itself, inside its network namespace."""
    del seconds
    process = how.get("process") or pod_processes({how["pod_uid"]}).get(how["pod_uid"])
    if not process:
        raise NoAnswerError("interface", f"no process of pod {how['pod_uid']} runs here")
    links = _links("nsenter", "--target", str(process), "--net")
    links = [
        link for link in links if "LOOPBACK" not in link.get("flags", []) and _addresses(link, how["family"])
    ]
    if not links:
        raise NoAnswerError("interface", f"no interface of the pod has an {how['family']} address")
    if how["read"] == "mtu":
        return str(links[0]["mtu"])
    return ",".join(address for link in links for address in _addresses(link, how["family"]))


def _data(how: Json, seconds: float) -> str:
    del seconds
    return str(how["observed"])


def _none(how: Json, seconds: float) -> str:
    del seconds
    raise NoAnswerError("none", how["reason"])


METHODS: dict[str, Callable[[Json, float], str]] = {
    "http": _http,
    "dial": _dial,
    "dns": _dns,
    "interface": _interface,
    "data": _data,
    "none": _none,
}


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
            expected.append(observed_of(_http(check["how"]["reference"], seconds), check))
        elif value.startswith("device:"):
            links = [link for link in _links() if link["ifname"] == value.partition(":")[2]]
            expected += [address for link in links for address in _addresses(link, check["family"])]
        else:
            expected.append(value)
    return expected


def make(check: Json, attempt_seconds: float, deadline: float) -> Json:
    """Make one check until it is right or the deadline (of time.monotonic) has passed; at least once."""
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
            result.update(error=error.kind, detail=str(error))
        except (OSError, ValueError, LookupError) as error:
            result.update(error="failed", detail=f"{type(error).__name__}: {error}")
        now = time.monotonic()
        result.update(milliseconds=round((now - started) * 1000, 1), tries=result["tries"] + 1)
        # What cannot be attempted does not get better by repeating it.
        if result["ok"] or now + pause >= deadline or check["how"]["method"] in ("none", "data"):
            return result
        time.sleep(pause)
        pause = min(pause * 2, 1.0)


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
    readers = [check["how"] for check in checks if check["how"]["method"] == "interface"]
    processes = pod_processes({how["pod_uid"] for how in readers})
    for how in readers:
        how["process"] = processes.get(how["pod_uid"])

    def one(check: Json) -> Json:
        return make(check, attempt_seconds, min(time.monotonic() + deadline_seconds, end))

    with ThreadPoolExecutor(max_workers=min(threads, len(checks))) as pool:
        return list(pool.map(one, checks))


def evidence_of(checks: list[Json]) -> Json:
    """Return what this host knows about the way of the failing checks, kept short."""
    rules = _run("nft", "list", "ruleset") or _run("iptables-save", "-t", "nat")
    masquerade = [
        line.strip() for line in rules.splitlines() if "masquerade" in line.lower() or "snat" in line.lower()
    ]
    targets = [check["target"]["address"] for check in checks if check.get("target", {}).get("address")]
    entries = json.loads(_run("bridge", "-json", "fdb", "show") or "[]")
    settings = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables"]
    files = {name: pathlib.Path("/proc/sys", name) for name in settings}
    cni = pathlib.Path("/etc/cni/net.d")
    return {
        "routes": [
            {key: route[key] for key in ("dst", "gateway", "dev", "prefsrc", "protocol") if key in route}
            for flag in ("-4", "-6")
            for route in json.loads(_run("ip", flag, "-json", "route", "show") or "[]")
        ],
        "addresses": {
            link["ifname"]: [entry["local"] for entry in link.get("addr_info", []) if "local" in entry]
            for link in _links()
            if link.get("addr_info")
        },
        "masquerade": masquerade[:40],
        "fdb": [entry for entry in entries if "dst" in entry][:40],
        "settings": {
            name.replace("/", "."): path.read_text().strip() for name, path in files.items() if path.exists()
        },
        "cni_files": sorted(path.name for path in cni.iterdir()) if cni.is_dir() else [],
        "route_get": {
            target: " ".join(_run("ip", "route", "get", target).split()) or "no route"
            for target in sorted(set(targets))[:16]
        },
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict", "required": True},
            "attempt_seconds": {"type": "float", "default": 2},
            "deadline_seconds": {"type": "float", "default": 5},
            "total_seconds": {"type": "float", "default": 60},
            "threads": {"type": "int", "default": 64},
            "evidence": {"choices": ["never", "on_failure", "always"], "default": "on_failure"},
        },
        supports_check_mode=True,
    )
    arguments = dict(module.params)
    evidence = arguments.pop("evidence")
    results = run(**arguments)
    wrong = {result["id"] for result in results if not result["ok"]}
    failed = [check for check in arguments["checks"] if check["id"] in wrong]
    wanted = evidence == "always" or (evidence == "on_failure" and bool(failed))
    module.exit_json(changed=False, results=results, evidence=evidence_of(failed) if wanted else {})


if __name__ == "__main__":
    main()
