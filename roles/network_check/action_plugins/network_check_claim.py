"""The action network_check_claim: one check at a time, and nothing left of one that is killed."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from flatnet.check import guard
from flatnet.errors import FlatnetError
from flatnet.remote.action import HostAction

# What policies take in the largest cluster; a run that is alive is known by other means where it is ours.
_SECONDS = 900
_GUARD_READY_SECONDS = 30


class ActionModule(HostAction):
    """Adapter of flatnet.check.guard, and of flatnet.host.objects.claim where the API is reached from."""

    module = "flatnet.host.objects.claim"
    judged = True
    _VALID_ARGS = frozenset({"credentials", "namespaces", "run", "state", "wait_ready_seconds"})

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return that nothing changed, `held` with the reason where another run has the network.

        With the state "given_up" the host is not asked: the namespaces have been removed.
        """
        arguments = self._task.args
        # A worker's parent is the run.
        main = os.getppid()
        if arguments["state"] != "held":
            if arguments["state"] == "released":
                self._ask("released", variables)
            self._stop_guard()
            return {"changed": False}
        ended: list[str] = []
        while True:
            holder = self._ask("held", variables, guard.identity(main), ended)["holder"]
            if not holder:
                break
            if not guard.has_ended(holder) or holder["run"] in ended:
                return {"failed": True, "held": True, "msg": guard.holder_text(holder, time.time())}
            ended.append(holder["run"])
        self._start_guard(main, variables)
        return {"changed": False}

    def _ask(
        self,
        state: str,
        variables: dict[str, Any],
        claim: dict[str, Any] | None = None,
        ended: Sequence[str] = (),
    ) -> dict[str, Any]:
        arguments = self._task.args
        request = {
            "credentials": arguments["credentials"],
            "namespaces": list(arguments["namespaces"]),
            "state": state,
            "claim": {**(claim or {}), "run": arguments["run"], "since": time.time()},
            "seconds": _SECONDS,
            "ended": list(ended),
            "wait_ready_seconds": int(arguments["wait_ready_seconds"]),
        }
        try:
            answer = self.ask(request, variables)
        except AnsibleConnectionFailure as error:
            # That a host is unreachable ends a task that runs once, whatever the task says of it.
            raise FlatnetError(str(error)) from None
        if answer.get("failed"):
            raise FlatnetError(str(answer["msg"]))
        return answer

    def _start_guard(self, main: int, variables: dict[str, Any]) -> None:
        def act() -> None:
            self._task.args["wait_ready_seconds"] = _GUARD_READY_SECONDS
            self._ask("removed", variables)

        try:
            number = guard.start(main, act)
        except OSError:
            # Without /proc nobody sees the run end; then the next one clears away what a dead one left.
            return
        self._file().write_text(str(number), encoding="ascii")

    def _stop_guard(self) -> None:
        path = self._file()
        if path.exists():
            guard.stop(int(path.read_text(encoding="ascii")))
            path.unlink()

    def _file(self) -> Path:
        return self.folder() / f"network-check-guard-{self._task.args['run']}"
