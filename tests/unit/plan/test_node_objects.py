"""Where Node objects are read from."""

import json
from pathlib import Path

import pytest

from flatnet.errors import FlatnetError
from flatnet.plan.node_objects import read_existing_nodes

RUNNING = {"items": [{"metadata": {"name": "node-a"}, "spec": {"podCIDRs": ["10.200.5.0/24"]}}]}


@pytest.mark.parametrize("given_as", ["[]", ' {"items": []}', [], [{"kind": "Node"}], None], ids=repr)
def test_what_is_no_path_is_taken_as_it_is(given_as: object) -> None:
    assert read_existing_nodes(given_as) == given_as


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "nodes.json").write_text(json.dumps(RUNNING))
    assert read_existing_nodes(f"{tmp_path}/nodes.json") == RUNNING


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: [Errno 2] No such file or directory: '{path}'"),
        (b"", "cannot be read: the file is empty"),
        (b" \n", "cannot be read: the file is empty"),
        (
            b"\xff\xfe{\x00",
            "cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (b'{"items": [', "are not JSON: Expecting value: line 1 column 12 (char 11)"),
        (b"items:\n- kind: Node\n", "are not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
    ids=["missing", "empty", "blank", "UTF-16", "cut off", "YAML"],
)
def test_a_file_without_node_objects_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "nodes.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FlatnetError) as caught:
        read_existing_nodes(str(path))
    said = reason.replace("{path}", str(path))
    assert str(caught.value) == (
        f"the Node objects in {path} {said}; have `kubectl get nodes -o json` write it"
    )


@pytest.mark.parametrize("given_as", ["", " \n"], ids=repr)
def test_an_empty_text_is_no_cluster_without_nodes(given_as: str) -> None:
    with pytest.raises(FlatnetError, match=r"^the Node objects are an empty string; give \[\] if no cluster"):
        read_existing_nodes(given_as)
