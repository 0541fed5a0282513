"""Why a call on a host brought no answer, in words that lead to the fix."""

from typing import Any, NamedTuple

from flatnet.errors import FlatnetError
from flatnet.remote.program import NO_PYTHON, OLDEST_PYTHON, answer_in


class Ran(NamedTuple):
    """What a command on a host left: exit status and texts."""

    status: int
    output: str
    errors: str


class Called(NamedTuple):
    """Who was called. host: as messages name it. interpreter: its Python. user: who logs in."""

    host: str
    interpreter: str
    user: str


def read_answer(called: Called, ran: Ran, advice: str = "") -> dict[str, Any]:
    """Return what a host answered. Raises FlatnetError saying why there is no answer.

    advice: a sentence for a program that ended before it could answer.
    """
    answer = answer_in(ran.output)
    if answer is None:
        raise FlatnetError(_no_answer_message(called, ran, advice))
    if answer.keys() == {"python"}:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise FlatnetError(
            f"{called.host} has Python {answer['python']}; at least {oldest} is needed: "
            "install a newer python3"
        )
    if answer.keys() == {"uid"}:
        raise FlatnetError(not_root_message(called.host, called.user))
    return answer


def not_root_message(host: str, user: str) -> str:
    """Return the message for a login that is not that of root, where nobody becomes root."""
    return (
        f"{host} is logged in to as {user}, who is not root; set ansible_become: true, or ansible_user: root"
    )


def no_become_message(host: str, user: str, said: str) -> str:
    """Return the message for a user who cannot become root."""
    if "must have a tty" in said:
        return (
            f"{host} does not let {user} become root without a terminal: {said}; put `Defaults:{user} "
            "!requiretty` into a file in /etc/sudoers.d there (visudo -f), or log in as root"
        )
    return (
        f"{host} does not let {user} become root: {said}; allow sudo without a password, "
        "give --ask-become-pass, or log in as root"
    )


def _no_answer_message(called: Called, ran: Ran, advice: str) -> str:
    said = " ".join((ran.errors.strip() or ran.output.strip()).split())[-300:]
    if ran.status == NO_PYTHON:
        return (
            f"{called.host} has no Python at {called.interpreter}; install it there "
            "(Debian: apt-get install python3, Red Hat: dnf install python3), "
            "or set ansible_python_interpreter"
        )
    # A program of ours that ends by a fault tells where, and may quote any word.
    if "Traceback" not in ran.errors and ("sudo" in said or "password" in said.lower()):
        return no_become_message(called.host, called.user, said)
    words = said or "nothing was said"
    ended = f"{called.host} ended the program without an answer (status {ran.status}): {words}"
    return f"{ended}. {advice}" if advice else ended
