"""Answers of DNS servers, asked directly, past the host's resolver and its caches."""

from __future__ import annotations

import json
import os
import socket
import struct

from .answers import Json, NoAnswerError, no_answer

RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_RECORD_TYPES = {"A": (1, socket.AF_INET), "AAAA": (28, socket.AF_INET6)}


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


def ask_dns(how: Json, seconds: float) -> str:
    """Return {rcode, addresses} as JSON, from the server at how.server."""
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
        raise no_answer(error, f"DNS {how['transport']} to {how['server']}") from error
    try:
        if message[:2] != query[:2]:
            raise NoAnswerError("failed", f"{how['server']} answered another question")
        rcode, addresses = dns_answer(message, how["type"])
    except (struct.error, IndexError, ValueError) as error:
        raise NoAnswerError("failed", f"{how['server']} sent a malformed answer: {error}") from error
    return json.dumps({"rcode": rcode, "addresses": addresses})
