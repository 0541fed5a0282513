from pathlib import Path
from typing import Any

import pytest
from node_state_host import FakeHost, StateError, apply, mode, reasons, tree, unit_text


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


def test_what_is_no_longer_wanted_goes_and_what_others_put_there_stays(host: FakeHost) -> None:
    state: dict[str, Any] = {
        "directories": [{"path": "/opt/d"}, {"path": "/opt/e"}],
        "files": [{"path": "/opt/d/ours", "content": "1"}, {"path": "/opt/e/ours", "content": "2"}],
        "links": [{"path": "/opt/l", "target": "d"}],
    }
    apply(host, **state)
    host.put("/opt/d/theirs", "not ours")
    outcome = apply(host)
    assert reasons(outcome) == [
        "file /opt/d/ours remove: no longer wanted",
        "directory /opt/e remove: no longer wanted, and empty",
        "file /opt/e/ours remove: no longer wanted",
        "link /opt/l remove: no longer wanted",
    ]
    found = {path for path in tree(host.root) if path.startswith("/opt")}
    assert found == {"/opt", "/opt/d", "/opt/d/theirs"}


def test_absent_removes_all_of_an_owner_and_only_that(host: FakeHost) -> None:
    before = tree(host.root)
    apply(host, files=[{"path": "/opt/a/b/c", "content": "1"}], links=[{"path": "/opt/l", "target": "a"}])
    apply(host, name="other", files=[{"path": "/opt/a/other", "content": "2"}])
    apply(host, state="absent")
    assert {path for path in tree(host.root) if path.startswith("/opt")} == {"/opt", "/opt/a", "/opt/a/other"}
    assert (host.root / "var/lib/flatnet/state/other.json").exists()
    assert not (host.root / "var/lib/flatnet/state/example.json").exists()
    apply(host, name="other", state="absent")
    assert tree(host.root) == before
    assert not (host.root / "var/lib/flatnet").exists()


def test_absent_for_an_owner_without_a_record_does_nothing(host: FakeHost) -> None:
    before = tree(host.root)
    outcome = apply(host, state="absent")
    assert outcome["changes"] == []
    assert tree(host.root) == before


def test_a_directory_that_was_there_before_gets_its_mode_back(host: FakeHost) -> None:
    (host.root / "srv").mkdir()
    (host.root / "srv").chmod(0o711)
    apply(host, directories=[{"path": "/srv", "mode": "0700"}])
    assert mode(host.root / "srv") == "0700"
    outcome = apply(host, state="absent")
    assert mode(host.root / "srv") == "0711"
    assert [change["action"] for change in outcome["changes"]] == ["restore"]


def test_a_directory_that_goes_with_a_tree_gets_nothing_back(host: FakeHost) -> None:
    host.put("/srv/tree/d/theirs", "not ours")
    (host.root / "srv/tree/d").chmod(0o711)
    apply(host, directories=[{"path": "/srv/tree/d", "mode": "0700"}])
    predicted = apply(host, absent=["/srv/tree"], check=True)
    outcome = apply(host, absent=["/srv/tree"])
    assert reasons(outcome) == ["directory /srv/tree remove: wanted absent"]
    assert outcome["changes"] == predicted["changes"]
    assert list((host.root / "srv").iterdir()) == []


def test_paths_wanted_absent_go_with_all_below_them(host: FakeHost) -> None:
    host.put("/var/lib/old/deep/file", "x")
    host.put("/etc/cni/old.conf", "x")
    state = {"absent": ["/var/lib/old", "/etc/cni/old.conf", "/etc/never/was"]}
    outcome = apply(host, **state)
    assert reasons(outcome) == [
        "file /etc/cni/old.conf remove: wanted absent",
        "directory /var/lib/old remove: wanted absent",
    ]
    assert not (host.root / "var/lib/old").exists()
    assert list((host.root / "etc/cni").iterdir()) == []
    assert apply(host, **state)["changes"] == []


@pytest.mark.parametrize(
    ("absent", "gone"),
    [
        (["/var/lib/x"], []),
        (["/var/lib/x", "/var/lib/x/y/z"], ["directory /var/lib/x/y/z remove: wanted absent"]),
        (["/var/lib/x/y/z", "/var/lib/x"], ["directory /var/lib/x/y/z remove: wanted absent"]),
        (["/var/lib/x", "/var/lib/x/y/theirs"], ["file /var/lib/x/y/theirs remove: wanted absent"]),
    ],
    ids=["tree", "tree in a tree", "tree in a tree, deepest first", "file in a tree"],
)
def test_a_tree_goes_with_what_is_named_anywhere_below_it(
    host: FakeHost, absent: list[str], gone: list[str]
) -> None:
    before = tree(host.root)
    # Somebody else's file keeps the directory between: it does not go for being empty.
    host.put("/var/lib/x/y/theirs", "not ours")
    apply(host, files=[{"path": "/var/lib/x/y/f", "content": "1"}])
    host.put("/var/lib/x/y/z/theirs", "not ours")
    predicted = apply(host, absent=absent, check=True)
    outcome = apply(host, absent=absent)
    assert sorted(reasons(outcome)) == sorted(
        [
            "directory /var/lib/x remove: wanted absent",
            "file /var/lib/x/y/f remove: no longer wanted",
            *gone,
        ]
    )
    assert outcome["changes"] == predicted["changes"]
    assert tree(host.root) == before
    assert apply(host, absent=absent)["changes"] == []


def test_a_check_foresees_as_absent_what_goes_with_a_directory(host: FakeHost) -> None:
    apply(host, files=[{"path": "/opt/e/d/f", "content": "1"}], links=[{"path": "/opt/e/l", "target": "d"}])
    host.put("/opt/theirs", "not ours")
    assert apply(host, check=True)["foreseen"] == dict.fromkeys(
        ["/opt/e", "/opt/e/d", "/opt/e/d/f", "/opt/e/l"], "absent"
    )


def test_a_tree_that_does_not_go_after_all_is_back_with_all_below_it(host: FakeHost) -> None:
    host.put("/var/lib/x/y/theirs", "not ours")
    apply(host, files=[{"path": "/var/lib/x/y/f", "content": "1"}])
    before = tree(host.root)
    unit = {"name": "u.service", "content": unit_text(), "state": "started"}
    host.systemd.refuse = lambda *_: True
    with pytest.raises(StateError, match="are as they were before"):
        apply(host, absent=["/var/lib/x"], units=[unit])
    assert tree(host.root) == before
    host.systemd.refuse = lambda *_: False
    apply(host, absent=["/var/lib/x"], units=[unit])
    assert not (host.root / "var/lib/x").exists()


def test_a_tree_with_a_mount_in_it_is_not_removed(host: FakeHost) -> None:
    host.put("/var/lib/kubelet/pods/x", "x")
    host.put("proc/self/mounts", "tmpfs /var/lib/kubelet/pods/vol\\040ume tmpfs rw 0 0")
    with pytest.raises(StateError, match="but /var/lib/kubelet/pods/vol ume is mounted; unmount it first"):
        apply(host, absent=["/var/lib/kubelet"])
    assert (host.root / "var/lib/kubelet/pods/x").exists()
