import socket
import socketserver
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from flatnet.check.model import Json
from flatnet.host.probe import checks
from flatnet.host.probe import dns as dns_module


def _make(how: Json, expected: list[str], reads: str) -> Json:
    check = {"id": "x", "how": how, "reads": reads, "expected": expected, "family": "ipv4"}
    result: Json = checks.run([check], attempt_seconds=0.5, deadline_seconds=0)[0]
    return result


_NAMES = {"server.flatnet-check.svc.cluster.local": "10.32.0.100"}


def _reply(query: bytes) -> bytes:
    """Answer as CoreDNS does: one A record, NXDOMAIN inside the cluster's domain, REFUSED outside."""
    position, labels = 12, []
    while query[position]:
        labels.append(query[position + 1 : position + 1 + query[position]].decode())
        position += query[position] + 1
    name, question = ".".join(labels), query[12 : position + 5]
    address = _NAMES.get(name)
    rcode = 0 if address else 3 if name.endswith("cluster.local") else 5
    header = query[:2] + struct.pack(">5H", 0x8500 | rcode, 1, 1 if address else 0, 0, 0)
    if not address:
        return header + question
    # The name of the record is a pointer to the question's.
    return header + question + struct.pack(">HHHIH", 0xC00C, 1, 1, 30, 4) + socket.inet_aton(address)


class _DnsUdp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, connection = self.request
        connection.sendto(_reply(data), self.client_address)


class _DnsTcp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        reply = _reply(self.rfile.read(struct.unpack(">H", self.rfile.read(2))[0]))
        # In two pieces, as a network may deliver it.
        self.wfile.write(struct.pack(">H", len(reply)) + reply[:7])
        self.wfile.flush()
        self.wfile.write(reply[7:])


@pytest.fixture(scope="module")
def dns() -> Iterator[dict[str, int]]:
    with (
        socketserver.ThreadingUDPServer(("127.0.0.1", 0), _DnsUdp) as udp,
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), _DnsTcp) as tcp,
        ThreadPoolExecutor() as pool,
    ):
        pool.submit(udp.serve_forever, 0.05)
        pool.submit(tcp.serve_forever, 0.05)
        yield {"udp": udp.server_address[1], "tcp": tcp.server_address[1]}
        udp.shutdown()
        tcp.shutdown()


def _query(dns: dict[str, int], name: str, transport: str = "udp", **more: object) -> Json:
    return {
        "method": "dns",
        "server": "127.0.0.1",
        "port": dns[transport],
        "name": name,
        "type": "A",
        "transport": transport,
        **more,
    }


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_service_name_gives_its_address_over_udp_and_tcp(dns: dict[str, int], transport: str) -> None:
    how = _query(dns, "server.flatnet-check.svc.cluster.local", transport)
    result = _make(how, ["10.32.0.100"], "addresses")
    assert (result["ok"], result["observed"], result["error"]) == (True, "10.32.0.100", "")


def test_a_name_outside_is_refused_and_not_merely_unknown(dns: dict[str, int]) -> None:
    assert _make(_query(dns, "example.com"), ["REFUSED"], "rcode")["ok"]
    unknown = _make(_query(dns, "nobody.cluster.local"), ["10.32.0.9"], "addresses")
    assert (unknown["ok"], unknown["observed"]) == (False, "NXDOMAIN")


def test_a_record_of_another_type_is_no_address(dns: dict[str, int]) -> None:
    how = _query(dns, "server.flatnet-check.svc.cluster.local", type="AAAA")
    assert _make(how, ["2001:db8::1"], "addresses")["observed"] == "no addresses"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_dns_server_that_is_not_there_refuses(transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    result = _make(_query({transport: port}, "a.example", transport), ["x"], "addresses")
    assert (result["ok"], result["error"]) == (False, "refused")


def test_a_query_is_laid_out_as_the_standard_says() -> None:
    assert dns_module.dns_query("a.bc.", "AAAA", 0x1234) == bytes.fromhex(
        "1234 0100 0001 0000 0000 0000 0161 026263 00 001c 0001"
    )


def test_a_malformed_answer_is_a_failed_check(dns: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "_reply", lambda query: query[:2] + b"\x85\x00\x00\x01")
    result = _make(_query(dns, "a.example"), ["x"], "addresses")
    assert result["error"] == "failed"
    assert result["detail"].startswith("127.0.0.1 sent a malformed answer:")
