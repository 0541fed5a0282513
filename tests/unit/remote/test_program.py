"""A call on a host that brings its own modules along: what runs there, and what comes back."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flatnet.remote.program import NO_PYTHON, answer_in, command, needed_modules, packed_modules, program
from flatnet.state.desired import parse
from flatnet.state.wire import to_wire

STATE = "flatnet.host.state.serve"


def call(
    module: str, request: dict[str, Any], cwd: Path, root_needed: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a program as a host's shell does."""
    return subprocess.run(
        ["sh", "-c", command(sys.executable)],
        input=program(module, request, root_needed).decode(),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a module that answers with the number it was asked to say, and fails at text."""
    directory = tmp_path / "given"
    (directory / "below").mkdir(parents=True)
    (directory / "__init__.py").write_text("")
    (directory / "below" / "__init__.py").write_text("")
    (directory / "other.py").write_text("def echo(request):\n    return {'heard': request['say'] / 1}\n")
    (directory / "unused.py").write_text("raise SystemExit('nobody needs this')\n")
    (directory / "below" / "ask.py").write_text(
        "from .. import (\n    other,\n)\ndef answer(request):\n    return other.echo(request)\n"
    )
    monkeypatch.setattr("flatnet.remote.program._ROOT", tmp_path)
    packed_modules.cache_clear()
    return "given.below.ask"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, "command -v python3 >/dev/null 2>&1 || exit 93; exec python3 -I -"),
        ("auto_silent", "command -v python3 >/dev/null 2>&1 || exit 93; exec python3 -I -"),
        (
            "/opt/python 3/bin/python3",
            "command -v '/opt/python 3/bin/python3' >/dev/null 2>&1 || exit 93; "
            "exec '/opt/python 3/bin/python3' -I -",
        ),
    ],
)
def test_the_interpreter_is_the_one_set_for_the_host(setting: str | None, expected: str) -> None:
    assert command(setting) == expected


def test_modules_that_came_along_import_each_other_and_answer(given: str, tmp_path: Path) -> None:
    done = call(given, {"say": 3}, tmp_path)
    assert (done.returncode, answer_in(done.stdout), done.stderr) == (0, {"heard": 3.0}, "")


def test_only_modules_that_are_needed_come_along(given: str) -> None:
    assert list(needed_modules(given)) == ["given", "given.below", "given.below.ask", "given.other"]


def test_modules_where_the_login_begins_are_not_taken_for_others(given: str, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')\n")
    assert answer_in(call(given, {"say": 3}, tmp_path).stdout) == {"heard": 3.0}


def test_a_fault_shows_the_line_and_nothing_of_the_request(given: str, tmp_path: Path) -> None:
    done = call(given, {"say": "SECRET"}, tmp_path)
    assert answer_in(done.stdout) is None
    assert done.returncode == 1
    assert 'File "given.other", line 2' in done.stderr
    assert "SECRET" not in done.stderr
    sent = program(given, {"say": "SECRET"}).decode()
    packed = sent.rpartition("REQUEST = '")[2].partition("'")[0]
    assert "SECRET" not in sent
    assert packed
    assert packed[:20] not in done.stderr


def test_what_else_a_login_prints_is_no_answer() -> None:
    assert answer_in("") is None
    assert answer_in("Welcome!\n") is None
    assert answer_in('Welcome!\nflatnet-answer {"a": 1}\nlogout\n') == {"a": 1}


def test_the_state_of_this_machine_is_compared_by_the_real_program(tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    package = to_wire(parse({"name": "example", "files": [{"path": str(wanted), "content": "text\n"}]}))
    request = {
        "state": package.state,
        "check": True,
        "diff": True,
        "transfer_user": "",
        "foreseen": {},
        "look": False,
    }
    answer = answer_in(call(STATE, request, tmp_path).stdout)
    assert answer
    assert answer["changed"] is True
    assert [(change["kind"], change["item"]) for change in answer["changes"]] == [("file", str(wanted))]
    assert "text" in json.dumps(answer["diff"])
    assert not wanted.exists()
    silent = answer_in(call(STATE, {**request, "diff": False}, tmp_path).stdout)
    assert silent
    assert "diff" not in silent


def test_what_cannot_be_is_an_answer_too(tmp_path: Path) -> None:
    package = to_wire(parse({"name": "example", "files": [{"path": f"{__file__}/below", "content": ""}]}))
    request = {
        "state": package.state,
        "check": True,
        "diff": False,
        "transfer_user": "",
        "foreseen": {},
        "look": False,
    }
    answer = answer_in(call(STATE, request, tmp_path).stdout)
    assert answer
    assert answer["failed"] is True
    assert answer["msg"] == (f"directory {__file__}: a file stands there; remove it, or choose another path")


def test_an_old_python_tells_its_version_and_reads_no_further() -> None:
    sent = program(STATE, {}).replace(b"sys.version_info < (3, 9)", b"sys.version_info < (99,)")
    told = subprocess.run([sys.executable, "-"], input=sent, capture_output=True, check=True).stdout.decode()
    assert answer_in(told) == {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    head = sent.decode().split("exec(compile", 1)[0]
    ast.parse(head, feature_version=(3, 0))
    assert sent.isascii()


def test_a_host_without_the_python_says_so_by_its_status() -> None:
    done = subprocess.run(["sh", "-c", command("/no/such/python")], check=False)
    assert done.returncode == NO_PYTHON


def test_who_is_not_root_is_refused_where_root_is_needed(given: str, tmp_path: Path) -> None:
    sent = program(given, {"say": 3}, root_needed=True)
    as_another = b"import os\nos.geteuid = lambda: 1000\n" + sent
    told = subprocess.run([sys.executable, "-I", "-"], input=as_another, capture_output=True, check=True)
    assert answer_in(told.stdout.decode()) == {"uid": 1000}
    as_root = as_another.replace(b"1000", b"0")
    told = subprocess.run([sys.executable, "-I", "-"], input=as_root, capture_output=True, check=True)
    assert answer_in(told.stdout.decode()) == {"heard": 3.0}
    assert answer_in(call(given, {"say": 3}, tmp_path).stdout) == {"heard": 3.0}
