"""The cache holds finished folders only, and knows their digests without reading them again."""

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from flatnet.programs import store as store_module
from flatnet.programs.store import DigestCache, Store, digest_of, read_sums, write_sums


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache" / "programs")


def test_a_finished_folder_holds_its_files_their_digests_and_its_origin(store: Store) -> None:
    entry = store.entry("tool", "1.0.0", "0123456789abcdef")
    with store.new_entry(entry, {"source": "gomod"}) as folder:
        (folder / "tool").write_bytes(b"program")
    digest = hashlib.sha256(b"program").hexdigest()
    assert entry.name == "tool-1.0.0-0123456789ab"
    assert (entry / "SHA256SUMS").read_text() == f"{digest}  tool\n"
    assert store.origin(entry) == {"source": "gomod"}
    assert store.is_complete(entry)


def test_an_exception_while_filling_leaves_nothing(store: Store) -> None:
    entry = store.entry("tool", "1.0.0", "0" * 12)

    def fill() -> None:
        with store.new_entry(entry, {}) as folder:
            (folder / "tool").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert list(store.root.iterdir()) == []


def test_what_a_killed_process_left_is_discarded_and_finished_folders_stay(store: Store) -> None:
    entry = store.entry("tool", "1.0.0", "0" * 12)
    with store.new_entry(entry, {}) as folder:
        (folder / "tool").write_bytes(b"program")
    leftover = store.root / ".unfinished-tool-1.0.0-000000000000-abc"
    leftover.mkdir()
    (leftover / "tool").write_bytes(b"half")
    store.discard_unfinished()
    assert [path.name for path in store.root.iterdir()] == [entry.name]


def test_a_folder_that_is_being_filled_is_not_discarded(store: Store) -> None:
    entry = store.entry("tool", "1.0.0", "0" * 12)
    with store.new_entry(entry, {}) as folder:
        (folder / "tool").write_bytes(b"program")
        # A build does this while a download is under way: each has its own lock, and both fill this store.
        store.discard_unfinished()
    assert (entry / "tool").read_bytes() == b"program"


def test_a_folder_that_lost_a_file_is_not_complete_and_is_made_anew(store: Store) -> None:
    entry = store.entry("tool", "1.0.0", "0" * 12)
    for content in (b"first", b"second"):
        with store.new_entry(entry, {}) as folder:
            (folder / "tool").write_bytes(content)
        assert store.is_complete(entry)
        if content == b"first":
            (entry / "tool").unlink()
            assert not store.is_complete(entry)
    assert (entry / "tool").read_bytes() == b"second"


def test_the_second_holder_of_a_lock_waits_and_is_told_who_holds_it(store: Store) -> None:
    told: list[str] = []
    order: list[str] = []

    def second() -> None:
        with store.lock("build", told.append):
            order.append("second")

    with store.lock("build"):
        thread = threading.Thread(target=second)
        thread.start()
        deadline = time.monotonic() + 5
        while not told and time.monotonic() < deadline:
            time.sleep(0.005)
        order.append("first")
    thread.join(timeout=5)
    assert told == [str(os.getpid())]
    assert order == ["first", "second"]


@given(
    st.dictionaries(
        st.text(st.characters(categories=["L", "N"], include_characters=" .-_*"), min_size=1).filter(
            lambda name: not name.startswith("./") and name.strip() == name
        ),
        st.binary().map(lambda content: hashlib.sha256(content).hexdigest()),
    )
)
def test_sums_read_back_as_they_were_written(digests: dict[str, str]) -> None:
    folder = Path(os.environ["FLATNET_CACHE"])
    folder.mkdir(parents=True, exist_ok=True)
    write_sums(folder, digests)
    assert read_sums(folder) == digests


@pytest.mark.parametrize("form", ["{}  tool\n", "{} *tool\n", "{}  ./tool\n"])
def test_every_form_that_sha256sum_writes_is_read(tmp_path: Path, form: str) -> None:
    digest = "ab" * 32
    (tmp_path / "SHA256SUMS").write_text(form.format(digest.upper()))
    assert read_sums(tmp_path) == {"tool": digest}


@pytest.mark.parametrize("line", ["tool", "abc  tool", "ab" * 32 + " tool", "ab" * 32])
def test_a_malformed_line_of_sums_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "SHA256SUMS").write_text("ab" * 32 + f"  good\n{line}\n")
    with pytest.raises(FlatnetError) as refused:
        read_sums(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path}/SHA256SUMS, line 2: {line!r} is not `<sha256>  <file>`; make it again with sha256sum"
    )


def test_missing_sums_are_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(FlatnetError) as refused:
        read_sums(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path}/SHA256SUMS cannot be read (No such file or directory); make it with "
        "`sha256sum * > SHA256SUMS` there"
    )


class Reader:
    """Counts how often a file is really read."""

    def __init__(self) -> None:
        self.files: list[str] = []

    def __call__(self, path: Path) -> str:
        self.files.append(path.name)
        return digest_of(path)


def test_a_digest_is_computed_once_and_again_only_when_the_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader()
    monkeypatch.setattr(store_module, "digest_of", reader)
    file = tmp_path / "tool"
    file.write_bytes(b"one")
    (tmp_path / "cache").mkdir()
    assert DigestCache().sha256(file) == hashlib.sha256(b"one").hexdigest()
    assert DigestCache().sha256(file) == hashlib.sha256(b"one").hexdigest()
    assert reader.files == ["tool"]
    file.write_bytes(b"twice")
    assert DigestCache().sha256(file) == hashlib.sha256(b"twice").hexdigest()
    assert reader.files == ["tool", "tool"]


def test_a_replaced_file_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    file, other = tmp_path / "tool", tmp_path / "other"
    file.write_bytes(b"one")
    other.write_bytes(b"two")
    status = file.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert DigestCache().sha256(file) == hashlib.sha256(b"one").hexdigest()
    other.replace(file)
    assert DigestCache().sha256(file) == hashlib.sha256(b"two").hexdigest()


def test_the_first_look_up_after_a_build_reads_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = store.entry("tool", "1.0.0", "0" * 12)
    with store.new_entry(entry, {}) as folder:
        (folder / "tool").write_bytes(b"program")
    reader = Reader()
    monkeypatch.setattr(store_module, "digest_of", reader)
    assert DigestCache().sha256(entry / "tool") == hashlib.sha256(b"program").hexdigest()
    assert reader.files == []


@pytest.mark.parametrize("content", ["", "[]", "not json"])
def test_a_spoiled_digest_cache_is_made_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tool"
    file.write_bytes(b"one")
    (tmp_path / "digests.json").write_text(content)
    assert DigestCache(tmp_path / "digests.json").sha256(file) == hashlib.sha256(b"one").hexdigest()
