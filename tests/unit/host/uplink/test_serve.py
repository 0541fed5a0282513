"""What a host is asked to do for a move, and how far it says that it is."""

import json
from typing import Any

from flatnet.host.state.host import Host, Ran
from flatnet.host.uplink.serve import answer_on

REQUEST = {"program": "/usr/local/sbin/flatnet-l2-uplink", "file": "/etc/uplink.json", "token": "7"}


class Answering(Host):
    """Keeps commands, and answers each in turn."""

    def __init__(self, *answers: Ran) -> None:
        super().__init__()
        self.answers = list(answers)
        self.ran: list[list[str]] = []

    def run(self, arguments: list[str], text: str | None = None, changes: bool = True) -> Ran:
        del text, changes
        self.ran.append(arguments)
        return self.answers.pop(0)


def ask(begin: bool, *answers: Ran) -> tuple[dict[str, Any], list[list[str]]]:
    host = Answering(*answers)
    return answer_on(host, {**REQUEST, "begin": begin}), host.ran


def test_a_move_begins_when_the_answer_has_gone() -> None:
    answer, [command] = ask(True, Ran(0, "", ""))
    assert answer == {"phase": "begun"}
    assert (command[0], command[1]) == ("systemd-run", "--on-active=1")
    assert command[-4:] == ["/usr/local/sbin/flatnet-l2-uplink", "try", "/etc/uplink.json", "7"]


def test_what_keeps_a_move_from_beginning_is_told() -> None:
    answer, _ = ask(True, Ran(1, "", "Failed to start transient timer unit: Unit was already loaded"))
    assert answer["failed"]
    assert "already loaded" in answer["msg"]


def test_the_host_tells_how_far_this_move_is_and_not_another() -> None:
    for phase, token, told in (
        ("moved", "7", "moved"),
        ("moved", "6", "begun"),
        ("rolled back", "7", "rolled back"),
    ):
        shown = Ran(0, json.dumps({"phase": phase, "token": token, "reason": ""}), "")
        answer, ran = ask(False, Ran(0, "", ""), shown)
        assert answer["phase"] == told
        assert [command[1] for command in ran] == ["confirm", "look"]


def test_a_host_that_cannot_agree_says_why() -> None:
    assert ask(False, Ran(1, "", "No space left on device"))[0]["msg"] == "No space left on device"
