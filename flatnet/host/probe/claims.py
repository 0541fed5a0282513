"""Whether another host of the segment has an address of ours too, asked as before one is taken."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time

from .answers import Json

_ARP, _BROADCAST = 0x0806, b"\xff" * 6
# Ethernet and IPv4, with addresses of 6 and 4 bytes (RFC 826).
_KINDS = struct.pack(">HHBB", 1, 0x0800, 6, 4)
_REQUEST = 1
_NO_MAC = "00:00:00:00:00:00"
# A segment answers within milliseconds; a host that is busy, or a lost packet, takes longer.
_PROBES, _SECONDS = 3, 0.9


def claims(addresses: list[str], interfaces: list[Json], seconds: float = _SECONDS) -> list[Json]:
    """Return {address, device, mac} of every other host that has one of the addresses.

    interfaces: as in the state; an address of none of them is nobody's here. Of IPv6, which the kernel itself
    looks for (RFC 4862, section 5.4), nothing is asked.
    """
    own = {entry["mac"] for entry in interfaces}
    devices = {
        address: (entry["name"], entry["mac"])
        for entry in interfaces
        for address in (text.partition("/")[0] for text in entry["addresses"])
        if address in addresses and ":" not in address and entry["mac"] not in ("", _NO_MAC)
    }
    with contextlib.ExitStack() as stack:
        sockets = {}
        for address, (name, mac) in devices.items():
            # Without the rights, or with a link that has no ARP, nothing is known.
            with contextlib.suppress(OSError):
                connection = stack.enter_context(
                    socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ARP))
                )
                connection.bind((name, _ARP))
                sockets[connection] = (address, name, mac)
        return _heard(sockets, own, seconds) if sockets else []


def _heard(sockets: dict[socket.socket, tuple[str, str, str]], own: set[str], seconds: float) -> list[Json]:
    found: dict[tuple[str, str], Json] = {}
    began = time.monotonic()
    for number in range(1, _PROBES + 1):
        for connection, (address, name, mac) in sockets.items():
            with contextlib.suppress(OSError):
                connection.sendto(probe(address, mac), (name, _ARP, 0, 0, _BROADCAST))
        until = began + seconds * number / _PROBES
        while (left := until - time.monotonic()) > 0:
            for connection in select.select(list(sockets), [], [], left)[0]:
                address, name, _ = sockets[connection]
                mac = claimant(connection.recv(128), address)
                if mac and mac not in own:
                    found[address, mac] = {"address": address, "device": name, "mac": mac}
    return list(found.values())


def probe(address: str, mac: str) -> bytes:
    """Return the question who has the address, which claims nothing itself (RFC 5227, section 2.1.1)."""
    return (
        _KINDS
        + struct.pack(">H", _REQUEST)
        + bytes.fromhex(mac.replace(":", ""))
        + bytes(4)
        + bytes(6)
        + socket.inet_aton(address)
    )


def claimant(message: bytes, address: str) -> str:
    """Return the Ethernet address of the sender if it says that it has the address, else nothing."""
    if len(message) < 28 or message[:6] != _KINDS or message[14:18] != socket.inet_aton(address):
        return ""
    return ":".join(f"{byte:02x}" for byte in message[8:14])
