import fcntl
import os
import threading
import time
from pathlib import Path

import pytest
from node_state_host import FakeHost, StateError, apply, converge, received

from flatnet.state.desired import parse
from flatnet.state.wire import to_wire


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(tmp_path / "host")
    apply(made, files=[{"path": "/etc/f", "content": "1"}])
    return made


def hold(host: FakeHost) -> int:
    """Hold the lock as another apply would; return the descriptor that holds it."""
    descriptor = os.open(host.root / "var/lib/flatnet/lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"etcd, process 4711")
    return descriptor


WANTED = received(to_wire(parse({"name": "example", "files": [{"path": "/etc/f", "content": "2"}]})))


def test_an_apply_that_waits_too_long_names_the_one_it_waits_for(host: FakeHost) -> None:
    descriptor = hold(host)
    with pytest.raises(StateError) as caught:
        converge(host, WANTED, patience=0)
    os.close(descriptor)
    assert str(caught.value) == (
        "another apply (etcd, process 4711) has held /var/lib/flatnet/lock for 0 s; "
        "wait until it has ended, or end that process, and apply again"
    )
    assert (host.root / "etc/f").read_text() == "1"


def test_an_apply_goes_on_as_soon_as_the_other_ends(host: FakeHost) -> None:
    descriptor = hold(host)
    timer = threading.Timer(0.15, os.close, [descriptor])
    timer.start()
    started = time.monotonic()
    assert converge(host, WANTED, patience=20)["changed"] is True
    assert time.monotonic() - started >= 0.1


def test_a_lock_that_the_last_owner_has_taken_along_is_made_anew(host: FakeHost) -> None:
    descriptor = hold(host)
    lock = host.root / "var/lib/flatnet/lock"

    def leave() -> None:
        lock.unlink()
        os.close(descriptor)

    timer = threading.Timer(0.15, leave)
    timer.start()
    assert converge(host, WANTED, patience=20)["changed"] is True
    assert lock.exists()


def test_check_mode_neither_waits_nor_makes_anything(host: FakeHost) -> None:
    descriptor = hold(host)
    assert converge(host, WANTED, check=True, patience=0)["changed"] is True
    os.close(descriptor)


def test_files_are_staged_in_a_directory_of_the_user_who_brings_them(host: FakeHost, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"program")
    state = {"name": "example", "programs": [{"path": "/opt/p", "source": str(program)}]}
    old = host.root / "var/lib/flatnet/staging" / ("ab" * 32)
    old.parent.mkdir()
    old.write_bytes(b"of an apply that never came back")
    os.utime(old, (0, 0))
    owner = (os.getuid(), os.getgid())
    outcome = converge(host, received(to_wire(parse(state))), staging_owner=owner)
    staging = host.root / "var/lib/flatnet/staging"
    assert len(outcome["missing"]) == 1
    assert (staging.stat().st_mode & 0o777, staging.stat().st_uid) == (0o700, owner[0])
    assert list(staging.iterdir()) == []
