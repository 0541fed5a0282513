"""The servers that the cluster's DNS forwards to, asked from where its pods would ask: a pod's network."""

from __future__ import annotations

import os
import pathlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from .answers import Json, NoAnswerError
from .connect import in_network_of
from .dns import dns_query

EVERY_UPSTREAM = "every upstream answers"
# A pod of the cluster's DNS has the file of its node, and where that names a stub of the node, the one that
# kubelet is told instead (kubernetes/cmd/kubeadm, resolvConf).
_FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
# A datagram may get lost.
_TRIES = 3


def ask_upstreams(how: Json, seconds: float) -> str:
    """Return EVERY_UPSTREAM, or raise NoAnswerError naming those that do not answer.

    how: servers (text, address, port, transport), name (asked for), family, process. Any answer counts, also
    that a server will not or cannot answer this question: it is there. One that is asked over TLS or HTTPS
    need only take the connection.
    """
    if not how.get("process"):
        raise NoAnswerError("source", f"no process of pod {how['pod_uid']} runs here")
    servers = [server for entry in how["servers"] for server in _servers(entry)]
    wanted = [server for server in servers if (":" in server["address"]) == (how["family"] == "ipv6")]

    def is_silent(server: Json) -> bool:
        return not _answers(server, how, seconds)

    with ThreadPoolExecutor(max_workers=max(len(wanted), 1)) as pool:
        silent = [server["text"] for server, lost in zip(wanted, pool.map(is_silent, wanted)) if lost]
    if silent:
        raise NoAnswerError("lost", " and ".join(dict.fromkeys(silent)))
    return EVERY_UPSTREAM


def _servers(entry: Json) -> list[Json]:
    if entry["address"]:
        return [entry]
    return [{**entry, "text": address, "address": address} for address in nameservers()]


def nameservers(files: tuple[str, ...] = _FILES) -> list[str]:
    """Return the addresses of the first file that names one which a pod can ask (resolv.conf(5))."""
    for name in files:
        path = pathlib.Path(name)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        found = [words[1] for words in map(str.split, lines) if words[:1] == ["nameserver"] and words[1:]]
        usable = [text for text in found if not ip_address(text.partition("%")[0]).is_loopback]
        if usable:
            return usable
    return []


def _answers(server: Json, how: Json, seconds: float) -> bool:
    family = socket.AF_INET6 if ":" in server["address"] else socket.AF_INET
    kind = socket.SOCK_DGRAM if server["transport"] == "udp" else socket.SOCK_STREAM
    try:
        connection = in_network_of(int(how["process"]), lambda: socket.socket(family, kind))
    except OSError as error:
        raise NoAnswerError(
            "source", f"the network of pod {how['pod_uid']} cannot be entered: {error}"
        ) from error
    with connection:
        connection.settimeout(seconds)
        try:
            # A connected UDP socket hears of ICMP errors and of nobody but the server.
            connection.connect((server["address"], server["port"]))
            return kind == socket.SOCK_STREAM or _is_heard(connection, how["name"], seconds)
        except OSError:
            return False


def _is_heard(connection: socket.socket, name: str, seconds: float) -> bool:
    query = dns_query(name, "A", int.from_bytes(os.urandom(2), "big"))
    end = time.monotonic() + seconds
    for left in range(_TRIES, 0, -1):
        connection.send(query)
        until = end - (left - 1) * seconds / _TRIES
        while (wait := until - time.monotonic()) > 0:
            connection.settimeout(wait)
            try:
                message = connection.recv(4096)
            except socket.timeout:
                break
            if message[:2] == query[:2]:
                return True
    return False
