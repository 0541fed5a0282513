import copy
import json
import threading
from pathlib import Path

import pytest
from cluster_objects_server import FakeApi, Json, status

from flatnet.host.objects.errors import ObjectsError
from flatnet.host.objects.run import run

CONFIG = "/api/v1/namespaces/shop/configmaps/settings"
CONFIG_MAP: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop"},
    "data": {"a": "1"},
}
NAMESPACE: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
NODE: Json = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node1"},
    "spec": {"podCIDR": "10.200.0.0/24"},
}
CRD: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "pools.example.com"},
    "spec": {"group": "example.com", "names": {"kind": "Pool", "plural": "pools"}},
}
POOL: Json = {
    "apiVersion": "example.com/v1",
    "kind": "Pool",
    "metadata": {"name": "main"},
    "spec": {"size": 3},
}


def apply(api: FakeApi, *objects: Json, check: bool = False, **changes: object) -> Json:
    return run(api.parameters(objects=list(objects), **changes), check=check, diff=True)


def changes(result: Json) -> list[tuple[str, str]]:
    assert result["changed"] == bool(result["changes"])
    return [(change["object"], change["action"]) for change in result["changes"]]


def test_an_object_is_created_then_unchanged_then_changed(api: FakeApi) -> None:
    assert changes(apply(api, CONFIG_MAP)) == [("ConfigMap shop/settings", "created")]
    assert changes(apply(api, CONFIG_MAP)) == []
    other = {**CONFIG_MAP, "data": {"a": "2"}}
    result = apply(api, other)
    assert changes(result) == [("ConfigMap shop/settings", "changed")]
    assert api.objects[CONFIG]["data"] == {"a": "2"}
    assert result["diff"] == [
        {
            "before_header": "ConfigMap shop/settings",
            "after_header": "ConfigMap shop/settings",
            "before": json.dumps(CONFIG_MAP, indent=2, sort_keys=True) + "\n",
            "after": json.dumps(other, indent=2, sort_keys=True) + "\n",
        }
    ]


def test_an_apply_is_a_forced_server_side_patch_over_one_connection(api: FakeApi) -> None:
    apply(api, CONFIG_MAP, NODE)
    assert api.requests == [
        ("GET", "/api/v1"),
        ("GET", CONFIG),
        ("PATCH", f"{CONFIG}?fieldManager=flatnet&force=true"),
        ("GET", "/api/v1/nodes/node1"),
        ("PATCH", "/api/v1/nodes/node1?fieldManager=flatnet&force=true"),
    ]
    assert api.connections == 1


def test_a_check_stores_nothing_and_predicts_the_run(api: FakeApi) -> None:
    apply(api, CONFIG_MAP)
    before = copy.deepcopy(api.objects)
    wanted = ({**CONFIG_MAP, "data": {"a": "2"}}, NODE)
    predicted = apply(api, *wanted, check=True)
    assert api.objects == before
    assert {path.partition("?")[2] for method, path in api.requests if method == "PATCH"} == {
        "fieldManager=flatnet&force=true",
        "fieldManager=flatnet&force=true&dryRun=All",
    }
    assert predicted == apply(api, *wanted)
    assert changes(apply(api, *wanted, check=True)) == []


def test_a_status_written_meanwhile_is_no_change(api: FakeApi) -> None:
    apply(api, NODE)

    def kubelet_writes() -> None:
        current = api.objects["/api/v1/nodes/node1"]
        api.put("/api/v1/nodes/node1", {**current, "status": {"phase": "Running"}})

    # Exactly between the question what is there and the apply.
    api.answers["PATCH", "/api/v1/nodes/node1"] = kubelet_writes
    assert changes(apply(api, NODE)) == []
    assert api.objects["/api/v1/nodes/node1"]["status"] == {"phase": "Running"}


def test_what_others_need_is_made_first_and_removed_last(api: FakeApi) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {},
    }
    order = ["Namespace shop", "ConfigMap shop/settings", "Node node1", "Deployment shop/web"]
    result = apply(api, deployment, NODE, CONFIG_MAP, NAMESPACE)
    assert [name for name, _ in changes(result)] == order
    removed = apply(api, NAMESPACE, NODE, deployment, CONFIG_MAP, state="absent")
    assert [name for name, _ in changes(removed)] == order[::-1]
    assert api.objects == {}


def test_lists_are_opened_and_missing_namespaces_are_default(api: FakeApi) -> None:
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    assert changes(apply(api, {"apiVersion": "v1", "kind": "List", "items": [plain, NODE]})) == [
        ("ConfigMap default/settings", "created"),
        ("Node node1", "created"),
    ]
    assert "/api/v1/namespaces/default/configmaps/settings" in api.objects


def test_a_name_with_a_colon_is_one_path_segment(api: FakeApi) -> None:
    apply(api, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "flatnet:a/b"}})
    assert "/api/v1/nodes/flatnet%3Aa%2Fb" in api.objects


def test_removing_what_is_not_there_changes_nothing(api: FakeApi) -> None:
    assert changes(apply(api, CONFIG_MAP, POOL, state="absent")) == []
    assert not [path for method, path in api.requests if method == "DELETE"]


def test_a_check_of_a_removal_removes_nothing(api: FakeApi) -> None:
    apply(api, CONFIG_MAP)
    assert changes(apply(api, CONFIG_MAP, state="absent", check=True)) == [
        ("ConfigMap shop/settings", "deleted")
    ]
    assert CONFIG in api.objects


def test_an_object_on_its_way_out_is_no_change(api: FakeApi) -> None:
    api.put(
        CONFIG,
        {**CONFIG_MAP, "metadata": {**CONFIG_MAP["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}},
    )
    assert changes(apply(api, CONFIG_MAP, state="absent")) == []


def test_a_new_kind_is_waited_for_before_its_objects_are_made(api: FakeApi) -> None:
    asked = 0

    def served_at_the_third_question() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            api.kinds["/apis/example.com/v1"] = [("pools", "Pool", False)]

    api.answers["GET", "/apis/example.com/v1"] = served_at_the_third_question
    assert changes(apply(api, POOL, CRD)) == [
        ("CustomResourceDefinition pools.example.com", "created"),
        ("Pool main", "created"),
    ]
    assert asked == 3


def test_a_check_counts_objects_of_a_new_kind_and_in_a_new_namespace_as_created(api: FakeApi) -> None:
    assert changes(apply(api, POOL, CRD, CONFIG_MAP, NAMESPACE, check=True)) == [
        ("Namespace shop", "created"),
        ("CustomResourceDefinition pools.example.com", "created"),
        ("ConfigMap shop/settings", "created"),
        ("Pool main", "created"),
    ]


def test_what_is_being_deleted_is_waited_for_and_made_anew(api: FakeApi) -> None:
    leaving = {**NAMESPACE["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    api.put("/api/v1/namespaces/shop", {**NAMESPACE, "metadata": leaving})
    expected = [("Namespace shop", "created"), ("ConfigMap shop/settings", "created")]
    assert changes(apply(api, CONFIG_MAP, NAMESPACE, check=True)) == expected
    assert "deletionTimestamp" in api.objects["/api/v1/namespaces/shop"]["metadata"]
    timer = threading.Timer(0.1, lambda: api.drop("/api/v1/namespaces/shop"))
    timer.start()
    assert changes(apply(api, CONFIG_MAP, NAMESPACE)) == expected
    timer.join()
    assert "deletionTimestamp" not in api.objects["/api/v1/namespaces/shop"]["metadata"]


def test_objects_are_returned_as_the_server_has_them(api: FakeApi) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "c2VjcmV0"}}
    api.put("/api/v1/nodes/node1", {**NODE, "status": {"capacity": {"cpu": "2"}}})
    result = apply(api, secret, NODE, return_objects=True)
    assert [(item["kind"], item["metadata"]["name"]) for item in result["objects"]] == [
        ("Secret", "s"),
        ("Node", "node1"),
    ]
    assert result["objects"][0]["data"] == {"a": "(hidden)"}
    assert result["objects"][1]["status"] == {"capacity": {"cpu": "2"}}
    assert "uid" in result["objects"][0]["metadata"]


def test_a_namespace_that_the_server_makes_at_its_start_is_waited_for(api: FakeApi) -> None:
    tries = 0
    path = "/api/v1/namespaces/kube-system/configmaps/settings"
    api.missing_namespaces.add("kube-system")

    def third_try() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            api.missing_namespaces.clear()

    api.answers["PATCH", path] = third_try
    item = {**CONFIG_MAP, "metadata": {"name": "settings", "namespace": "kube-system"}}
    assert changes(apply(api, item)) == [("ConfigMap kube-system/settings", "created")]
    assert tries == 3


def test_the_values_of_a_secret_never_reach_the_difference(api: FakeApi) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        "data": {"kept": "c2VjcmV0", "turned": "b2xk"},
    }
    assert "c2VjcmV0" not in str(apply(api, secret))
    result = apply(api, {**secret, "data": {"kept": "c2VjcmV0", "turned": "bmV3"}})
    shown = json.loads(result["diff"][0]["before"])["data"], json.loads(result["diff"][0]["after"])["data"]
    assert shown == (
        {"kept": "(hidden)", "turned": "(hidden)"},
        {"kept": "(hidden)", "turned": "(hidden, changed)"},
    )
    assert "bmV3" not in str(result)
    assert "b2xk" not in str(result)


def test_a_check_before_there_is_a_server_takes_it_for_an_empty_one(api_pki: Path) -> None:
    fake = FakeApi(api_pki)
    fake.close()
    result = apply(
        fake, CONFIG_MAP, NAMESPACE, check=True, return_pods={"namespace": "shop", "label_selector": ""}
    )
    assert changes(result) == [("Namespace shop", "created"), ("ConfigMap shop/settings", "created")]
    assert result["warnings"] == [
        f"{fake.url} does not answer: Connection refused: taken for an API server without any objects"
    ]
    assert result["pods"] == []
    assert not apply(fake, CONFIG_MAP, check=True, state="absent")["changed"]
    with pytest.raises(ObjectsError) as failure:
        apply(fake, CONFIG_MAP)
    assert str(failure.value) == f"{fake.url} does not answer: Connection refused"


def test_objects_carry_the_label_of_their_owner_beside_labels_of_their_own(api: FakeApi) -> None:
    labelled = {**CONFIG_MAP, "metadata": {**CONFIG_MAP["metadata"], "labels": {"team": "shop"}}}
    apply(api, {"apiVersion": "v1", "kind": "List", "items": [labelled]}, owner="cni_example")
    [stored] = apply(api, labelled, owner="cni_example", return_objects=True)["objects"]
    assert stored["metadata"]["labels"] == {
        "team": "shop",
        "app.kubernetes.io/managed-by": "flatnet",
        "flatnet.io/owner": "cni_example",
    }
    assert not apply(api, labelled, owner="cni_example")["changed"]


def test_a_check_before_there_are_credentials_works_too(api: FakeApi) -> None:
    credentials = {**api.parameters()["credentials"], "key": "/nowhere/admin.key"}
    result = apply(api, CONFIG_MAP, check=True, credentials=credentials)
    assert changes(result) == [("ConfigMap shop/settings", "created")]
    with pytest.raises(ObjectsError) as failure:
        apply(api, CONFIG_MAP, credentials=credentials)
    assert str(failure.value) == "key /nowhere/admin.key cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"kind": "ConfigMap", "metadata": {"name": "x"}},
            "objects[0]: apiVersion is None: a Kubernetes object needs apiVersion, kind and metadata.name",
        ),
        (
            {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Node"}]},
            "objects[0].items[0]: metadata.name is None: a Kubernetes object needs apiVersion, kind and"
            " metadata.name",
        ),
        (
            {"apiVersion": "v1", "kind": "List", "items": [NODE, NODE]},
            "Node node1 is defined twice: remove one of the two",
        ),
        (
            {"apiVersion": "v1", "kind": "Scale", "metadata": {"name": "x"}},
            "Scale in v1: the API server has no such kind: correct apiVersion and kind, or apply its"
            " CustomResourceDefinition too",
        ),
        (
            {"apiVersion": "apps/v1", "kind": "Scale", "metadata": {"name": "x"}},
            "Scale in apps/v1: the API server has no such kind: correct apiVersion and kind, or apply its"
            " CustomResourceDefinition too",
        ),
        (
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "x", "namespace": "shop"}},
            "Node x: the kind has no namespace: remove metadata.namespace",
        ),
    ],
)
def test_a_definition_that_cannot_work_is_refused_with_the_fix(
    api: FakeApi, item: Json, message: str
) -> None:
    with pytest.raises(ObjectsError) as failure:
        apply(api, item)
    assert str(failure.value) == message
    assert api.objects == {}


@pytest.mark.parametrize(
    ("code", "said", "message"),
    [
        (
            403,
            'configmaps "settings" is forbidden: User "flannel" cannot patch resource "configmaps"',
            'ConfigMap shop/settings: configmaps "settings" is forbidden: User "flannel" cannot patch'
            ' resource "configmaps": bind a role that allows it to this user, or use another certificate',
        ),
        (
            422,
            "data: Invalid value: field is immutable when `immutable` is set",
            "ConfigMap shop/settings: data: Invalid value: field is immutable when `immutable` is set (PATCH"
            f" {CONFIG}: 422): remove the object first (state: absent), then apply it again",
        ),
        (500, "etcdserver: no space", f"ConfigMap shop/settings: etcdserver: no space (PATCH {CONFIG}: 500)"),
        (502, "", f"ConfigMap shop/settings: no message (PATCH {CONFIG}: 502)"),
    ],
)
def test_what_the_server_refuses_is_said_with_the_object(
    api: FakeApi, code: int, said: str, message: str
) -> None:
    api.answers["PATCH", CONFIG] = lambda: (code, status(said) if said else "", {})
    with pytest.raises(ObjectsError) as failure:
        apply(api, CONFIG_MAP)
    assert str(failure.value) == message
