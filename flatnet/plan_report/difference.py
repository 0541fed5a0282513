"""The difference between what is deployed and what is wanted, in words, with what it restarts. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flatnet.plan.immutable import KINDS, immutable_changes
from flatnet.plan.immutable import Change as Immutable
from flatnet.plan_report.changes import Change, Pair, Restart, combined
from flatnet.plan_report.difference_cluster import cluster_changes
from flatnet.plan_report.difference_nodes import node_changes
from flatnet.plan_report.document import plan_document
from flatnet.plan_report.words import counted


@dataclass(frozen=True)
class Difference:
    """All changes; `known` is False when nothing is recorded as deployed."""

    known: bool
    changes: tuple[Change, ...] = ()

    @property
    def restarts(self) -> tuple[Restart, ...]:
        """Every unit that restarts, once, with all of its hosts; of changes that are not refused."""
        return combined(
            restart for change in self.changes if not change.refused for restart in change.restarts
        )

    @property
    def refused(self) -> tuple[Change, ...]:
        """The changes that no running cluster follows by itself and that nobody allowed."""
        return tuple(change for change in self.changes if change.refused)

    @property
    def summary(self) -> str:
        """One sentence on the whole."""
        if not self.known:
            return "Nothing is recorded as deployed: everything in this plan is new."
        if not self.changes:
            return "Nothing changes: this plan is what is deployed."
        count = counted(len(self.changes), "change")
        if self.refused:
            return f"{count}, {len(self.refused)} refused: this plan cannot be provisioned."
        hosts = {name for restart in self.restarts for name in restart.hosts}
        if not hosts:
            return f"{count}; nothing restarts."
        units = counted(len(self.restarts), "unit restarts", "units restart")
        return f"{count}; {units}, on {counted(len(hosts), 'host')}."


def plan_difference(
    deployed: Mapping[str, Any] | None, wanted: Mapping[str, Any], allowed: Collection[str] = ()
) -> Difference:
    """Return what changes between two plans, or documents of plans; None when nothing is deployed.

    Refused changes come first; those whose kind (flatnet.plan.immutable.KINDS) is in `allowed` say what they
    take instead. Raises FlatnetError for a network that cannot be read.
    """
    if deployed is None:
        return Difference(known=False)
    pair = Pair(plan_document(deployed), plan_document(wanted))
    # What would have to happen is the same for all hosts of a kind.
    judged = {_SUBJECTS[found.kind]: found for found in immutable_changes(pair.before, pair.after)}
    changes = [
        _judged(change, judged[change.subject], allowed) if change.subject in judged else change
        for change in (*cluster_changes(pair), *node_changes(pair))
    ]
    return Difference(True, _said_once(sorted(changes, key=lambda change: not change.refused)))


# Kind of change that is judged -> the subject under which it is told here.
_SUBJECTS: Mapping[str, str] = {kind: kind for kind in KINDS} | {
    "families": "pod_cidrs",
    "node_pod_cidrs": "node pod network",
    "node_names": "node renamed",
    "control_plane": "api_endpoint",
    "etcd_members": "etcd members",
}


def _judged(change: Change, found: Immutable, allowed: Collection[str]) -> Change:
    reason, keep = KINDS[found.kind].reason, KINDS[found.kind].keep
    if found.kind not in allowed:
        return replace(change, refused=reason, remedy=f"{keep}; or {found.how}")
    effects = (f"Allowed, though {reason}.", f"To be done by hand: {found.how}.", *change.effects)
    return replace(change, effects=effects)


def _said_once(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Leave out the effects that an earlier change has in the same words: they happen once."""
    said: set[str] = set()
    found = []
    for change in changes:
        found.append(
            replace(change, effects=tuple(effect for effect in change.effects if effect not in said))
        )
        said.update(change.effects)
    return tuple(found)
