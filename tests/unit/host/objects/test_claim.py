"""A namespace that one run at a time works in."""

import json
import threading
import time

import pytest
from cluster_objects_server import FakeApi, Json

from flatnet.host.objects import claim as claims
from flatnet.host.objects.claim import ANNOTATION, answer

PATH = "/api/v1/namespaces/check"


@pytest.fixture(autouse=True)
def ready(api: FakeApi) -> None:
    api.answers["GET", "/readyz"] = lambda: (200, "ok", {})


def ask(
    api: FakeApi, run: str, state: str = "held", ended: tuple[str, ...] = (), seconds: float = 60
) -> Json:
    return answer(
        {
            "credentials": api.parameters()["credentials"],
            "wait_ready_seconds": 0,
            "namespaces": ["check", "check-other"],
            "state": state,
            "claim": {"run": run, "controller": "ops"},
            "seconds": seconds,
            "ended": list(ended),
        }
    )


def claimed_by(api: FakeApi) -> str:
    return str(json.loads(api.objects[PATH]["metadata"]["annotations"][ANNOTATION])["run"])


def test_who_comes_second_is_told_who_was_first(api: FakeApi) -> None:
    assert ask(api, "one") == {"changed": False, "holder": None}
    holder = ask(api, "two")["holder"]
    assert (holder["run"], holder["controller"]) == ("one", "ops")
    assert holder["until"] > time.time()
    assert claimed_by(api) == "one"


def test_of_several_that_come_at_once_one_has_it(api: FakeApi) -> None:
    found: list[Json] = []
    threads = [threading.Thread(target=lambda n=n: found.append(ask(api, f"run-{n}"))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["holder"] for answer in found].count(None) == 1
    assert {answer["holder"]["run"] for answer in found if answer["holder"]} == {claimed_by(api)}


def test_what_is_given_back_is_the_next_ones_with_all_that_is_in_it(api: FakeApi) -> None:
    ask(api, "one")
    uid = api.objects[PATH]["metadata"]["uid"]
    ask(api, "one", "released")
    assert ask(api, "two")["holder"] is None
    assert (claimed_by(api), api.objects[PATH]["metadata"]["uid"]) == ("two", uid)


@pytest.mark.parametrize("state", ["released", "removed"])
def test_nobody_gives_back_or_removes_what_another_has(api: FakeApi, state: str) -> None:
    ask(api, "one")
    assert ask(api, "two", state)["holder"] is None
    assert claimed_by(api) == "one"


def test_what_is_removed_goes_with_its_other_namespaces(api: FakeApi) -> None:
    ask(api, "one")
    api.put("/api/v1/namespaces/check-other", {"metadata": {"name": "check-other"}})
    ask(api, "one", "removed")
    assert api.objects == {}
    assert ask(api, "one", "removed") == {"changed": False, "holder": None}


@pytest.mark.parametrize("how", ["ended", "over"])
def test_what_a_dead_run_left_is_removed_before_the_next_one_has_it(api: FakeApi, how: str) -> None:
    ask(api, "one", seconds=60 if how == "ended" else 0)
    uid = api.objects[PATH]["metadata"]["uid"]
    api.put("/api/v1/namespaces/check-other", {"metadata": {"name": "check-other"}})
    assert ask(api, "two", ended=("one",) if how == "ended" else ())["holder"] is None
    assert claimed_by(api) == "two"
    assert api.objects[PATH]["metadata"]["uid"] != uid
    assert list(api.objects) == [PATH]


def test_one_that_is_on_its_way_out_is_waited_for_and_named_if_it_stays(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving: Json = {"metadata": {"name": "check", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    leaving["spec"] = {"finalizers": ["kubernetes"]}
    api.put(PATH, leaving)
    monkeypatch.setattr(claims, "_LEAVING_SECONDS", 0.2)
    assert "Namespace check still exists after 0.2 s: finalizer kubernetes" in ask(api, "one")["msg"]
    monkeypatch.setattr(claims, "_LEAVING_SECONDS", 5)
    threading.Timer(0.3, lambda: api.drop(PATH)).start()
    assert ask(api, "one")["holder"] is None


def test_what_somebody_else_wrote_there_is_no_claim(api: FakeApi) -> None:
    for text in ("", "{", "[]", '{"run": "x"}', '{"run": "x", "until": "soon"}'):
        api.put(PATH, {"metadata": {"name": "check", "annotations": {ANNOTATION: text}}})
        assert ask(api, "one")["holder"] is None


def test_an_api_server_that_is_not_ready_is_a_failure_with_the_reason(api: FakeApi) -> None:
    api.answers["GET", "/readyz"] = lambda: (500, "[-]etcd failed", {})
    found = ask(api, "one")
    assert found["failed"]
    assert "is not ready after 0 s: etcd" in found["msg"]
