import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)
from pki_cases import NOW, certificate, run

SERVERS = [
    ("apiserver", "ca", "kubernetes.default"),
    ("apiserver", "ca", "10.32.0.1"),
    ("apiserver", "ca", "2001:db8::1"),
    ("kubelet-server-node2", "ca", "192.0.2.12"),
    ("etcd-server-node1", "etcd-ca", "127.0.0.1"),
    ("etcd-peer-node1", "etcd-ca", "localhost"),
]
CLIENTS = [
    ("kubelet-node1", "ca"),
    ("admin", "ca"),
    ("apiserver-etcd-client", "etcd-ca"),
    ("etcd-peer-node1", "etcd-ca"),
    ("front-proxy-client", "front-proxy-ca"),
]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls") / "pki"
    run(directory)
    return directory


def policy(directory: Path, ca: str) -> PolicyBuilder:
    return PolicyBuilder().store(Store([certificate(directory, ca)])).time(NOW)


def subject(text: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@pytest.mark.parametrize(("name", "ca", "server"), SERVERS)
def test_a_server_certificate_verifies_by_its_sans_and_its_ca_only(
    pki: Path, name: str, ca: str, server: str
) -> None:
    leaf = certificate(pki, name)
    chain = policy(pki, ca).build_server_verifier(subject(server)).verify(leaf, [])
    assert chain == [leaf, certificate(pki, ca)]
    with pytest.raises(VerificationError):
        policy(pki, ca).build_server_verifier(subject("203.0.113.99")).verify(leaf, [])
    with pytest.raises(VerificationError):
        policy(pki, "front-proxy-ca").build_server_verifier(subject(server)).verify(leaf, [])


@pytest.mark.parametrize(("name", "ca"), CLIENTS)
def test_a_client_certificate_verifies_by_its_ca_only(pki: Path, name: str, ca: str) -> None:
    leaf = certificate(pki, name)
    verified = _client_policy(pki, ca).build_client_verifier().verify(leaf, [])
    assert verified.chain == [leaf, certificate(pki, ca)]
    others = {"ca", "etcd-ca", "front-proxy-ca"} - {ca}
    for other in others:
        with pytest.raises(VerificationError):
            _client_policy(pki, other).build_client_verifier().verify(leaf, [])


def _client_policy(directory: Path, ca: str) -> PolicyBuilder:
    """Return a policy without the Web's demand that clients have a SAN: Kubernetes takes them by subject."""
    leaf = ExtensionPolicy.permit_all().require_present(
        x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _allows_clients
    )
    return policy(directory, ca).extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=leaf
    )


def _allows_clients(_policy: object, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("not for clients")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, server_name: str) -> tuple[str, str]:
    """Shake hands over a socket pair; return the common names that client and server saw, in this order."""
    ends = socket.socketpair()
    seen: dict[str, str] = {}
    failures: list[Exception] = []

    def serve() -> None:
        try:
            with server.wrap_socket(ends[0], server_side=True) as stream:
                stream.sendall(b"x")
                seen["client"] = common_name(stream)
        except (ssl.SSLError, OSError) as error:
            failures.append(error)
            ends[0].close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ends[1], server_hostname=server_name) as stream:
            if stream.recv(1) != b"x":
                raise ssl.SSLError("closed by the server")
            seen["server"] = common_name(stream)
    finally:
        ends[1].close()
        thread.join()
        ends[0].close()
    return seen["server"], seen["client"]


def common_name(stream: ssl.SSLSocket) -> str:
    der = stream.getpeercert(binary_form=True)
    assert der is not None
    name = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name[0].value)


def contexts(directory: Path, client_name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=directory / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(directory / "apiserver.crt", directory / "apiserver.key")
    client = ssl.create_default_context(cafile=directory / "ca.crt")
    client.load_cert_chain(directory / f"{client_name}.crt", directory / f"{client_name}.key")
    return server, client


@pytest.fixture(scope="module")
def current_pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return certificates valid now, since OpenSSL compares with the clock."""
    directory = tmp_path_factory.mktemp("tls") / "pki"
    run(directory, now=datetime.now(UTC))
    return directory


@pytest.mark.parametrize("server_name", ["10.32.0.1", "2001:db8::1", "kubernetes"])
def test_a_kubelet_and_the_api_server_shake_hands(current_pki: Path, server_name: str) -> None:
    server, client = contexts(current_pki, "kubelet-node1")
    assert handshake(server, client, server_name) == ("kube-apiserver", "system:node:node1")


def test_an_address_outside_the_sans_is_refused_by_the_client(current_pki: Path) -> None:
    server, client = contexts(current_pki, "kubelet-node1")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"IP address mismatch.*'10\.32\.0\.2'"):
        handshake(server, client, "10.32.0.2")


@pytest.mark.parametrize("client_name", ["front-proxy-client", "kubelet-server-node1"])
def test_a_certificate_of_another_trust_or_purpose_is_refused_by_the_server(
    current_pki: Path, client_name: str
) -> None:
    server, client = contexts(current_pki, client_name)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(server, client, "10.32.0.1")
