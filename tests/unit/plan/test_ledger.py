import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, ledger, open_ledger, parse_ledger
from flatnet.plan.ledger_text import ledger_text

TEXT = """---
# Which node has which pod network. Written when the network is planned; keep it under version control.
# An entry never moves. Entries of nodes that left stay under `removed`, so that a node that returns finds
# its old network; delete one there to free its network. Comments of yours stay.
# The dots at the end tell that the file is whole.
cluster: berlin
nodes:
  node-a: [10.200.0.0/24, '2001:db8:200::/64']
  node-b: [10.200.1.0/24]
pins:
  node-b: [10.200.1.0/24]
removed:
  '1e3': [10.200.4.0/24]
  node-c: [10.200.2.0/24]
  'on': ['2001:db8:201::/64']
...
"""
ALLOCATIONS = Allocations.from_mapping(
    {
        "removed": {
            "on": ["2001:db8:201::/64"],
            "node-c": ["10.200.2.0/24"],
            "1e3": ["10.200.4.0/24"],
        },
        "pins": {"node-b": ["10.200.1.0/24"]},
        "nodes": {"node-b": ["10.200.1.0/24"], "node-a": ["2001:db8:200::/64", "10.200.0.0/24"]},
        "cluster": "berlin",
    }
)


def test_the_file_is_sorted_and_reads_like_a_list_of_nodes() -> None:
    assert ledger_text(ALLOCATIONS) == TEXT
    assert ledger_text(Allocations()) == TEXT[: TEXT.index("cluster")] + "nodes: {}\nremoved: {}\n...\n"


def test_what_was_written_is_read_back() -> None:
    assert parse_ledger(TEXT) == ALLOCATIONS


def test_a_file_of_an_earlier_version_without_a_cluster_is_read() -> None:
    assert parse_ledger("nodes:\n  node-a: [10.200.0.0/24]\nremoved: {}\n").cluster == ""


def test_a_file_that_is_only_a_word_is_refused() -> None:
    with pytest.raises(FlatnetError, match=r"is wrong: the allocations must be a mapping with the keys"):
        parse_ledger("null")


@pytest.mark.parametrize("text", ["nodes:\nremoved:\n", "nodes: {}\n", "{}"])
def test_a_file_without_nodes_is_an_empty_ledger(text: str) -> None:
    assert parse_ledger(text) == Allocations()


@pytest.mark.parametrize("text", ["", " \n", "---\n", "# nothing yet\n", TEXT[:30], '""'])
def test_a_file_without_content_is_refused_because_it_would_move_every_node(text: str) -> None:
    with pytest.raises(FlatnetError) as caught:
        parse_ledger(text, "a.yml")
    assert str(caught.value) == (
        "the allocations file a.yml is empty; restore it from version control, or correct it by hand, "
        "or delete it to start without"
    )


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


def test_an_absent_file_is_made_and_left_alone_when_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "network_allocations.yml"
    with open_ledger(path) as opened:
        assert opened.allocations == Allocations()
        assert opened.write(opened.text_after(ALLOCATIONS))
    before = path.stat()
    assert before.st_mode & 0o777 == 0o644
    with open_ledger(path) as opened:
        assert not opened.write(opened.text_after(ALLOCATIONS))
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list(tmp_path.iterdir()) == [path]


def test_a_users_comments_stay_until_something_changes(tmp_path: Path) -> None:
    path = tmp_path / "allocations.yml"
    text = "# mine\nnodes:\n  node-a: [10.200.0.0/24]\n"
    path.write_text(text)
    with open_ledger(path) as opened:
        assert opened.text_after(opened.allocations) == text


def test_a_write_keeps_the_mode_and_follows_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yml", tmp_path / "link.yml"
    real.write_text("nodes: {}\n")
    real.chmod(0o600)
    link.symlink_to(real)
    with open_ledger(link) as opened:
        opened.write(opened.text_after(ALLOCATIONS))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert parse_ledger(real.read_text()) == ALLOCATIONS


@pytest.mark.parametrize("broken", ["fsync", "fchmod", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "allocations.yml"
    path.write_text("nodes: {}\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path if broken == "replace" else os, broken, full)
    with (
        open_ledger(path) as opened,
        pytest.raises(
            FlatnetError, match=r"cannot be written: .*No space left on device; make its directory"
        ),
    ):
        opened.write(opened.text_after(ALLOCATIONS))
    assert path.read_text() == "nodes: {}\n"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from flatnet.plan import Allocations, open_ledger

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "before":
    os.fsync = die
else:
    Path.replace = die
with open_ledger(Path(sys.argv[1])) as ledger:
    ledger.write(ledger.text_after(Allocations.from_mapping({"nodes": {"x": ["10.200.9.0/24"]}})))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_is_killed_while_it_writes_leaves_the_old_file_and_the_next_one_cleans_up(
    tmp_path: Path, moment: str
) -> None:
    path = tmp_path / "allocations.yml"
    path.write_text(TEXT)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), moment], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == TEXT
    assert len(list(tmp_path.iterdir())) == 2
    with open_ledger(path) as opened:
        opened.write(opened.text_after(Allocations()))
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    path = tmp_path / "allocations.yml"
    seen: list[Allocations] = []
    started = threading.Event()

    def second() -> None:
        started.set()
        with open_ledger(path) as opened:
            seen.append(opened.allocations)

    with open_ledger(path) as opened:
        thread = threading.Thread(target=second)
        thread.start()
        started.wait(5)
        time.sleep(0.05)
        assert seen == []
        opened.write(opened.text_after(ALLOCATIONS))
    thread.join(5)
    assert seen == [ALLOCATIONS]


def test_who_waits_too_long_is_told_for_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "LOCK_SECONDS", 0.0)
    path = tmp_path / "allocations.yml"
    with (
        open_ledger(path),
        pytest.raises(FlatnetError, match=r"allocations\.yml is in use by another run .*; wait for that run"),
        open_ledger(path),
    ):
        pass


RACE = """
import sys, time
from pathlib import Path
from flatnet.plan import Allocations, open_ledger
from flatnet.plan.allocate import allocate
from flatnet.plan.addresses import parse_network
from flatnet.plan.findings import Findings
from flatnet.plan.request import Pool, Request

pool = Pool((parse_network("10.200.0.0/16"),), 24)
for number in range(5):
    with open_ledger(Path(sys.argv[1])) as ledger:
        names = [*ledger.allocations.nodes, f"{sys.argv[2]}-{number}"]
        after = allocate(Request({"ipv4": pool}, names), ledger.allocations, Findings())
        ledger.write(ledger.text_after(after))
"""


def test_runs_at_once_lose_no_node_and_give_no_network_twice(tmp_path: Path) -> None:
    # The directory is not there either: making it is part of the race.
    path = tmp_path / "deep" / "er" / "allocations.yml"
    runs = [
        subprocess.Popen([sys.executable, "-c", RACE, str(path), name], stderr=subprocess.PIPE, text=True)
        for name in ("a", "b", "c")
    ]
    errors = [run.communicate()[1] for run in runs]
    lost = [error for error in errors if error]
    # Who saw the directory appear while another wrote may be refused, which is safe, but nobody may be lost.
    assert all("changed while the network was planned; plan again" in error for error in lost)
    nodes = parse_ledger(path.read_text()).nodes
    assert len(nodes) >= 5 * (3 - len(lost))
    assert len({entry["ipv4"] for entry in nodes.values()}) == len(nodes)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_was_edited_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "allocations.yml"
    path.write_text("nodes: {}\n")
    with open_ledger(path) as opened:
        path.write_text("# by hand\n")
        with pytest.raises(FlatnetError, match=r"changed while the network was planned; plan again"):
            opened.write(opened.text_after(ALLOCATIONS))
    assert path.read_text() == "# by hand\n"


def test_the_directory_is_made_when_there_is_something_to_write_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "inventories" / "new" / "allocations.yml"
    with open_ledger(path) as opened:
        assert opened.allocations == Allocations()
        assert not opened.write(opened.text_after(Allocations()))
    assert list(tmp_path.iterdir()) == []
    with open_ledger(path) as opened:
        assert opened.write(opened.text_after(ALLOCATIONS))
    assert parse_ledger(path.read_text()) == ALLOCATIONS


def test_a_folder_that_cannot_be_written_to_is_told_and_reading_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "allocations.yml"
    path.write_text(TEXT)

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", read_only)
    fix = "make its directory writable, or choose another file"
    with open_ledger(path) as opened:
        assert opened.allocations == ALLOCATIONS
        with pytest.raises(FlatnetError, match=rf"cannot be written: .*Read-only file system; {fix}"):
            opened.write("nodes: {}\n")
    assert path.read_text() == TEXT


def test_a_folder_in_which_nothing_can_be_made_is_told() -> None:
    # /proc is written to by nobody, root included.
    with (
        open_ledger(Path("/proc/flatnet/allocations.yml")) as opened,
        pytest.raises(FlatnetError, match=r"/proc/flatnet/allocations\.yml cannot be written: "),
    ):
        opened.write(opened.text_after(ALLOCATIONS))


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (
        pytest.raises(FlatnetError, match=r"cannot be locked: .*No locks available; keep the file on"),
        open_ledger(tmp_path / "allocations.yml"),
    ):
        pass


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "loop.yml").symlink_to("loop.yml")
    for name in ("binary.yml", "folder.yml", "loop.yml"):
        with (
            pytest.raises(FlatnetError, match=rf"{name} cannot be (read|found): "),
            open_ledger(tmp_path / name),
        ):
            pass


@pytest.mark.parametrize("length", range(5, len(TEXT) - 1, 7))
def test_a_file_that_is_cut_off_anywhere_is_refused_and_not_written(tmp_path: Path, length: int) -> None:
    path = tmp_path / "allocations.yml"
    path.write_text(TEXT[:length])
    with (
        pytest.raises(FlatnetError, match=r"allocations\.yml is (empty|cut off.*); restore it from version"),
        open_ledger(path),
    ):
        pass
    assert path.read_text() == TEXT[:length]


def test_a_last_line_without_its_end_is_the_last_line() -> None:
    assert parse_ledger(TEXT.rstrip("\n")) == ALLOCATIONS
