"""A call on a host that brings its own modules along: what runs there, and what comes back."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flatnet.state.desired import parse
from flatnet.state.remote import answer_in, command, program
from flatnet.state.wire import to_wire

ROLE = Path(__file__).parents[3] / "roles" / "node_state"
SCRIPT = ROLE / "files" / "remote.py"
PACKAGE = ROLE / "module_utils" / "flatnet_node"


def call(package: Path, module: str, request: dict[str, Any], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a host's shell does."""
    return subprocess.run(
        ["sh", "-c", command(sys.executable)],
        input=program(SCRIPT, package, module, request).decode(),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a package whose one module answers with the number it was asked to say, and fails at text."""
    directory = tmp_path / "given"
    directory.mkdir()
    (directory / "__init__.py").write_text("")
    (directory / "other.py").write_text("def echo(request):\n    return {'heard': request['say'] / 1}\n")
    (directory / "ask.py").write_text(
        "from .other import echo\ndef answer(request):\n    return echo(request)\n"
    )
    return directory


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, "exec python3 -I -"),
        ("auto_silent", "exec python3 -I -"),
        ("/opt/python 3/bin/python3", "exec '/opt/python 3/bin/python3' -I -"),
    ],
)
def test_the_interpreter_is_the_one_set_for_the_host(setting: str | None, expected: str) -> None:
    assert command(setting) == expected


def test_modules_that_came_along_import_each_other_and_answer(package: Path, tmp_path: Path) -> None:
    done = call(package, "ask", {"say": 3}, tmp_path)
    assert (done.returncode, answer_in(done.stdout), done.stderr) == (0, {"heard": 3.0}, "")


def test_modules_where_the_login_begins_are_not_taken_for_others(package: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')\n")
    assert answer_in(call(package, "ask", {"say": 3}, tmp_path).stdout) == {"heard": 3.0}


def test_a_fault_shows_the_line_and_nothing_of_the_request(package: Path, tmp_path: Path) -> None:
    done = call(package, "ask", {"say": "SECRET"}, tmp_path)
    assert answer_in(done.stdout) is None
    assert done.returncode == 1
    assert 'File "given.other", line 2' in done.stderr
    assert "SECRET" not in done.stderr
    sent = program(SCRIPT, package, "ask", {"say": "SECRET"}).decode()
    packed = sent.rpartition("PACKED = '")[2].partition("'")[0]
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
    request = {"state": package.state, "check": True, "diff": True, "transfer_user": "", "foreseen": {}}
    answer = answer_in(call(PACKAGE, "serve", request, tmp_path).stdout)
    assert answer
    assert answer["changed"] is True
    assert [(change["kind"], change["item"]) for change in answer["changes"]] == [("file", str(wanted))]
    assert "text" in json.dumps(answer["diff"])
    assert not wanted.exists()
    silent = answer_in(call(PACKAGE, "serve", {**request, "diff": False}, tmp_path).stdout)
    assert silent
    assert "diff" not in silent


def test_what_cannot_be_is_an_answer_too(tmp_path: Path) -> None:
    package = to_wire(parse({"name": "example", "files": [{"path": f"{SCRIPT}/below", "content": ""}]}))
    request = {"state": package.state, "check": True, "diff": False, "transfer_user": "", "foreseen": {}}
    answer = answer_in(call(PACKAGE, "serve", request, tmp_path).stdout)
    assert answer
    assert answer["failed"] is True
    assert answer["msg"] == (f"directory {SCRIPT}: a file stands there; remove it, or choose another path")
