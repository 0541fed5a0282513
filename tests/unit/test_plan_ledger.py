import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, open_ledger, parse_ledger
from flatnet.plan.ledger import ledger_text

TEXT = """---
# Which node has which pod network. Written when the network is planned; keep it under version control.
# An entry never moves. Entries of nodes that left stay under `removed`, so that a node that returns finds
# its old network; delete one there to free its network.
nodes:
  node-a: [10.200.0.0/24, '2001:db8:200::/64']
  node-b: [10.200.1.0/24]
removed:
  node-c: [10.200.2.0/24]
"""
ALLOCATIONS = Allocations.from_mapping(
    {
        "removed": {"node-c": ["10.200.2.0/24"]},
        "nodes": {"node-b": ["10.200.1.0/24"], "node-a": ["2001:db8:200::/64", "10.200.0.0/24"]},
    }
)


def test_the_file_is_sorted_and_reads_like_a_list_of_nodes() -> None:
    assert (
        ledger_text(ALLOCATIONS).replace("2001:db8:200::/64", "'2001:db8:200::/64'").replace("''", "'")
        == TEXT
    )


def test_what_was_written_is_read_back() -> None:
    assert parse_ledger(ledger_text(ALLOCATIONS)) == ALLOCATIONS
    assert parse_ledger(TEXT) == ALLOCATIONS


@pytest.mark.parametrize("text", ["", "---\n", "# nothing yet\n", "nodes:\nremoved:\n", "nodes: {}\n"])
def test_an_empty_file_is_an_empty_ledger(text: str) -> None:
    assert parse_ledger(text) == Allocations()


@pytest.mark.parametrize("name", ["on", "1e3", "null", "0x10", "2001-01-01"])
def test_names_that_yaml_would_take_for_something_else_stay_names(name: str) -> None:
    assert list(parse_ledger(f"nodes:\n  {name}: [10.200.0.0/24]\n").nodes) == [name]
    assert parse_ledger(ledger_text(parse_ledger(f"nodes:\n  {name}: [10.200.0.0/24]\n"))).nodes.keys() == {
        name
    }


def test_a_node_that_is_there_twice_is_refused() -> None:
    text = "nodes:\n  node-a: [10.200.0.0/24]\n  node-a: [10.200.1.0/24]\n"
    with pytest.raises(
        FlatnetError, match=r"allocations\.yml cannot be read: node-a is there twice; restore it"
    ):
        parse_ledger(text, "allocations.yml")


@pytest.mark.parametrize(
    "text",
    ["nodes: [", "a: b", "nodes: !!timestamp x", "&a [*a]", "{[]: 1}", "\x00", "--- a\n--- b", "[" * 1200],
)
def test_a_file_that_is_no_ledger_is_refused(text: str) -> None:
    with pytest.raises(FlatnetError, match="the allocations file"):
        parse_ledger(text)


@given(st.text() | st.text(alphabet="nodes: removed{}[]-&*!\n\"'0123/.#|>?", max_size=60))
def test_arbitrary_text_raises_nothing_but_the_error_for_users(text: str) -> None:
    try:
        read = parse_ledger(text)
    except FlatnetError:
        return
    assert parse_ledger(ledger_text(read)) == read


def test_an_absent_file_is_made_and_left_alone_when_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "network_allocations.yml"
    with open_ledger(path) as ledger:
        assert ledger.allocations == Allocations()
        assert ledger.write(ledger.text_after(ALLOCATIONS))
    before = path.stat()
    assert before.st_mode & 0o777 == 0o644
    with open_ledger(path) as ledger:
        assert not ledger.write(ledger.text_after(ALLOCATIONS))
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [path]


def test_a_users_comments_stay_until_something_changes(tmp_path: Path) -> None:
    path = tmp_path / "allocations.yml"
    text = "# mine\nnodes:\n  node-a: [10.200.0.0/24]\n"
    path.write_text(text)
    with open_ledger(path) as ledger:
        assert ledger.text_after(ledger.allocations) == text


def test_a_write_keeps_the_mode_and_follows_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yml", tmp_path / "link.yml"
    real.write_text("")
    real.chmod(0o600)
    link.symlink_to(real)
    with open_ledger(link) as ledger:
        ledger.write(ledger.text_after(ALLOCATIONS))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert parse_ledger(real.read_text()) == ALLOCATIONS


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "allocations.yml"
    path.write_text("nodes: {}\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        open_ledger(path) as ledger,
        pytest.raises(FlatnetError, match=r"cannot be written: .*No space left"),
    ):
        ledger.write(ledger.text_after(ALLOCATIONS))
    assert path.read_text() == "nodes: {}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    path = tmp_path / "allocations.yml"
    seen: list[Allocations] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with open_ledger(path) as ledger:
            seen.append(ledger.allocations)

    with open_ledger(path) as ledger:
        thread = threading.Thread(target=second)
        thread.start()
        started.wait(5)
        time.sleep(0.05)
        assert seen == []
        ledger.write(ledger.text_after(ALLOCATIONS))
    thread.join(5)
    assert seen == [ALLOCATIONS]


def test_a_directory_that_is_not_there_and_a_file_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(FlatnetError, match=r"the directory of the allocations file .* cannot be opened"),
        open_ledger(tmp_path / "absent" / "allocations.yml"),
    ):
        pass
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FlatnetError, match="cannot be read"), open_ledger(tmp_path / "binary.yml"):
        pass
