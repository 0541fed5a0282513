"""The host ports of the pods that run on this host, whoever made them, and which of them do not answer."""

from __future__ import annotations

import socket

from .answers import Json, NoAnswerError
from .pods import recorded_pods, some

EVERY_HOST_PORT = "every host port answers"


def ask_running_host_ports(how: Json, seconds: float) -> str:
    """Return EVERY_HOST_PORT, or raise NoAnswerError naming those that lead nowhere.

    how: family, address (the host's own). Asked are ports of TCP whose pod answers at its own address: a
    program that does not listen yet is no matter of the network, and a datagram brings no answer by itself.
    """
    lost = []
    for pod in recorded_pods():
        inside = [str(one) for one in pod["addresses"] if (one.version == 6) == (how["family"] == "ipv6")]
        for mapping in pod["host_ports"] if inside else []:
            if mapping["protocol"] != "tcp" or not _connects(inside[0], mapping["container"], seconds):
                continue
            address = mapping["address"] or how["address"]
            if (":" in address) != (how["family"] == "ipv6"):
                continue
            if not _connects(address, mapping["host"], seconds):
                lost.append(f"{pod['name']}: {address} port {mapping['host']}")
    if not lost:
        return EVERY_HOST_PORT
    # One that ended while it was asked is no failure.
    remaining = {pod["name"] for pod in recorded_pods()}
    lost = [entry for entry in lost if entry.partition(":")[0] in remaining]
    if not lost:
        return EVERY_HOST_PORT
    raise NoAnswerError("lost", some(lost))


def _connects(address: str, port: int, seconds: float) -> bool:
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return True
    except OSError:
        return False
