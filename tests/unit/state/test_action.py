"""The action plugin: how many calls it makes, what it transfers, and what it never says."""

from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from node_state_host import unit_text
from node_state_rig import Rig

from flatnet.state.digest import file_digest


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path / "cache"))
    return Rig(tmp_path / "host", monkeypatch)


@pytest.fixture(name="program")
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"program" * 1000)
    return path


def test_the_steady_state_costs_one_call(rig: Rig) -> None:
    state = {"files": [{"path": "/etc/f", "content": "x"}]}
    assert rig.run(**state)["changed"] is True
    assert rig.run(**state)["changed"] is False
    assert len(rig.requests) == 2


def test_a_program_is_brought_once_and_then_never_again(rig: Rig, program: Path) -> None:
    state = {"programs": [{"path": "/usr/local/bin/p", "source": str(program)}]}
    result = rig.run(**state)
    staged = f"/var/lib/flatnet/staging/{file_digest(program)}"
    assert rig.connection.brought == [(str(program), staged)]
    assert result["changed"] is True
    assert "missing" not in result
    assert rig.run(**state)["changed"] is False
    assert (len(rig.connection.brought), len(rig.requests)) == (1, 3)


def test_check_mode_foresees_a_restart_for_a_program_that_another_task_brings(
    rig: Rig, program: Path
) -> None:
    brought = {
        "name": "programs",
        "programs": [{"path": "/usr/local/bin/p", "source": str(program)}],
    }
    unit = {
        "name": "p.service",
        "content": unit_text(),
        "enabled": True,
        "state": "started",
        "restart_on": ["/usr/local/bin/p"],
    }
    rig.run(**brought)
    rig.run(units=[unit])
    program.write_bytes(b"another" * 1000)
    rig.in_check_mode = True
    assert rig.run(**brought)["msg"] == "program /usr/local/bin/p: update (content differs)"
    predicted = rig.run(units=[unit])
    assert "foreseen" not in predicted
    rig.in_check_mode = False
    rig.run(**brought)
    done = rig.run(units=[unit])
    assert (
        done["restarted"]
        == predicted["restarted"]
        == [{"unit": "p.service", "reason": "/usr/local/bin/p changed"}]
    )
    assert predicted == done
    assert rig.run(units=[unit])["changed"] is False


def test_check_mode_brings_nothing_but_makes_sure_that_it_could(rig: Rig, program: Path) -> None:
    rig.in_check_mode = True
    state = {"programs": [{"path": "/usr/local/bin/p", "source": str(program)}]}
    assert rig.run(**state)["changed"] is True
    assert rig.connection.brought == []
    absent = {"path": "/usr/local/bin/p", "source": "/not/built/yet", "sha256": "ab" * 32}
    with pytest.raises(AnsibleActionFail, match=r"^the host misses /not/built/yet \(sha256 abab"):
        rig.run(programs=[absent])


def test_a_program_of_another_digest_than_pinned_is_refused_with_both(rig: Rig, program: Path) -> None:
    pinned = "ab" * 32
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run(programs=[{"path": "/usr/local/bin/p", "source": str(program), "sha256": pinned}])
    assert caught.value.message == (
        f"{program} has sha256 {file_digest(program)}, but {pinned} is asked for; "
        "fetch the right file, or correct the sha256"
    )
    assert not (rig.host.root / "usr/local").exists()


def test_a_transfer_that_fails_names_the_file(rig: Rig, program: Path) -> None:
    rig.connection.broken = True
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run(programs=[{"path": "/usr/local/bin/p", "source": str(program)}])
    assert caught.value.message == f"{program} could not be brought to the host: No space left on device"


def test_a_bad_entry_is_refused_before_any_call(rig: Rig) -> None:
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run(files=[{"path": "f", "content": "x"}])
    assert caught.value.message == (
        "node_state example: files[0] f: path 'f' is relative, but has to begin with /"
    )
    assert rig.requests == []


def test_nothing_secret_is_in_the_call_in_clear_or_in_the_result(rig: Rig) -> None:
    result = rig.run(files=[{"path": "/etc/key", "content": "SECRET", "mode": "0600"}])
    assert "SECRET" not in str(result)
    assert b"SECRET" not in rig.sent[0]
    assert "invocation" not in result


def test_who_brings_files_is_told_only_when_the_module_runs_as_somebody_else(rig: Rig) -> None:
    rig.run()
    rig.connection.become = object()
    rig.run()
    assert [request["transfer_user"] for request in rig.requests] == ["", "admin"]


def test_a_module_that_was_killed_is_explained_with_what_to_do(rig: Rig) -> None:
    rig.ran = {"rc": 137, "stdout": "", "stderr": "Killed\n"}
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run()
    assert caught.value.message == (
        "host node-1 (192.0.2.11, port 22) ended the program without an answer (status 137): Killed. "
        "What it was doing is recorded there: apply again, and that is completed"
    )


def test_a_connection_that_cannot_hand_over_a_program_is_refused(rig: Rig) -> None:
    rig.connection.has_pipelining = False
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run()
    assert caught.value.message == "the connection rope cannot hand a program to Python on the host; use ssh"


def test_a_host_that_cannot_be_reached_is_unreachable_and_says_what_to_do(rig: Rig) -> None:
    rig.ran = AnsibleConnectionFailure("Failed to connect to the host via ssh: No route to host")
    with pytest.raises(AnsibleConnectionFailure) as caught:
        rig.run()
    assert caught.value.message == (
        "host node-1 (192.0.2.11, port 22) cannot be reached: No route to host. "
        "Check that it is up and that sshd listens there, or correct ansible_host or ansible_port"
    )


@pytest.mark.parametrize(
    ("stdout", "status", "expected"),
    [
        (
            'flatnet-answer {"uid": 1000}\n',
            0,
            "is logged in to as admin, who is not root; set ansible_become: true",
        ),
        ('flatnet-answer {"python": "3.6"}\n', 0, "has Python 3.6; at least 3.9 is needed"),
        ("", 93, "has no Python at /usr/bin/python3.9; install it there"),
    ],
)
def test_what_a_host_lacks_is_said_by_every_call(rig: Rig, stdout: str, status: int, expected: str) -> None:
    rig.ran = {"rc": status, "stdout": stdout, "stderr": ""}
    with pytest.raises(AnsibleActionFail) as caught:
        rig.run()
    assert caught.value.message.startswith(f"host node-1 (192.0.2.11, port 22) {expected}")


def test_a_delegated_call_uses_the_python_of_the_host_that_it_goes_to(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"control-1": {"ansible_python_interpreter": "/usr/bin/python3.9"}}
    variables = {**rig.variables, "ansible_python_interpreter": "/other", "ansible_delegated_vars": other}
    monkeypatch.setattr(rig, "delegate_to", "control-1")
    monkeypatch.setattr(rig, "variables", variables)
    assert rig.run()["changed"] is False
    rig.ran = {"rc": 93, "stdout": "", "stderr": ""}
    with pytest.raises(AnsibleActionFail, match=r"^host control-1 .* has no Python at /usr/bin/python3\.9;"):
        rig.run()
