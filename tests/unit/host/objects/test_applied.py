"""What was applied to the API is looked at again: it agrees with what applying it once more would do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster_objects_server import FakeApi, Json, pod
from node_state_host import FakeHost, tree

from flatnet.host.objects.applied import digest, look
from flatnet.host.objects.errors import ObjectsError
from flatnet.host.objects.run import run
from flatnet.host.state.record import NOTES

MAPS = "/api/v1/namespaces/default/configmaps"
SETTINGS: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"a": "1"},
}
MORE: Json = {**SETTINGS, "metadata": {"name": "more"}}
SECRET: Json = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "password"},
    "stringData": {"it": "CONFIDENTIAL"},
}
WAIT = {"namespace": "shop", "label_selector": "app=web", "count": 1, "seconds": 5, "advice": ""}


@pytest.fixture(autouse=True)
def let_the_server_be_ready(api: FakeApi) -> None:
    api.answers["GET", "/readyz"] = lambda: (200, "ok", {})


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


def parameters(api: FakeApi, **changes: object) -> Json:
    return api.parameters(**{"owner": "example", "objects": [SETTINGS, MORE], **changes})


def apply(api: FakeApi, host: FakeHost, **changes: object) -> Json:
    return run(parameters(api, **changes), check=False, diff=False, host=host)


def notes(host: FakeHost) -> list[str]:
    return host.names_in(NOTES)


def test_what_was_applied_holds_and_the_look_changes_nothing(api: FakeApi, host: FakeHost) -> None:
    apply(api, host)
    before, objects = tree(host.root), json.dumps(api.objects)
    api.requests.clear()
    assert look(host) == {"example": digest(parameters(api))}
    assert (tree(host.root), json.dumps(api.objects)) == (before, objects)
    assert {method for method, _ in api.requests} == {"GET"}


def test_what_controllers_add_does_not_count(api: FakeApi, host: FakeHost) -> None:
    apply(api, host)
    stored = api.objects[f"{MAPS}/settings"]
    api.put(f"{MAPS}/settings", {**stored, "metadata": {**stored["metadata"], "annotations": {"x": "y"}}})
    assert look(host) == {"example": digest(parameters(api))}
    assert [method for method, path in api.requests if "dryRun" in path] == ["PATCH"]


def _edit(api: FakeApi) -> None:
    stored = api.objects[f"{MAPS}/settings"]
    api.put(f"{MAPS}/settings", {**stored, "data": {"a": "2"}})


def _leave(api: FakeApi) -> None:
    stored = api.objects[f"{MAPS}/settings"]
    leaving = {**stored["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    api.put(f"{MAPS}/settings", {**stored, "metadata": leaving})


def _relabel(api: FakeApi) -> None:
    stored = api.objects[f"{MAPS}/more"]
    api.put(
        f"{MAPS}/more", {**stored, "metadata": {**stored["metadata"], "labels": {"flatnet.io/owner": "x"}}}
    )


DRIFT: dict[str, Callable[[FakeApi], object]] = {
    "edited": _edit,
    "deleted": lambda api: api.drop(f"{MAPS}/settings"),
    "being deleted": _leave,
    "label": _relabel,
    "server not ready": lambda api: api.answers.update({("GET", "/readyz"): lambda: (500, "no", {})}),
    "not allowed any more": lambda api: api.answers.update(
        {("GET", f"{MAPS}/more"): lambda: (403, {"message": "no"}, {})}
    ),
}


@pytest.mark.parametrize("drift", DRIFT)
def test_whatever_somebody_changed_does_not_hold(api: FakeApi, host: FakeHost, drift: str) -> None:
    apply(api, host)
    DRIFT[drift](api)
    assert look(host) == {"example": ""}


def test_an_edited_object_holds_again_once_it_is_applied(api: FakeApi, host: FakeHost) -> None:
    apply(api, host)
    _edit(api)
    assert apply(api, host)["changed"] is True
    assert look(host) == {"example": digest(parameters(api))}


def test_a_server_that_does_not_answer_holds_nothing(api: FakeApi, host: FakeHost) -> None:
    apply(api, host)
    path = host.root / f"{NOTES}/example.json".lstrip("/")
    noted = json.loads(path.read_text())
    noted["parameters"]["credentials"]["server"] = "https://127.0.0.1:1"
    path.write_text(json.dumps(noted))
    assert look(host) == {"example": ""}
    path.write_text("{")
    assert look(host) == {"example": ""}


def test_pods_that_would_be_waited_for_do_not_hold(api: FakeApi, host: FakeHost) -> None:
    path = "/api/v1/namespaces/shop/pods/web-1"
    api.put(path, pod("web-1"))
    apply(api, host, wait_for_pods=WAIT)
    assert look(host) == {"example": digest(parameters(api, wait_for_pods=WAIT))}
    api.put(path, pod("web-1", ready=False))
    assert look(host) == {"example": ""}


def test_nodes_that_would_be_waited_for_do_not_hold(api: FakeApi, host: FakeHost) -> None:
    def node(status: str) -> Json:
        conditions = [{"type": "Ready", "status": status}]
        return {"metadata": {"name": "n1"}, "spec": {}, "status": {"conditions": conditions}}

    api.put("/api/v1/nodes/n1", node("True"))
    wait = {"names": ["n1"], "seconds": 5}
    apply(api, host, wait_for_nodes=wait)
    assert all(look(host).values())
    api.put("/api/v1/nodes/n1", node("False"))
    assert look(host) == {"example": ""}


def test_a_run_that_waits_in_vain_notes_nothing(api: FakeApi, host: FakeHost) -> None:
    with pytest.raises(ObjectsError):
        apply(api, host, wait_for_pods={**WAIT, "seconds": 0})
    assert notes(host) == []


def test_the_content_of_a_secret_is_nowhere_and_its_change_is_seen(api: FakeApi, host: FakeHost) -> None:
    apply(api, host, objects=[SECRET])
    assert "CONFIDENTIAL" not in (host.root / f"{NOTES}/example.json".lstrip("/")).read_text()
    assert look(host) == {"example": digest(parameters(api, objects=[SECRET]))}
    path = "/api/v1/namespaces/default/secrets/password"
    api.put(path, {**api.objects[path], "stringData": {"it": "other"}})
    assert look(host) == {"example": ""}


def test_a_note_is_for_root_alone_and_goes_with_the_objects(api: FakeApi, host: FakeHost) -> None:
    apply(api, host)
    assert (host.root / f"{NOTES}/example.json".lstrip("/")).stat().st_mode & 0o777 == 0o600
    assert (host.root / NOTES.lstrip("/")).stat().st_mode & 0o777 == 0o700
    steps = len(host.steps)
    apply(api, host)
    assert len(host.steps) == steps
    apply(api, host, state="absent")
    assert host.lstat(NOTES) is None
    assert look(host) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": ""},
        {"state": "absent"},
        {"return_objects": True},
        {"return_pods": {"namespace": "shop", "label_selector": ""}},
        {"return_kinds": [{"api_version": "v1", "kind": "Node", "namespace": "", "label_selector": ""}]},
        {"objects": [{"kind": "ConfigMap"}]},
    ],
)
def test_what_somebody_needs_the_answer_of_has_no_digest(api: FakeApi, changes: dict[str, Any]) -> None:
    assert digest(parameters(api, **changes)) == ""


def test_a_check_and_a_call_without_an_owner_note_nothing(api: FakeApi, host: FakeHost) -> None:
    run(parameters(api), check=True, diff=False, host=host)
    apply(api, host, owner="")
    apply(api, host, return_objects=True)
    assert notes(host) == []


def test_another_demand_has_another_digest_whatever_the_order_of_objects(api: FakeApi) -> None:
    one = digest(parameters(api))
    assert digest(parameters(api, objects=[MORE, SETTINGS])) == one
    assert digest(parameters(api, objects=[SETTINGS])) != one
    assert digest(parameters(api, wait_for_pods=WAIT)) != one
    assert digest(parameters(api, field_manager="other")) != one
