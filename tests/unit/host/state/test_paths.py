import os
from pathlib import Path
from typing import Any

import pytest
from node_state_host import FakeHost, StateError, apply, mode, reasons, tree


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


def test_a_file_is_made_with_its_bytes_and_mode_and_its_missing_parents(host: FakeHost) -> None:
    outcome = apply(host, files=[{"path": "/etc/a/b.conf", "content": "one\n", "mode": "0640"}])
    assert (host.root / "etc/a/b.conf").read_bytes() == b"one\n"
    assert mode(host.root / "etc/a/b.conf") == "0640"
    assert mode(host.root / "etc/a") == "0755"
    assert outcome["changed"] is True
    assert reasons(outcome) == [
        "directory /etc/a create: missing, needed by what is below it",
        "file /etc/a/b.conf create: missing",
    ]


def test_a_second_apply_changes_nothing_and_writes_nothing(host: FakeHost) -> None:
    state: dict[str, Any] = {
        "directories": [{"path": "/opt/x", "mode": "0700"}],
        "files": [{"path": "/opt/x/f", "content": "one"}],
        "links": [{"path": "/opt/l", "target": "x"}],
    }
    apply(host, **state)
    host.steps.clear()
    outcome = apply(host, **state)
    assert (outcome["changed"], outcome["changes"], outcome["msg"]) == (False, [], "as wanted")
    assert host.steps == []


def test_what_differs_is_named_with_both_values(host: FakeHost) -> None:
    file = host.put("/etc/f.conf", "old")
    file.chmod(0o600)
    outcome = apply(host, files=[{"path": "/etc/f.conf", "content": "new"}])
    assert reasons(outcome) == ["file /etc/f.conf update: content differs, mode is 0600, wanted 0644"]
    assert (file.read_text(), mode(file)) == ("new", "0644")


def test_a_mode_alone_is_set_without_writing_the_file_anew(host: FakeHost) -> None:
    file = host.put("/etc/f.conf", "same")
    file.chmod(0o666)
    inode = file.stat().st_ino
    outcome = apply(host, files=[{"path": "/etc/f.conf", "content": "same"}])
    assert reasons(outcome) == ["file /etc/f.conf update: mode is 0666, wanted 0644"]
    assert (file.stat().st_ino, mode(file)) == (inode, "0644")


def test_a_reader_of_the_old_file_keeps_what_it_opened(host: FakeHost) -> None:
    file = host.put("/etc/f.conf", "old")
    with file.open() as reader:
        apply(host, files=[{"path": "/etc/f.conf", "content": "new"}])
        assert reader.read() == "old"


def test_a_file_is_complete_with_mode_before_it_gets_its_name(host: FakeHost) -> None:
    apply(host, files=[{"path": "/etc/f", "content": "x", "mode": "0600"}])
    steps = [step for step in host.steps if "/etc/" in step]
    assert steps == ["write /etc/.f.flatnet-new", "rename /etc/.f.flatnet-new to /etc/f"]


@pytest.mark.parametrize("data", [b"", b"\x00\xff binary", "h\u00e9llo\n".encode()])
def test_a_source_arrives_byte_by_byte(host: FakeHost, tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(data)
    apply(host, files=[{"path": "/etc/f", "source": str(source)}])
    assert (host.root / "etc/f").read_bytes() == data


def test_a_refused_content_leaves_the_old_file_and_no_temporary_one(host: FakeHost) -> None:
    host.put("/etc/f", "old")
    before = tree(host.root)
    entry = {"path": "/etc/f", "content": "invalid", "validate": "validator --check {path}"}
    with pytest.raises(StateError) as caught:
        apply(host, files=[{"path": "/etc/a", "content": "first"}, entry])
    assert str(caught.value) == (
        "file /etc/f: its new content is refused by `validator --check {path}`: invalid is not right\n"
        "The files and units of this host are as they were before."
    )
    assert tree(host.root) == before
    assert not (host.root / "var/lib/flatnet/state/example.json").exists()


def test_a_validator_cannot_tell_a_secret(host: FakeHost) -> None:
    entry = {"path": "/etc/f", "content": "invalid secret", "mode": "0600", "validate": "validator {path}"}
    with pytest.raises(StateError) as caught:
        apply(host, files=[entry])
    assert "secret" not in str(caught.value).replace("sensitive", "")
    assert "(what it said is withheld: the file is sensitive)" in str(caught.value)


def test_a_link_takes_the_place_of_a_file_and_a_file_that_of_a_link(host: FakeHost) -> None:
    host.put("/etc/f", "file")
    (host.root / "etc/l").symlink_to("nowhere")
    outcome = apply(
        host, files=[{"path": "/etc/l", "content": "x"}], links=[{"path": "/etc/f", "target": "l"}]
    )
    assert reasons(outcome) == ["file /etc/l update: is a link", "link /etc/f update: is a file, wanted -> l"]
    assert (host.root / "etc/l").read_text() == "x"
    assert not (host.root / "etc/l").is_symlink()
    assert (host.root / "etc/f").readlink() == Path("l")


def test_a_link_that_points_elsewhere_is_turned(host: FakeHost) -> None:
    apply(host, links=[{"path": "/opt/current", "target": "v1"}])
    outcome = apply(host, links=[{"path": "/opt/current", "target": "v2"}])
    assert reasons(outcome) == ["link /opt/current update: points to v1, wanted -> v2"]
    assert (host.root / "opt/current").readlink() == Path("v2")


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("found", "reason"),
    [("file", "a file stands there"), ("link", "a link to nothing stands there")],
)
def test_nothing_is_put_below_what_is_no_directory_and_check_mode_says_so(
    host: FakeHost, check: bool, found: str, reason: str
) -> None:
    if found == "file":
        host.put("/opt/d", "somebody's")
    else:
        host.put("/opt/other", "")
        (host.root / "opt/d").symlink_to("nowhere")
    before = tree(host.root)
    with pytest.raises(StateError) as caught:
        apply(host, files=[{"path": "/opt/d/e/f", "content": "x"}], check=check)
    assert str(caught.value).startswith(f"directory /opt/d: {reason}; remove it, or ")
    assert tree(host.root) == before


@pytest.mark.parametrize("key", ["files", "links"])
def test_a_directory_is_never_replaced_by_something_else(host: FakeHost, key: str) -> None:
    host.put("/opt/d/f", "somebody's")
    entry = {"path": "/opt/d", **({"content": "x"} if key == "files" else {"target": "y"})}
    with pytest.raises(
        StateError, match="/opt/d: a directory stands there; remove it, or choose another path"
    ):
        apply(host, **{key: [entry]})
    assert (host.root / "opt/d/f").read_text() == "somebody's"


def test_a_link_to_a_directory_will_do_for_a_directory(host: FakeHost) -> None:
    (host.root / "data").mkdir(mode=0o755)
    (host.root / "data").chmod(0o755)
    (host.root / "opt").mkdir()
    (host.root / "opt/d").symlink_to("../data")
    outcome = apply(host, directories=[{"path": "/opt/d"}])
    assert outcome["changes"] == []
    assert (host.root / "opt/d").is_symlink()


def test_an_unknown_owner_is_named(host: FakeHost) -> None:
    with pytest.raises(
        StateError, match=r"^file /etc/f: there is no user nobody-here on this host; create it"
    ):
        apply(host, files=[{"path": "/etc/f", "content": "x", "owner": "nobody-here"}])


def test_a_file_becomes_a_directory_and_a_directory_a_file(host: FakeHost) -> None:
    apply(host, files=[{"path": "/opt/x", "content": "1"}, {"path": "/opt/y/z", "content": "2"}])
    apply(host, files=[{"path": "/opt/x/f", "content": "3"}, {"path": "/opt/y", "content": "4"}])
    found = {path: data for path, data in tree(host.root).items() if path.startswith("/opt/")}
    assert found == {"/opt/x": b"directory", "/opt/x/f": b"3", "/opt/y": b"4"}


def test_two_owners_of_one_path_are_both_named(host: FakeHost) -> None:
    apply(host, name="first", files=[{"path": "/etc/f", "content": "1"}])
    with pytest.raises(StateError) as caught:
        apply(host, name="second", files=[{"path": "/etc/f", "content": "2"}])
    assert str(caught.value) == (
        "path /etc/f is wanted by second and belongs to first already; let only one of them have it"
    )
    with pytest.raises(
        StateError, match="path /etc/f is wanted absent by second, but /etc/f belongs to first"
    ):
        apply(host, name="second", absent=["/etc/f"])


def test_a_shared_directory_stays_until_its_last_owner_goes(host: FakeHost) -> None:
    for name in ("first", "second"):
        apply(host, name=name, directories=[{"path": "/etc/cni/net.d"}])
    with pytest.raises(StateError) as caught:
        apply(host, name="third", directories=[{"path": "/etc/cni/net.d", "mode": "0700"}])
    ids = f"{os.getuid()}:{os.getgid()}"
    assert str(caught.value) == (
        f"directory /etc/cni/net.d: third wants mode 0700 and owner {ids}, first wants 0755 and {ids}; "
        "let them agree"
    )
    apply(host, name="first", state="absent")
    assert (host.root / "etc/cni/net.d").is_dir()
    apply(host, name="second", state="absent")
    assert not (host.root / "etc/cni").exists()


def test_a_file_of_ours_that_somebody_removed_comes_back(host: FakeHost) -> None:
    state = {"files": [{"path": "/etc/f", "content": "x"}]}
    apply(host, **state)
    (host.root / "etc/f").unlink()
    assert reasons(apply(host, **state)) == ["file /etc/f create: missing"]


def test_a_record_that_cannot_be_read_is_named_with_the_way_out(host: FakeHost) -> None:
    host.put("/var/lib/flatnet/state/other.json", "{")
    with pytest.raises(
        StateError, match=r"^the record /var/lib/flatnet/state/other.json is not one that this"
    ):
        apply(host)


def test_a_diff_shows_texts_but_never_a_secret(host: FakeHost) -> None:
    host.put("/etc/open", "one\n")
    host.put("/etc/key", "SECRET-OLD")
    outcome = apply(
        host,
        diff=True,
        directories=[{"path": "/opt/d"}],
        files=[
            {"path": "/etc/open", "content": "two\n"},
            {"path": "/etc/key", "content": "SECRET-NEW", "mode": "0600"},
            {"path": "/etc/named", "content": "SECRET-2", "sensitive": True},
        ],
    )
    assert outcome["diff"] == [
        {"before_header": "/etc/open", "after_header": "/etc/open", "before": "one\n", "after": "two\n"},
        {"prepared": "file /etc/key: content differs (sensitive, not shown)\n"},
        {"prepared": "file /etc/named: content differs (sensitive, not shown)\n"},
        {
            "prepared": "directory /opt: create (missing, needed by what is below it)\n"
            "directory /opt/d: create (missing)\n"
            "file /etc/key: update (content differs, mode is 0644, wanted 0600)\n"
            "file /etc/named: create (missing)\n"
        },
    ]


def test_a_file_that_was_secret_is_not_shown_when_it_is_opened(host: FakeHost) -> None:
    apply(host, files=[{"path": "/etc/key", "content": "SECRET", "mode": "0600"}])
    outcome = apply(host, diff=True, files=[{"path": "/etc/key", "content": "open"}])
    assert "SECRET" not in str(outcome)


def test_no_record_holds_a_content(host: FakeHost) -> None:
    apply(host, files=[{"path": "/etc/key", "content": "SECRET", "mode": "0600"}])
    record = host.root / "var/lib/flatnet/state/example.json"
    assert "SECRET" not in record.read_text()
    assert mode(record) == "0600"
    assert mode(record.parent) == "0700"


def test_with_selinux_what_changed_gets_its_labels_before_units_start(host: FakeHost) -> None:
    host.put("/sys/fs/selinux/enforce", "1")
    unit = {"name": "a.service", "content": "[Service]\n[Install]\n"}
    apply(host, files=[{"path": "/opt/f", "content": "x"}], units=[unit])
    steps = [step for step in host.steps if step.startswith(("restorecon", "systemctl"))]
    assert steps[0] == "restorecon /opt /opt/f /etc/systemd/system/a.service"
    assert "systemctl restart a.service" in steps
    host.steps.clear()
    apply(host, files=[{"path": "/opt/f", "content": "x"}], units=[unit])
    assert host.steps == []
