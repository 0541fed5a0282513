"""How a host is asked for an address, and what comes of addresses that nobody can be asked for."""

import pytest

from flatnet.check.model import Json
from flatnet.host.probe.claims import claimant, claims, probe

MINE, THEIRS = "02:00:00:00:00:01", "02:00:00:00:00:02"


def answered(address: bytes = bytes([192, 0, 2, 1]), kind: str = "0001080006040002") -> bytes:
    """Return a reply of THEIRS that it has the address, as a link pads it."""
    return bytes.fromhex(kind) + bytes.fromhex(THEIRS.replace(":", "")) + address + bytes(28)


def test_the_question_is_of_nobody_yet() -> None:
    message = probe("192.0.2.1", MINE)
    assert message.hex() == "0001080006040001" + "020000000001" + "00000000" + "000000000000" + "c0000201"
    assert claimant(message, "192.0.2.1") == ""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (answered(), THEIRS),
        # A host that tells everybody that it has the address claims it as well.
        (answered(kind="0001080006040001"), THEIRS),
        (answered(bytes([192, 0, 2, 3])), ""),
        (answered(kind="00010800060a0002"), ""),
        (answered()[:20], ""),
    ],
)
def test_who_says_that_he_has_the_address_is_told(message: bytes, expected: str) -> None:
    assert claimant(message, "192.0.2.1") == expected


@pytest.mark.parametrize(
    "interface",
    [
        {"name": "lo", "mac": "00:00:00:00:00:00", "addresses": ["192.0.2.1/32"]},
        {"name": "tun0", "mac": "", "addresses": ["192.0.2.1/24"]},
        {"name": "eth0", "mac": MINE, "addresses": ["192.0.2.3/24"]},
        {"name": "eth0", "mac": MINE, "addresses": ["2001:db8::1/64"]},
    ],
)
def test_nobody_is_asked_on_a_link_that_has_no_such_question(interface: Json) -> None:
    assert claims(["192.0.2.1", "2001:db8::1"], [interface]) == []
