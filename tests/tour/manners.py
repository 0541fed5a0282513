"""Ways to make a switch. Each leg of the tour is travelled in one of them, and all come to the same end."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat

from flatnet.switch.progress import INSTALLING, REMOVING, WAITING
from tests.tour.hosts import Hosts, TourError, changed
from tests.tour.stops import Stop

# Neither a control plane nor the first node: that one goes, and the rest is a cluster.
_AWAY = "node-2"
_BUDGET = "others"
# What shows that a network carries pods; the whole check is made in the end.
_CARRIES = '{"network_check_classes": ["pod_to_pod_other_node", "pod_to_pod_same_node"]}'


@dataclass(frozen=True)
class Switch:
    """A switch from `old` to `new`. third: a network that is neither."""

    old: Stop
    new: Stop
    third: Stop
    hosts: Hosts
    cluster: str

    @property
    def moves_pods(self) -> bool:
        """Whether pods hang on what goes."""
        return (self.old.backend, self.old.mode) != (self.new.backend, self.new.mode)

    def run(self, *options: str, to: Stop | None = None, succeeds: bool = True) -> str:
        """Return the output of a switch, to the new network unless told otherwise."""
        return self.hosts.playbook(
            "switch", (to or self.new).settings, *self._words(options), succeeds=succeeds
        )

    def killed_at(self, step: str) -> None:
        """Begin or go on, and be killed as soon as a host is at a step."""

        def is_there() -> bool:
            progress = self.hosts.progress()
            return progress is not None and bool(progress.at(step))

        self.hosts.killed(is_there, "switch", self.new.settings, *self._words(()))

    def refused(self, *options: str, saying: Sequence[str], to: Stop | None = None) -> None:
        """Expect a switch to be refused with these words."""
        expect(self.run(*options, to=to, succeeds=False), saying, "a switch that cannot work")

    def _words(self, options: Sequence[str]) -> Sequence[str]:
        return ("--extra-vars", f"cluster_switch_confirmed={self.cluster}", *options)


def expect(output: str, words: Sequence[str], what: str) -> None:
    """Raise TourError unless an output has all of these words, wherever its lines are broken."""
    plain = re.sub(r"\s+", " ", output)
    missing = [one for one in words if one not in plain]
    if missing:
        raise TourError(f"{what} does not say {'; '.join(missing)}:\n{output[-3000:]}")


def at_once(switch: Switch) -> str:
    """Switch all hosts at once."""
    return switch.run()


def twice(switch: Switch) -> str:
    """Switch all hosts at once, and then to what is there by then."""
    output = switch.run()
    again = switch.run()
    expect(again, ["Nothing to switch: cluster"], "a switch to what is deployed")
    if any(changed(again).values()):
        raise TourError("a switch to what is deployed changed something: see tour.log")
    return output


def host_by_host(switch: Switch) -> str:
    """Be refused for a disruption budget and a node that is down; then switch host by host."""
    with budget(switch.hosts), kubelet_down(switch.hosts):
        switch.refused(
            saying=[
                f"the PodDisruptionBudget kube-system/{_BUDGET} allows 0 of its pods to go",
                f"cluster_switch_ignored_budgets: [kube-system/{_BUDGET}] lets it through",
                f"{_AWAY} is down (",
                f"leave it out with --limit '!{_AWAY}'",
            ]
        )
    return switch.run("--extra-vars", "cluster_switch_batch=1")


def killed(switch: Switch) -> str:
    """Be killed at every step, and go on; meanwhile nothing else runs."""
    switch.killed_at(WAITING)
    switch.killed_at(REMOVING)
    under_way = [
        f"is being switched from {words(switch.old)}",
        f"to {words(switch.new)}",
        "To finish it, run",
    ]
    checked = switch.hosts.playbook("verify", switch.new.settings, succeeds=False)
    expect(checked, under_way, "a check during a switch")
    switch.refused(to=switch.third, saying=[f"the inventory wants {words(switch.third)}", *under_way])
    switch.killed_at(INSTALLING)
    return switch.run()


def left_out(switch: Switch) -> str:
    """Leave out a host that is down, and take it along when it is back."""
    with switch.hosts.frozen(_AWAY):
        output = switch.run("--limit", f"!{_AWAY}")
        expect(output, [f"Left as they are, until a run for them: {_AWAY}"], "a switch with a limit")
        progress = switch.hosts.progress()
        if progress is None or progress.at(WAITING) != [_AWAY]:
            raise TourError(f"{_AWAY} alone should wait for its switch, but the note says {progress}")
    switch.hosts.kubectl(f"wait --for=condition=Ready --timeout=90s node/{_AWAY}")
    switch.run()
    return output


def turned_back(switch: Switch) -> str:
    """Be killed in the middle, go back to where it began, and then all the way."""
    switch.killed_at(INSTALLING)
    switch.run(to=switch.old)
    if switch.hosts.progress() is not None:
        raise TourError("a switch that went back has not ended")
    switch.hosts.playbook("verify", switch.old.settings, "--extra-vars", _CARRIES)
    return switch.run()


Manner = Callable[[Switch], str]
MOVING: Sequence[Manner] = (killed, host_by_host, left_out, turned_back)
"""One after the other, where pods hang on what goes; what comes after them is switched at once."""
STAYING: Sequence[Manner] = (twice, killed)
"""The same where kube-proxy or a policy engine alone changes."""


def manners(switches: Sequence[Switch]) -> tuple[list[Manner], list[str]]:
    """Return a manner for each switch, and the names of those that no switch is left for."""
    moving, staying = chain(MOVING, repeat(at_once)), chain(STAYING, repeat(at_once))
    chosen = [next(moving if switch.moves_pods else staying) for switch in switches]
    return chosen, [told(one) for one in dict.fromkeys([*MOVING, *STAYING]) if one not in chosen]


def told(manner: Manner) -> str:
    """Return a manner in words."""
    return manner.__name__.replace("_", " ")


def words(stop: Stop) -> str:
    """Return the backend of a stop as a switch names it."""
    return f"{stop.backend} in mode {stop.mode}" if stop.mode else stop.backend


@contextmanager
def budget(hosts: Hosts) -> Iterator[None]:
    """Have a disruption budget that lets no pod of the cluster DNS go."""
    name = f"--namespace kube-system poddisruptionbudget {_BUDGET}"
    hosts.kubectl(f"create {name} --selector=k8s-app=kube-dns --min-available=100%")
    try:
        # Until its controller has looked at it, it lets none go either.
        yield
    finally:
        hosts.kubectl(f"delete {name}")


@contextmanager
def kubelet_down(hosts: Hosts) -> Iterator[None]:
    """Have a kubelet that does not answer, of which the API server knows already."""
    hosts.on(_AWAY, "systemctl stop kubelet")
    unknown = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "no news"}
    status = json.dumps({"status": {"conditions": [unknown]}})
    try:
        hosts.kubectl(f"patch node {_AWAY} --subresource=status --patch '{status}'")
        yield
    finally:
        hosts.on(_AWAY, "systemctl start kubelet")
    hosts.kubectl(f"wait --for=condition=Ready --timeout=60s node/{_AWAY}")
