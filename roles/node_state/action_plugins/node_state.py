"""The controller's half of node_state: validate, pack, call the host once, bring blobs only when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from flatnet.errors import FlatnetError
from flatnet.host.state.asked import asked_for, digest, is_empty
from flatnet.remote.action import HostAction
from flatnet.state.applied import awaits, follow_change, holds_state, read_paths
from flatnet.state.desired import parse
from flatnet.state.exchange import explain_refusal, require_sources
from flatnet.state.foreseen import foresee, foreseen_on
from flatnet.state.started import note_started
from flatnet.state.wire import Package, to_wire

STAGING = "/var/lib/flatnet/staging"


class ActionModule(HostAction):
    """Runs on the controller for each host."""

    module = "flatnet.host.state.serve"
    root_needed = True
    advice = "What it was doing is recorded there: apply again, and that is completed"

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return what the host did, without anything of the state itself."""
        package = to_wire(parse(self._task.args))
        host, folder, check = self.host(variables), self.folder(), self._task.check_mode
        foreseen = foreseen_on(host, folder) if check else {}
        if self._holds(package, host, folder, foreseen):
            unchanged = {"changed": False, "changes": [], "restarted": [], "msg": "as wanted"}
            return {**unchanged, "diff": []} if self._task.diff else unchanged
        try:
            answer = self._apply(package, foreseen, variables)
        except Exception:
            # Whatever it did on the host.
            self._changed(host, {})
            raise
        if answer["changed"] and not check:
            self._changed(host, answer.pop("applied", {}))
            note_started(host, folder, answer["changes"])
        answer.pop("missing")
        foresee(host, folder, answer.pop("foreseen", {}))
        return answer

    def is_done(self, variables: dict[str, Any], folder: Path) -> bool:
        """Tell whether a look in this run has shown that nothing is to do."""
        host = self.host(variables)
        foreseen = foreseen_on(host, folder) if self._task.check_mode else {}
        return self._holds(to_wire(parse(self._task.args)), host, folder, foreseen)

    def _holds(self, package: Package, host: str, folder: Path, foreseen: dict[str, str]) -> bool:
        asked = asked_for(package.state)
        held = holds_state(host, folder, asked["name"], digest(asked), is_empty(asked))
        told = any(unit["restart_reasons"] for unit in package.state["units"])
        return held and not told and foreseen.keys().isdisjoint(read_paths(package.state))

    def _changed(self, host: str, applied: dict[str, str]) -> None:
        """Take note of a change of the host; applied: what another look after it found."""
        if not self._task.check_mode:
            follow_change(host, self.folder(), applied)

    def _apply(self, package: Package, foreseen: dict[str, str], variables: dict[str, Any]) -> dict[str, Any]:
        answer = self._call(package, foreseen, variables)
        if answer["missing"]:
            require_sources(answer["missing"], package.sources)
        if answer["missing"] and not self._task.check_mode:
            self._transfer(answer["missing"], package)
            answer = self._call(package, foreseen, variables)
            explain_refusal(answer["missing"], package.sources)
        if answer.get("failed"):
            self._changed(self.host(variables), {})
        return answer

    def _call(self, package: Package, foreseen: dict[str, str], variables: dict[str, Any]) -> dict[str, Any]:
        request = {
            "state": package.state,
            "check": self._task.check_mode,
            "diff": self._task.diff,
            "transfer_user": self._transfer_user(),
            "foreseen": foreseen,
            "look": awaits(self.host(variables), self.folder()),
        }
        return {"changed": False, "missing": [], **self.ask(request, variables)}

    def _transfer_user(self) -> str:
        """Return who logs in, when the program runs as somebody else: it is he who brings files."""
        if self._connection.become is None:
            return ""
        user: Callable[[], str | None] = self._get_remote_user
        return user() or "unknown"

    def _transfer(self, missing: list[str], package: Package) -> None:
        for sha256 in missing:
            source = package.sources[sha256]
            try:
                self._connection.put_file(source, f"{STAGING}/{sha256}")
            except AnsibleError as error:
                raise FlatnetError(f"{source} could not be brought to the host: {error}") from None
