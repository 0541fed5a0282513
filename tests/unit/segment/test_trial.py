"""What the controller makes of a move that it may not see the end of."""

import pytest

from flatnet.errors import FlatnetError
from flatnet.segment.trial import Attempt, outcome

ATTEMPT = Attempt("host node-1 (192.0.2.11, port 22)", "eth0", "br-pods", 30)
SAID = "host node-1 cannot be reached: Connection timed out"


def test_a_host_that_agreed_has_moved() -> None:
    assert outcome(ATTEMPT, {"phase": "moved"}, "", 3)


@pytest.mark.parametrize(
    "answer", [{"phase": "begun"}, {"phase": "trial-moving"}, {"phase": "unreachable"}, {}]
)
def test_what_may_still_come_is_waited_for(answer: dict[str, str]) -> None:
    assert not outcome(ATTEMPT, answer, SAID, 80)
    with pytest.raises(FlatnetError, match="Fix: see"):
        outcome(ATTEMPT, answer, SAID, 91)


def test_a_move_that_was_taken_back_names_host_cause_and_fix() -> None:
    answer = {"phase": "rolled back", "reason": "nobody connected anew within 30 seconds", "left": []}
    with pytest.raises(FlatnetError) as caught:
        outcome(ATTEMPT, answer, SAID, 40)
    assert str(caught.value) == (
        "host node-1 (192.0.2.11, port 22): the node's address was to move from eth0 to br-pods, and is "
        "back, with all of eth0 as it was: nobody connected anew within 30 seconds. The last that was heard: "
        "host node-1 cannot be reached: Connection timed out. Fix: look for what lets no packet in or out by "
        "br-pods, such as packet filter rules that name eth0 (`nft list ruleset`), or a switch that lets one "
        "hardware address pass each port; or give the way back longer than 30 s in "
        "cni_l2_bridge_rollback_seconds; then run again"
    )


def test_a_step_that_failed_is_the_cause() -> None:
    answer = {"phase": "rolled back", "reason": "ip -batch -: RTNETLINK answers: busy", "left": []}
    with pytest.raises(FlatnetError, match=r"busy\. Fix: mend what the reason names; then run again"):
        outcome(ATTEMPT, answer, "", 3)


def test_what_could_not_be_brought_back_is_told() -> None:
    answer = {
        "phase": "failed",
        "reason": "nobody connected",
        "left": ["it lacks 192.0.2.11/24 of its addresses"],
    }
    with pytest.raises(FlatnetError, match=r"brought back whole: it lacks 192\.0\.2\.11/24"):
        outcome(ATTEMPT, answer, "", 3)


def test_what_is_refused_on_the_host_changed_nothing() -> None:
    with pytest.raises(FlatnetError, match="nothing was changed: eth0 has several next hops"):
        outcome(ATTEMPT, {"phase": "refused", "reason": "eth0 has several next hops"}, "", 3)
