"""The pods that run on this host, whoever made them, and which of them it does not reach."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import select
import socket
import struct
import time
from ipaddress import ip_address, ip_interface

from .answers import Json, NoAnswerError
from .host import run_program

# Where the CNI library keeps what each plugin answered (containernetworking/cni, libcni: CacheDir).
_RESULTS = "/var/lib/cni/results"
EVERY_POD = "every pod answers"
_NAMED = 3
# Type of an echo request and of its reply (RFC 792; RFC 4443, section 4).
_ECHO = {4: (8, 0), 6: (128, 129)}


def attached_pods(family: str, results: str = _RESULTS) -> list[Json]:
    """Return the pods whose network namespace exists: name, uid, address, and `ports`.

    A pod has one entry for every network that it is attached to. Its ports are interfaces of the host: the
    last is the pod's own link, a bridge that this is plugged into stands before it.
    """
    version = {"ipv4": 4, "ipv6": 6}[family]
    found = []
    for path in sorted(pathlib.Path(results).glob("*")):
        try:
            record = json.loads(path.read_text())
        except (OSError, ValueError):  # it went meanwhile, or is being written
            continue
        addresses = [ip_interface(entry["address"]).ip for entry in record["result"].get("ips") or []]
        usable = [address for address in addresses if address.version == version and not address.is_loopback]
        if not usable or not pathlib.Path(record.get("netns") or "/-").exists():
            continue
        said = {entry[0]: entry[1] for entry in record.get("cniArgs") or []}
        name = f"{said.get('K8S_POD_NAMESPACE', '?')}/{said.get('K8S_POD_NAME', record['containerId'])}"
        interfaces = record["result"].get("interfaces") or []
        found.append(
            {
                "name": name,
                "uid": said.get("K8S_POD_UID", ""),
                "address": str(usable[0]),
                "ports": [interface["name"] for interface in interfaces if not interface.get("sandbox")],
            }
        )
    return found


def ask_running_pods(how: Json, seconds: float) -> str:
    """Return EVERY_POD, or raise NoAnswerError naming those that do not answer their own node, and why."""
    pods = attached_pods(how["family"])
    unknown = set(how["pod_uids"]) - {pod["uid"] for pod in pods}
    if unknown:
        raise NoAnswerError("record", f"{_RESULTS} does not have all pods that run here")
    silent = _silent(pods, how["family"], seconds)
    # What ended while it was asked is no failure.
    remaining = {pod["uid"] for pod in attached_pods(how["family"])} if silent else set()
    lost = [pod for pod in silent if pod["uid"] in remaining]
    if not lost:
        return EVERY_POD
    links = {link["ifname"]: link for link in json.loads(run_program("ip", "-json", "link") or "[]") if link}
    named = [f"{pod['name']} ({pod['address']}){_reason(pod['ports'], links)}" for pod in lost[:_NAMED]]
    more = [f"{len(lost) - _NAMED} more"] if len(lost) > _NAMED else []
    raise NoAnswerError("lost", "; ".join(named + more))


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
        message = message[:2] + struct.pack(">H", _checksum(message)) + message[4:]
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


def _checksum(message: bytes) -> int:
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
            return f": its interface {port} is no port of {bridge}"
    if "UP" not in links[port].get("flags", []):
        return f": its interface {port} is down"
    return ""
