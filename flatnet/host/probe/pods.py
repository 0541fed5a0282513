"""The pods that run on this host, whoever made them, and which of them it does not reach."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import select
import socket
import struct
import time
from ipaddress import ip_address, ip_interface

from .answers import Json, NoAnswerError
from .host import run_program

# Where the CNI library keeps what each plugin answered (containernetworking/cni, libcni: CacheDir).
_RESULTS = "/var/lib/cni/results"
# The cgroupfs driver of the kubelet writes a UID as it is, the systemd driver with underscores; that of a
# static pod is a hash.
_POD_GROUP = re.compile(r"pod([0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})\b")
EVERY_POD = "every pod answers"
_NAMED = 3
# Type of an echo request and of its reply (RFC 792; RFC 4443, section 4).
_ECHO = {4: (8, 0), 6: (128, 129)}


def recorded_pods(results: str = _RESULTS) -> list[Json]:
    """Return the pods whose network namespace exists: name, uid, addresses, `ports` and `host_ports`.

    A pod has one entry for every network that it is attached to. Its ports are interfaces of the host: the
    last is the pod's own link, a bridge that this is plugged into stands before it.
    """
    found = []
    for path in sorted(pathlib.Path(results).glob("*")):
        # One that went meanwhile, is being written, or has another format speaks for no pod.
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            pod = _pod(json.loads(path.read_text()))
            if pod["addresses"]:
                found.append(pod)
    return found


def _pod(record: Json) -> Json:
    said = {entry[0]: entry[1] for entry in record["cniArgs"]}
    result = record["result"] if pathlib.Path(record["netns"]).exists() else {}
    addresses = [ip_interface(entry["address"]).ip for entry in result.get("ips") or []]
    interfaces = result.get("interfaces") or []
    return {
        "name": f"{said['K8S_POD_NAMESPACE']}/{said['K8S_POD_NAME']}",
        "uid": said["K8S_POD_UID"],
        "addresses": [address for address in addresses if not address.is_loopback],
        "host_ports": [
            _mapping(entry) for entry in (record.get("capabilityArgs") or {}).get("portMappings") or []
        ],
        "ports": [interface["name"] for interface in interfaces if not interface.get("sandbox")],
    }


def _mapping(entry: Json) -> Json:
    """Return a port mapping as portmap is handed it (CNI conventions, "dynamic plugin specific fields").

    containerd writes the names with a capital (containerd/go-cni, PortMapping), which Go does not mind.
    """
    entry = {name.lower(): value for name, value in entry.items()}
    address = str(entry.get("hostip") or "")
    return {
        "host": int(entry["hostport"]),
        "container": int(entry["containerport"]),
        "protocol": str(entry.get("protocol") or "tcp").lower(),
        "address": "" if not address or ip_address(address).is_unspecified else address,
    }


def running_pods(proc: str = "/proc") -> set[str]:
    """Return the UIDs of the pods that have processes here, and none of them in the host's own network.

    Of a pod in the host's network a process may have a network namespace that it made for itself.
    """
    inside: set[str] = set()
    outside: set[str] = set()
    for entry in pathlib.Path(proc).iterdir():
        # It ended meanwhile, or is no process.
        with contextlib.suppress(OSError):
            uid = _POD_GROUP.search((entry / "cgroup").read_text())
            if uid:
                same = (entry / "ns/net").readlink() == pathlib.Path(proc, "1/ns/net").readlink()
                (outside if same else inside).add(uid.group(1).replace("_", "-"))
    return inside - outside


def ask_running_pods(how: Json, seconds: float) -> str:
    """Return EVERY_POD, or raise NoAnswerError naming those that do not answer their own node, and why."""
    # In this order: a pod is recorded before its first process starts.
    running = running_pods() | set(how["pod_uids"])
    recorded = recorded_pods()
    unknown = running - {pod["uid"] for pod in recorded}
    if unknown:
        raise NoAnswerError("record", f"{_RESULTS} lacks pods that run: {some(sorted(unknown))}")
    pods = [{**pod, "address": address} for pod in recorded for address in _usable(pod, how["family"])]
    shared = _shared(pods)
    if shared:
        raise NoAnswerError("lost", some(shared))
    silent = _silent(pods, how["family"], seconds)
    # What ended while it was asked is no failure.
    remaining = {pod["uid"] for pod in recorded_pods()} if silent else set()
    lost = [pod for pod in silent if pod["uid"] in remaining]
    if not lost:
        return EVERY_POD
    links = {link["ifname"]: link for link in json.loads(run_program("ip", "-json", "link") or "[]") if link}
    raise NoAnswerError(
        "lost", some([f"{pod['name']} ({pod['address']}){_reason(pod['ports'], links)}" for pod in lost])
    )


def _usable(pod: Json, family: str) -> list[str]:
    """Return the pod's first address of that family, if it has one."""
    version = {"ipv4": 4, "ipv6": 6}[family]
    return [str(address) for address in pod["addresses"] if address.version == version][:1]


def _shared(pods: list[Json]) -> list[str]:
    """Return a sentence for each address that several pods have: one of them answers for all."""
    by_address: dict[str, set[str]] = {}
    for pod in pods:
        by_address.setdefault(pod["address"], set()).add(pod["name"])
    return [
        f"{' and '.join(sorted(names))} have one address, {address}"
        for address, names in sorted(by_address.items())
        if len(names) > 1
    ]


def some(entries: list[str]) -> str:
    """Return the first entries, and how many more there are."""
    more = [f"{len(entries) - _NAMED} more"] if len(entries) > _NAMED else []
    return "; ".join(entries[:_NAMED] + more)


def _silent(pods: list[Json], family: str, seconds: float) -> list[Json]:
    """Return the pods that neither answer an echo request nor, where they refuse those, can be resolved."""
    answered = echo({pod["address"] for pod in pods}, family, seconds / 2)
    silent = [pod for pod in pods if pod["address"] not in answered]
    for pod in silent:
        # An entry in the cache may be older than what went wrong: only a new one says that the pod is there.
        run_program("ip", "neighbour", "flush", "to", pod["address"])
    answered = echo({pod["address"] for pod in silent}, family, seconds / 2) if silent else set()
    return [pod for pod in silent if pod["address"] not in answered and not _is_neighbour(pod["address"])]


def _is_neighbour(address: str) -> bool:
    entries = json.loads(run_program("ip", "-json", "neighbour", "show", "to", address) or "[]")
    return any("REACHABLE" in entry.get("state", []) for entry in entries)


def echo(addresses: set[str], family: str, seconds: float) -> set[str]:
    """Return those of the addresses that answer an echo request within that time."""
    version = {"ipv4": 4, "ipv6": 6}[family]
    request, reply = _ECHO[version]
    identity = os.urandom(2)
    message = struct.pack(">BBH2sH", request, 0, 0, identity, 1)
    if version == 4:
        # Of ICMPv6 the kernel makes the checksum (RFC 3542, section 3.1).
        message = message[:2] + struct.pack(">H", checksum(message)) + message[4:]
    kind = (socket.AF_INET, socket.IPPROTO_ICMP) if version == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
    answered: set[str] = set()
    with socket.socket(kind[0], socket.SOCK_RAW, kind[1]) as connection:
        for address in addresses:
            # Where there is no way to it, no answer comes.
            with contextlib.suppress(OSError):
                connection.sendto(message, (address, 0))
        end = time.monotonic() + seconds
        while answered != addresses and (left := end - time.monotonic()) > 0:
            if not select.select([connection], [], [], left)[0]:
                break
            packet, source = connection.recvfrom(2048)
            # A raw socket of IPv4 brings the header along; its length counts words of 4 bytes (RFC 791).
            body = packet[(packet[0] & 15) * 4 :] if version == 4 else packet
            if body[0] == reply and body[4:6] == identity:
                answered.add(str(ip_address(source[0])))
    return answered & addresses


def checksum(message: bytes) -> int:
    """Return the Internet checksum of a message of even length (RFC 1071)."""
    total: int = sum(struct.unpack(f">{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _reason(ports: list[str], links: dict[str, Json]) -> str:
    """Return what is wrong with the host's end of a pod's link, "" where nothing is seen."""
    if not ports:
        return ""
    *bridges, port = ports
    if port not in links:
        return f": its interface {port} is gone"
    for bridge in bridges[:1]:
        if bridge not in links:
            return f": the bridge {bridge} is gone"
        if links[port].get("master") != bridge:
            return f": its interface {port} is not a port of {bridge}"
    if "UP" not in links[port].get("flags", []):
        return f": its interface {port} is down"
    return ""
