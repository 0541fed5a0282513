"""What an owner has in the API goes by its labels; what looks alike and is somebody else's stays."""

from pathlib import Path

import pytest
from cluster_objects_server import FakeApi, Json, status

from flatnet.host.objects.run import run
from flatnet.host.state.host import Host

OWNER = "cni_example"
NODE = "/api/v1/nodes/node1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def labelled(
    kind: str, name: str, *, owner: str = OWNER, manager: str = "flatnet", **content: object
) -> Json:
    """Return an object with labels."""
    labels = {"app.kubernetes.io/managed-by": manager, "flatnet.io/owner": owner}
    return {"kind": kind, "metadata": {"name": name, "labels": labels}, **content}


def config(name: str, value: str = "1") -> Json:
    """Return what defines a ConfigMap."""
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}}


@pytest.fixture(name="host")
def make_host(tmp_path: Path) -> Host:
    """Return a host that keeps its notes in a directory."""
    (tmp_path / "host/var/lib").mkdir(parents=True)
    return Host(str(tmp_path / "host"))


def changes(result: Json) -> list[tuple[str, str]]:
    return [(change["object"], change["action"]) for change in result["changes"]]


def remove(api: FakeApi, check: bool = False, **parameters: object) -> Json:
    return run(api.parameters(state="absent", owner=OWNER, **parameters), check=check, diff=True)


def apply(api: FakeApi, host: Host, *objects: Json, check: bool = False) -> list[tuple[str, str]]:
    parameters = api.parameters(owner=OWNER, objects=list(objects))
    return changes(run(parameters, check=check, diff=True, host=host))


def names(api: FakeApi) -> set[str]:
    return {path.rpartition("/")[2] for path in api.objects}


def test_everything_with_the_label_goes_and_nothing_of_others(api: FakeApi) -> None:
    configs = "/api/v1/namespaces/shop/configmaps"
    api.put(f"{configs}/ours", labelled("ConfigMap", "ours"))
    api.put(f"{configs}/of-another-owner", labelled("ConfigMap", "of-another-owner", owner="cni_examples"))
    api.put(f"{configs}/of-another-tool", labelled("ConfigMap", "of-another-tool", manager="helm"))
    api.put(f"{configs}/without", {"kind": "ConfigMap", "metadata": {"name": "without"}})
    api.put(f"{CRDS}/pools.example.com", labelled("CustomResourceDefinition", "pools.example.com"))
    api.put(f"{CRDS}/others.example.com", {"metadata": {"name": "others.example.com"}})
    for path, item in api.objects.items():
        if path.startswith(configs):
            item["metadata"]["namespace"] = "shop"
    expected = [
        ("ConfigMap shop/ours", "deleted"),
        ("CustomResourceDefinition pools.example.com", "deleted"),
    ]
    before = dict(api.objects)
    assert changes(remove(api, check=True)) == expected
    assert api.objects == before
    assert changes(remove(api)) == expected
    assert names(api) == {"of-another-owner", "of-another-tool", "without", "others.example.com"}
    assert changes(remove(api)) == []


def test_a_group_whose_server_does_not_answer_is_told_of_and_does_not_keep_the_rest(api: FakeApi) -> None:
    path = "/apis/metrics.example.com/v1"
    api.kinds[path] = [("pods", "PodMetrics", True)]
    api.answers[("GET", path)] = lambda: (503, status("the server is currently unable"), {})
    api.put(f"{CRDS}/pools.example.com", labelled("CustomResourceDefinition", "pools.example.com"))
    result = remove(api)
    assert changes(result) == [("CustomResourceDefinition pools.example.com", "deleted")]
    [warning] = result["warnings"]
    assert warning.startswith(f"metrics.example.com/v1 cannot be asked for objects of {OWNER}: the server is")


def test_what_is_served_in_two_versions_is_removed_once(api: FakeApi) -> None:
    api.kinds["/apis/apiextensions.k8s.io/v2"] = api.kinds["/apis/apiextensions.k8s.io/v1"]
    item = labelled("CustomResourceDefinition", "pools.example.com")
    stored = api.put(f"{CRDS}/pools.example.com", item)
    api.objects[f"{CRDS.replace('v1', 'v2')}/pools.example.com"] = stored
    assert len(changes(remove(api))) == 1


def test_annotations_and_labels_leave_nodes_by_pattern(api: FakeApi) -> None:
    annotations = {"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.example.com/x": "1"}
    labels = {"example.com/a": "1", "kubernetes.io/hostname": "node1"}
    api.put(NODE, {"metadata": {"name": "node1", "annotations": annotations, "labels": labels}})
    # As the API server does, the model leaves out in a list of what kind its items are.
    api.put("/api/v1/nodes/node2", {"metadata": {"name": "node2"}})
    keys: Json = {"node_annotations": ["flannel.alpha.coreos.com/*"], "node_labels": ["example.com/*"]}
    assert changes(remove(api, check=True, **keys)) == [("Node node1", "changed")]
    assert api.objects[NODE]["metadata"]["annotations"] == annotations
    result = remove(api, **keys)
    assert changes(result) == [("Node node1", "changed")]
    assert '"kind": "Node"' in result["diff"][0]["before"]
    metadata = api.objects[NODE]["metadata"]
    assert metadata["annotations"] == {"flannel.example.com/x": "1"}
    assert metadata["labels"] == {"kubernetes.io/hostname": "node1"}
    assert changes(remove(api, **keys)) == []


def test_what_an_owner_no_longer_defines_goes_with_the_next_apply(api: FakeApi, host: Host) -> None:
    apply(api, host, config("kept"), config("dropped"))
    expected = [("ConfigMap shop/dropped", "deleted")]
    assert apply(api, host, config("kept"), check=True) == expected
    assert "dropped" in names(api)
    assert apply(api, host, config("kept")) == expected
    assert names(api) == {"kept"}
    assert apply(api, host, config("kept")) == []


def test_what_somebody_took_over_meanwhile_stays(api: FakeApi, host: Host) -> None:
    apply(api, host, config("kept"), config("taken"))
    [path] = [path for path in api.objects if path.endswith("taken")]
    api.objects[path]["metadata"]["labels"]["flatnet.io/owner"] = "somebody"
    assert apply(api, host, config("kept")) == []
    assert names(api) == {"kept", "taken"}


def test_a_node_object_that_is_no_longer_defined_stays(api: FakeApi, host: Host) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}}
    apply(api, host, config("kept"), node)
    assert apply(api, host, config("kept")) == []
    assert names(api) == {"kept", "node1"}


def test_an_object_whose_namespace_is_now_written_out_stays(api: FakeApi, host: Host) -> None:
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}
    apply(api, host, plain)
    assert apply(api, host, {**plain, "metadata": {"name": "kept", "namespace": "default"}}) == []
