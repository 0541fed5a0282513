"""Tells at the end of a run where a switch of the network stands that has not come to its end."""

from pathlib import Path

from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.plugins.callback import CallbackBase

from flatnet.errors import FlatnetError
from flatnet.switch.progress import read_progress

DOCUMENTATION = """
name: switch_state
type: aggregate
short_description: Where a switch of the network stands
description:
  - After a run that began a switch and did not end it, whatever ended the run, prints of each host whether it
    has the old network, the new one, or is between the two, and how to get to either end.
requirements:
  - Listed in C(callbacks_enabled).
"""


class CallbackModule(CallbackBase):
    """Adapter of flatnet.switch.progress."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "switch_state"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Know of no switch."""
        super().__init__()
        self._note: Path | None = None

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Remember where the note is that a step of a switch has kept."""
        note = result.result.get("switch_note")
        if note:
            self._note = Path(note)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Print where the switch stands, if it has not ended."""
        del stats
        if self._note is None:
            return
        try:
            progress = read_progress(self._note)
        except FlatnetError as error:
            self._display.warning(str(error))
            return
        if progress is not None:
            self._display.banner("SWITCH NOT ENDED")
            self._display.display(progress.explained())
