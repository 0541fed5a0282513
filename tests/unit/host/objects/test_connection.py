import re
import time
from pathlib import Path

import pytest
from cluster_objects_server import Answer, FakeApi, status

from flatnet.host.objects.client import Client
from flatnet.host.objects.errors import ApiError, ObjectsError
from flatnet.host.objects.wait import wait_until_ready


def test_an_idle_connection_that_the_server_closed_is_opened_again(api: FakeApi) -> None:
    client = api.client()
    api.close_after_answer = True
    for _ in range(3):
        assert client.request("GET", "/api/v1")["kind"] == "APIResourceList"
    assert api.connections == 3
    assert len(api.requests) == 3
    client.close()


def test_a_busy_server_is_asked_again(api: FakeApi) -> None:
    answers: list[Answer] = [
        (429, status("slow down"), {"Retry-After": "0"}),
        (503, "starting", {"Retry-After": "0"}),
    ]
    api.answers["GET", "/api/v1"] = lambda: answers.pop(0) if answers else None
    client = api.client()
    assert client.request("GET", "/api/v1")["kind"] == "APIResourceList"
    assert len(api.requests) == 3
    client.close()


def test_a_server_of_another_ca_is_refused(api: FakeApi) -> None:
    with pytest.raises(ObjectsError) as failure:
        api.client(ca="other-ca").request("GET", "/api/v1")
    assert re.fullmatch(
        rf"{api.url}: its certificate does not verify: .+: give the CA that issued it, and a server name or"
        r" address from its SANs",
        str(failure.value),
    )
    assert api.requests == []


def test_a_server_that_does_not_know_the_client_says_what_to_do(api: FakeApi) -> None:
    api.answers["GET", "/api/v1"] = lambda: (401, status("Unauthorized"), {})
    client = api.client()
    with pytest.raises(ApiError) as failure:
        client.request("GET", "/api/v1")
    assert str(failure.value) == (
        f"{api.url} does not accept {api.directory}/admin.crt: it has to be issued by the client CA of the"
        " API server and to be valid now"
    )
    client.close()


@pytest.mark.parametrize(
    ("server", "ca", "key", "message"),
    [
        (
            "http://127.0.0.1:8080",
            "ca.crt",
            "admin.key",
            "server 'http://127.0.0.1:8080' is not a URL of the form https://host:port",
        ),
        ("https://127.0.0.1:6443", "admin.key", "admin.key", "ca {directory}/admin.key holds no certificate"),
        (
            "https://127.0.0.1:6443",
            "ca.crt",
            "server.key",
            "certificate {directory}/admin.crt and key {directory}/server.key cannot be used: one of them is"
            " not a PEM file, or they do not belong together",
        ),
        (
            "https://127.0.0.1:6443",
            "none.crt",
            "admin.key",
            "ca {directory}/none.crt cannot be read: No such file or directory",
        ),
    ],
)
def test_credentials_that_cannot_work_are_named(
    api_pki: Path, server: str, ca: str, key: str, message: str
) -> None:
    with pytest.raises(ObjectsError) as failure:
        Client(server, str(api_pki / ca), str(api_pki / "admin.crt"), str(api_pki / key))
    assert str(failure.value) == message.format(directory=api_pki)
    assert failure.value.__cause__ is None or "key" not in str(failure.value.__cause__).lower()


def test_a_starting_server_is_waited_for_and_no_longer(api: FakeApi) -> None:
    begin = time.monotonic()

    def ready_after_a_moment() -> tuple[int, str, dict[str, str]]:
        if time.monotonic() - begin > 0.15:
            return 200, "ok", {}
        return 500, "[+]ping ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n", {}

    api.answers["GET", "/readyz"] = ready_after_a_moment
    client = api.client()
    wait_until_ready(client, 30)
    assert time.monotonic() - begin < 5
    client.close()


def test_a_server_that_never_gets_ready_says_which_check_fails(api: FakeApi) -> None:
    text = "[+]ping ok\n[-]etcd failed: reason withheld\n[-]informer-sync failed: reason withheld\nfailed\n"
    api.answers["GET", "/readyz"] = lambda: (500, text, {})
    client = api.client()
    with pytest.raises(ObjectsError) as failure:
        wait_until_ready(client, 0.15)
    assert str(failure.value) == (
        f"{api.url} is not ready after 0.15 s: etcd, informer-sync: look at the log of kube-apiserver there"
    )
    client.close()


def test_a_server_that_is_not_there_is_waited_for_too(api_pki: Path) -> None:
    fake = FakeApi(api_pki)
    fake.close()
    with pytest.raises(ObjectsError) as failure:
        wait_until_ready(fake.client(), 0.15)
    assert str(failure.value) == (
        f"{fake.url} does not answer: Connection refused (for 0.15 s): look at the log of kube-apiserver"
        " there"
    )


def test_a_wrong_certificate_is_not_waited_for(api: FakeApi) -> None:
    begin = time.monotonic()
    with pytest.raises(ObjectsError, match="its certificate does not verify"):
        wait_until_ready(api.client(ca="other-ca"), 30)
    assert time.monotonic() - begin < 5
