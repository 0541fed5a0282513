import base64
from pathlib import Path
from typing import Any

import pytest
from node_state_host import FakeHost, apply, converge, received

from flatnet.errors import FlatnetError
from flatnet.state.desired import parse
from flatnet.state.digest import file_digest
from flatnet.state.exchange import explain_refusal, require_sources
from flatnet.state.wire import INLINE_SIZE, to_wire


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))


def packed(**state: object) -> tuple[Any, dict[str, str]]:
    package = to_wire(parse({"name": "example", **state}))
    return package.state, package.sources


def large(path: Path, byte: bytes = b"x") -> Path:
    path.write_bytes(byte * INLINE_SIZE)
    return path


def test_a_small_source_travels_in_the_call_and_a_large_one_by_its_digest(tmp_path: Path) -> None:
    small, big = tmp_path / "small", large(tmp_path / "big")
    small.write_bytes(b"\xff" * (INLINE_SIZE - 1))
    wire, sources = packed(
        files=[{"path": "/etc/s", "source": str(small)}, {"path": "/etc/b", "source": str(big)}]
    )
    assert base64.b64decode(wire["files"][0]["base64"]) == small.read_bytes()
    assert wire["files"][1]["sha256"] == file_digest(big)
    assert "text" not in wire["files"][1]
    assert sources == {file_digest(big): str(big)}


def test_a_program_always_goes_by_its_digest_which_may_be_given(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"tiny")
    wire, sources = packed(programs=[{"path": "/bin/p", "source": str(program)}])
    assert sources == {wire["files"][0]["sha256"]: str(program)}
    pinned = "AB" * 32
    wire, sources = packed(programs=[{"path": "/bin/p", "source": "/not/built/yet", "sha256": pinned}])
    assert wire["files"][0]["sha256"] == pinned.lower()
    assert sources == {pinned.lower(): "/not/built/yet"}


@pytest.mark.parametrize(("key", "fix"), [("files", "make it first"), ("programs", "build or download it")])
def test_a_source_that_is_not_there_is_named(key: str, fix: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        packed(**{key: [{"path": "/etc/f", "source": "/not/there"}]})
    assert str(caught.value) == (
        f"node_state example: {key[:-1]} /etc/f: its source /not/there is not a file on the controller; {fix}"
    )


def test_an_owner_that_is_to_go_needs_no_sources() -> None:
    wire, sources = packed(state="absent", files=[{"path": "/etc/f", "source": "/not/there"}])
    assert (wire["present"], wire["files"], sources) == (False, [], {})


def test_a_digest_is_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = large(tmp_path / "program")
    first = file_digest(program)
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", None)
        assert file_digest(program) == first
    large(program, b"y")
    assert file_digest(program) != first


def test_a_digest_needs_no_memory_to_be_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = large(tmp_path / "program")
    expected = file_digest(program)
    monkeypatch.setenv("FLATNET_CACHE", "/proc/nowhere")
    assert file_digest(program) == expected


def test_a_blob_is_asked_for_before_anything_changes_and_then_put_in_place(
    tmp_path: Path,
) -> None:
    host, program = FakeHost(tmp_path / "host"), large(tmp_path / "program")
    state = {
        "files": [{"path": "/etc/f", "content": "x"}],
        "programs": [{"path": "/usr/local/bin/p", "source": str(program)}],
    }
    first = converge(host, received(to_wire(parse({"name": "example", **state}))))
    assert (first["changed"], first["missing"]) == (False, [file_digest(program)])
    assert not (host.root / "etc/f").exists()
    outcome = apply(host, **state)
    assert (host.root / "usr/local/bin/p").read_bytes() == program.read_bytes()
    assert (host.root / "usr/local/bin/p").stat().st_mode & 0o7777 == 0o755
    assert [change["item"] for change in outcome["changes"] if change["kind"] != "directory"] == [
        "/etc/f",
        "/usr/local/bin/p",
    ]
    assert list((host.root / "var/lib/flatnet/staging").iterdir()) == []
    assert apply(host, **state)["changes"] == []


def test_in_check_mode_a_missing_blob_is_predicted_and_not_brought(tmp_path: Path) -> None:
    host, program = FakeHost(tmp_path / "host"), large(tmp_path / "program")
    outcome = apply(host, check=True, programs=[{"path": "/opt/p", "source": str(program)}])
    assert outcome["missing"] == [file_digest(program)]
    assert [change["item"] for change in outcome["changes"]] == ["/opt", "/opt/p"]
    assert not (host.root / "var/lib/flatnet").exists()


def test_a_blob_that_a_killed_apply_has_brought_is_used_and_a_part_of_one_is_not(tmp_path: Path) -> None:
    host, program = FakeHost(tmp_path / "host"), large(tmp_path / "program")
    staged = host.root / "var/lib/flatnet/staging" / file_digest(program)
    staged.parent.mkdir(parents=True)
    state = {"programs": [{"path": "/opt/p", "source": str(program)}]}
    staged.write_bytes(program.read_bytes()[:-1])
    assert apply(host, check=True, **state)["missing"] == [file_digest(program)]
    staged.write_bytes(program.read_bytes())
    assert apply(host, check=True, **state)["missing"] == []
    apply(host, **state)
    assert (host.root / "opt/p").read_bytes() == program.read_bytes()


def test_one_blob_may_be_two_programs(tmp_path: Path) -> None:
    host, program = FakeHost(tmp_path / "host"), large(tmp_path / "program")
    source = str(program)
    apply(
        host,
        programs=[{"path": "/opt/p", "source": source}, {"path": "/opt/q", "source": source, "mode": "0700"}],
    )
    first, second = (host.root / "opt/p").stat(), (host.root / "opt/q").stat()
    assert (first.st_mode & 0o777, second.st_mode & 0o777) == (0o755, 0o700)
    assert first.st_ino != second.st_ino


def test_a_large_file_is_not_read_again_while_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, program = FakeHost(tmp_path / "host"), large(tmp_path / "program")
    state = {"programs": [{"path": "/opt/p", "source": str(program)}]}
    apply(host, **state)
    with monkeypatch.context() as patch:
        patch.setattr("flatnet.host.state.digests.digest_of", None)
        assert apply(host, **state)["changes"] == []
    altered = host.root / "opt/p"
    with altered.open("r+b") as file:
        file.write(b"y")
    assert apply(host, **state)["changes"][0]["reason"] == "content differs"


def test_what_is_wrong_with_a_blob_is_said_in_one_sentence(tmp_path: Path) -> None:
    program = large(tmp_path / "program")
    with pytest.raises(FlatnetError) as caught:
        require_sources(["aa"], {"aa": "/not/built/yet"})
    assert str(caught.value) == (
        "the host misses /not/built/yet (sha256 aa), and it is not on the controller; build or download it"
    )
    with pytest.raises(FlatnetError) as caught:
        explain_refusal(["aa"], {"aa": str(program)})
    assert str(caught.value) == (
        f"{program} has sha256 {file_digest(program)}, but aa is asked for; "
        "fetch the right file, or correct the sha256"
    )
    explain_refusal([], {})
