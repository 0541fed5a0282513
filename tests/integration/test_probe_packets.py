"""What the probe tells of packets, between two network namespaces of this machine and a real kernel."""

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from flatnet.check.model import Json
from flatnet.host.probe.answers import NoAnswerError
from flatnet.host.probe.claims import claims
from flatnet.host.probe.connect import SILENCE_SECONDS, ask_connect, in_network_of
from flatnet.host.probe.loss import ask_loss

_NEAR, _FAR = "flatnet-near", "flatnet-far"
_ADDRESSES = {"ipv4": ("192.0.2.1", "192.0.2.2"), "ipv6": ("2001:db8::1", "2001:db8::2")}
_SERVER = """
import http.server, socket

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{self.client_address[0]}:{self.client_address[1]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = Server(("::", 8080), Handler)
print("ready", flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class _Pair:
    """Two namespaces with a link; `process` lives in the near one, a server of port 8080 in the far one."""

    process: int

    def ask(self, family: str = "ipv4", port: int = 8080, transport: str = "tcp", **how: str) -> str:
        """Return what a connection out of the near namespace brings."""
        target = {"host": _ADDRESSES[family][1], "port": port, "transport": transport}
        return ask_connect({"process": self.process, "pod_uid": "near", **target, **how}, 2)

    def claimed(self) -> list[Json]:
        """Return who else has the near address."""
        own = _ADDRESSES["ipv4"][0]
        shown = subprocess.run(
            ["ip", "-n", _NEAR, "-json", "link", "show", "flatnet0"], capture_output=True, check=True
        )
        entry = {
            "name": "flatnet0",
            "mac": json.loads(shown.stdout)[0]["address"],
            "addresses": [f"{own}/24"],
        }
        return in_network_of(self.process, lambda: claims([own], [entry]))

    def lose(self, family: str, packets: int, size: int) -> str:
        """Return how many of that many packets get lost."""
        how: Json = {"host": _ADDRESSES[family][1], "packets": packets, "bytes": size}
        return ask_loss({"process": self.process, "pod_uid": "near", **how}, 2)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _far(rule: str) -> None:
    """Let the far namespace do that with all that comes in but what finds its neighbours."""
    chain = "add table inet t; add chain inet t i { type filter hook input priority 0; }"
    _run("ip", "netns", "exec", _FAR, "nft", f"{chain}; add rule inet t i meta l4proto != ipv6-icmp {rule}")


@pytest.fixture(scope="module")
def namespaces() -> Iterator[_Pair]:
    for name in (_NEAR, _FAR):
        _run("ip", "netns", "add", name)
    server = near = None
    try:
        _run(
            *[
                "ip",
                "link",
                "add",
                "flatnet0",
                "netns",
                "flatnet-near",
                "type",
                "veth",
                "peer",
                "name",
                "flatnet0",
                "netns",
                "flatnet-far",
            ]
        )
        for index, name in enumerate((_NEAR, _FAR)):
            _run("ip", "-n", name, "link", "set", "flatnet0", "up")
            _run("ip", "-n", name, "address", "add", f"{_ADDRESSES['ipv4'][index]}/24", "dev", "flatnet0")
            address = f"{_ADDRESSES['ipv6'][index]}/64"
            _run("ip", "-n", name, "address", "add", address, "dev", "flatnet0", "nodad")
        inside = ["ip", "netns", "exec"]
        near = subprocess.Popen([*inside, _NEAR, "sleep", "300"])
        server = subprocess.Popen(
            [*inside, _FAR, sys.executable, "-c", textwrap.dedent(_SERVER)], stdout=subprocess.PIPE
        )
        assert server.stdout
        assert server.stdout.readline() == b"ready\n"
        yield _Pair(near.pid)
    finally:
        for process in (near, server):
            if process:
                process.kill()
                process.wait()
        for name in (_NEAR, _FAR):
            _run("ip", "netns", "delete", name)


@pytest.fixture
def pair(namespaces: _Pair) -> Iterator[_Pair]:
    yield namespaces
    subprocess.run(
        ["ip", "netns", "exec", _FAR, "nft", "delete", "table", "inet", "t"], check=False, capture_output=True
    )


@pytest.mark.parametrize("family", _ADDRESSES)
def test_the_source_that_the_other_end_saw_is_that_of_the_namespace(pair: _Pair, family: str) -> None:
    assert _ADDRESSES[family][0] in pair.ask(family)


@pytest.mark.parametrize(
    ("rule", "transport", "family", "kind"),
    [
        ("drop", "tcp", "ipv4", "timeout"),
        ("drop", "udp", "ipv4", "timeout"),
        ("drop", "tcp", "ipv6", "timeout"),
        ("reject", "tcp", "ipv4", "refused"),
        ("reject", "udp", "ipv4", "refused"),
        ("meta l4proto tcp reject with tcp reset", "tcp", "ipv4", "refused"),
        ("reject with icmp type admin-prohibited", "tcp", "ipv4", "unreachable"),
        ("reject with icmp type admin-prohibited", "udp", "ipv4", "unreachable"),
        ("reject with icmpv6 type admin-prohibited", "tcp", "ipv6", "unreachable"),
        ("reject with icmpv6 type no-route", "tcp", "ipv6", "unreachable"),
    ],
)
def test_the_kinds_of_silence_are_told_apart(
    pair: _Pair, rule: str, transport: str, family: str, kind: str
) -> None:
    _far(rule)
    began = time.monotonic()
    with pytest.raises(NoAnswerError) as silence:
        pair.ask(family, transport=transport)
    assert silence.value.kind == kind
    # Bounded; and long enough for three packets where nothing comes back.
    assert time.monotonic() - began < SILENCE_SECONDS + 2
    assert kind != "timeout" or time.monotonic() - began >= SILENCE_SECONDS - 0.1


def test_a_port_that_nobody_listens_on_refuses(pair: _Pair) -> None:
    for transport in ("tcp", "udp"):
        with pytest.raises(NoAnswerError) as refused:
            pair.ask(port=81, transport=transport)
        assert refused.value.kind == "refused"


def test_a_connection_outlasts_a_change_or_is_cut_by_it(pair: _Pair) -> None:
    assert pair.ask(hold="keep")
    assert _ADDRESSES["ipv4"][0] in pair.ask(hold="use")
    assert pair.ask(hold="keep")
    _far("drop")
    with pytest.raises(NoAnswerError, match="the connection from before the change"):
        pair.ask(hold="use")


@pytest.mark.parametrize("family", _ADDRESSES)
def test_a_whole_link_loses_no_packet_of_either_size(pair: _Pair, family: str) -> None:
    assert pair.lose(family, 1000, 0) == "0 of 1000 packets lost"
    assert pair.lose(family, 20, 1500) == "0 of 20 packets lost"


def test_one_lost_packet_in_a_hundred_is_seen(pair: _Pair) -> None:
    # Every hundredth, so that the test is no matter of luck.
    _far("numgen inc mod 100 < 1 drop")
    assert pair.lose("ipv4", 1000, 0) == "10 of 1000 packets lost"


def test_full_sized_packets_that_get_lost_are_told_from_small_ones(pair: _Pair) -> None:
    _far("meta length > 1400 drop")
    assert pair.lose("ipv4", 20, 0) == "0 of 20 packets lost"
    with pytest.raises(NoAnswerError) as lost:
        pair.lose("ipv4", 20, 1500)
    assert lost.value.kind == "timeout"


def test_another_host_with_our_address_is_told_and_nobody_else(pair: _Pair) -> None:
    own = _ADDRESSES["ipv4"][0]
    assert pair.claimed() == []
    _run("ip", "-n", _FAR, "address", "add", f"{own}/32", "dev", "flatnet0")
    try:
        (found,) = pair.claimed()
    finally:
        _run("ip", "-n", _FAR, "address", "del", f"{own}/32", "dev", "flatnet0")
    shown = subprocess.run(
        ["ip", "-n", _FAR, "-json", "link", "show", "flatnet0"], capture_output=True, check=True
    )
    far = json.loads(shown.stdout)[0]["address"]
    assert found == {"address": own, "device": "flatnet0", "mac": far}
