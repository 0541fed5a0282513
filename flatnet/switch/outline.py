"""The plan of a switch: what goes and comes, which pods are made anew, and what it refuses."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flatnet.plan.names import listed_names
from flatnet.switch.ends import leaving, moves_pods
from flatnet.switch.progress import DONE, WAITING, Progress

Pod = Mapping[str, Any]

# Measured on three container hosts of two cores, see docs/switch.md; a guide, not a promise.
_POD_SECONDS = "about 10 s"
_SERVICE_SECONDS = "about 3 s"
_SHOWN = 10


@dataclass(frozen=True)
class Cluster:
    """What runs: nodes, pods on the pod network and disruption budgets, as flatnet.host.switch.look tells."""

    nodes: Sequence[Mapping[str, Any]]
    pods: Sequence[Pod]
    budgets: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Run:
    """One run of a switch. hosts: the inventory names that it is for. batch: how many at once, 0 for all."""

    progress: Progress
    hosts: Sequence[str]
    names: Mapping[str, str]
    """Inventory name -> node name, of hosts that are nodes."""
    batch: int = 0
    ignored_budgets: Collection[str] = ()

    @property
    def to_do(self) -> list[str]:
        """The hosts of this run that do not have the new network yet."""
        return [host for host in sorted(self.hosts) if self.progress.hosts.get(host) != DONE]

    @property
    def left_out(self) -> list[str]:
        """The hosts that this run leaves as they are."""
        return sorted(set(self.progress.hosts) - set(self.hosts) - set(self.progress.at(DONE)))

    @property
    def moves_pods(self) -> bool:
        """Whether pods are made anew."""
        return moves_pods(self.progress.before, self.progress.after)

    def pods(self, cluster: Cluster) -> list[Pod]:
        """Return the pods that are made anew; whether they were ready is as of when the switch began."""
        if not self.moves_pods:
            return []
        nodes = {self.names[host] for host in self.to_do if host in self.names}
        found: list[Pod] = [
            {**pod, "ready": pod["name"] not in self.progress.unready}
            for pod in cluster.pods
            if pod["node"] in nodes
        ]
        return sorted(found, key=lambda pod: str(pod["name"]))


def outline(run: Run, cluster: Cluster, changed_addresses: str = "") -> str:
    """Return the plan of a switch, for people.

    changed_addresses: a sentence on which addresses change.
    """
    switch = run.progress
    lines = [f"Switch of cluster {switch.cluster}: from {switch.before} to {switch.after}"]
    lines += [f"  {word}: {', '.join(values)}" for word, values in _parts(run, cluster) if values]
    if changed_addresses and run.moves_pods:
        lines.append(f"  Addresses: {changed_addresses}")
    return "\n".join(lines)


def _parts(run: Run, cluster: Cluster) -> Iterator[tuple[str, list[str]]]:
    before, after, pods = run.progress.before, run.progress.after, run.pods(cluster)
    yield "Goes", [*run.progress.owners]
    yield "Comes", [*leaving(after, before)]
    step = "all at once" if not run.batch else f"{run.batch} at a time"
    yield "Hosts", [f"{listed_names(run.to_do)}, {step}"] if run.to_do else []
    yield "Left as they are, until a run for them", [listed_names(run.left_out)] if run.left_out else []
    yield "Pods made anew", [f"{len(pods)}, by their kubelets"] if pods else []
    yield "of DaemonSets", _named(pod for pod in pods if pod["controller"] == "DaemonSet")
    yield "static", _named(pod for pod in pods if pod["static"])
    yield (
        "without a controller",
        _named(pod for pod in pods if not pod["controller"] and not pod["static"] and pod["restarts"]),
    )
    yield (
        "that end for good, as nobody starts them again",
        _named(pod for pod in pods if not pod["restarts"] and not pod["controller"]),
    )
    yield "not ready now, and not waited for", _named(pod for pod in pods if not pod["ready"])
    yield "Interruption", [_interruption(run)]


def _named(pods: Iterable[Pod]) -> list[str]:
    names = [str(pod["name"]) for pod in pods]
    more = len(names) - _SHOWN
    return names[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])


def _interruption(run: Run) -> str:
    if run.moves_pods:
        if run.batch and run.batch < len(run.to_do):
            return (
                f"{_POD_SECONDS} for the pods of each batch; until the last one, pods of the two networks do "
                "not all reach each other"
            )
        return f"{_POD_SECONDS}, for all pods and services at once"
    return f"{_SERVICE_SECONDS} for new connections to services; pods keep theirs among each other"


def refusals(run: Run, cluster: Cluster) -> list[str]:
    """Return why the switch cannot begin, one sentence for each reason, with its fix."""
    return [*_down(run, cluster), *_budgets(run, cluster)]


def _down(run: Run, cluster: Cluster) -> Iterator[str]:
    """Yield a sentence for nodes that are not ready; one between two networks is not, and is to go on."""
    reasons = {str(node["name"]): str(node["reason"]) for node in cluster.nodes}
    for host in run.to_do:
        reason = reasons.get(run.names.get(host, ""), "")
        if reason and run.progress.hosts.get(host) == WAITING:
            yield (
                f"{host} is down ({reason}); bring it back, or leave it out with --limit '!{host}' and run "
                "again for it later"
            )


def _budgets(run: Run, cluster: Cluster) -> Iterator[str]:
    """Yield a sentence for each disruption budget that allows less than is made anew at once.

    KEP-85: a budget limits what goes at the same time by intention.
    """
    if not run.moves_pods:
        return
    nodes = {run.names[host] for host in run.to_do if host in run.names}
    for budget in cluster.budgets:
        name, allowed = str(budget["name"]), int(budget["allowed"])
        counts = Counter(node for node in budget["nodes"] if node in nodes)
        most = sum(count for _, count in counts.most_common(run.batch or None))
        if most > allowed and name not in run.ignored_budgets:
            smaller = "" if run.batch == 1 else "a smaller cluster_switch_batch, "
            yield (
                f"the PodDisruptionBudget {name} allows {allowed} of its pods to go, and {most} of them "
                f"would be made anew at once; {smaller}more replicas, or "
                f"cluster_switch_ignored_budgets: [{name}] lets it through"
            )
