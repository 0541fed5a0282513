"""One leg of the tour: switch, prove, break and name, and compare with the same network on a bare host."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.tour.hosts import Hosts, TourError, changed
from tests.tour.residue import lost, residue
from tests.tour.stops import Stop

# What flatnet applies in the API, and whose labels name the role that it belongs to.
_KINDS = (
    "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,configmaps,daemonsets,deployments,services,"
    "customresourcedefinitions,namespaces"
)
# What a break is looked for by; the whole of the check was just made.
_BROKEN = json.dumps(
    {"network_check_classes": ["host_state", "pod_to_pod_other_node", "pod_to_pod_same_node"]}
)
# Owners whatever the network is.
_ALWAYS = frozenset({"cluster_dns", "kube_control_plane"})


@dataclass
class Leg:
    """A switch of the tour and what came of it. times: step -> seconds."""

    old: Stop
    new: Stop
    hosts: Hosts
    cluster: str
    times: dict[str, float] = field(default_factory=dict)
    interruption: str = ""

    def travel(self, fault: Mapping[str, str], before: Mapping[str, list[str]], host: str) -> None:
        """Do all of it. Raises TourError that says what is not as it should be.

        fault: what to break (host, break, restore, cause). before: the snapshot of each host before all.
        host: the one that is compared, which has to be a node and nothing else.
        """
        with self._timed("switch"):
            output = self._run("switch", "--extra-vars", f"cluster_switch_confirmed={self.cluster}")
        self.interruption = next(iter(re.findall(r"Interruption, .*: (.*)", output)), "not told")
        # Before anything else runs pods here: what those leave is not the switch's.
        switched = [*self.hosts.snapshot(host), *self._of_node(host)]
        with self._timed("second run"):
            self._expect_unchanged()
        with self._timed("verify"):
            self._run("verify")
        with self._timed("break"):
            self._break(fault)
        with self._timed("residue"):
            self._compare(switched, before[host], host)

    def _run(self, name: str, *options: str, succeeds: bool = True) -> str:
        return self.hosts.playbook(name, self.new.settings, *options, succeeds=succeeds)

    def _expect_unchanged(self) -> None:
        if changed(self._run("provision")):
            raise TourError("a second run changed something: see tour.log")

    def _break(self, fault: Mapping[str, str]) -> None:
        self.hosts.on(fault["host"], fault["break"])
        try:
            self._run("verify", "--extra-vars", _BROKEN, succeeds=False)
        finally:
            self.hosts.on(fault["host"], fault["restore"])
        causes = failed_causes(json.loads((self.hosts.reports / "network_check.json").read_text()))
        wrong = [cause for cause in causes if not re.search(fault["cause"], cause)]
        if wrong or not causes:
            raise TourError(
                f"the fault {fault['break']!r} should be named {fault['cause']!r}, and was {wrong}"
            )

    def _compare(self, switched: list[str], before: list[str], host: str) -> None:
        gone = lost(before, switched)
        self._run("reset", "--limit", host, "--extra-vars", f"cluster_reset_confirmed={self.cluster}")
        self.hosts.kubectl(f"delete node {host}")
        self._run("provision")
        fresh = [*self.hosts.snapshot(host), *self._of_node(host)]
        found = residue(switched, fresh) + [f"lost: {line}" for line in gone]
        found += [f"left in the API: {line}" for line in self._of_old_owners()]
        if found:
            listed = "\n".join(found[:40])
            raise TourError(f"{host} is not as where {self.new.name} was installed on a bare host:\n{listed}")

    def _of_node(self, host: str) -> list[str]:
        """Return the names of the annotations and labels of a Node object, as lines of a snapshot."""
        metadata = json.loads(self.hosts.kubectl(f"get node {host} --output json"))["metadata"]
        return [
            f"node {kind} {key}"
            for kind in ("annotations", "labels")
            for key in sorted(metadata.get(kind, {}))
        ]

    def _of_old_owners(self) -> list[str]:
        listed = json.loads(
            self.hosts.kubectl(
                f"get {_KINDS} --all-namespaces --selector app.kubernetes.io/managed-by=flatnet --output json"
            )
        )
        staying = _ALWAYS | {f"cni_{self.new.backend}", f"policy_{self.new.policy_engine}", "kube_proxy"}
        return [owned for item in listed["items"] for owned in _foreign(item, staying)]

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except TourError as error:
            raise TourError(f"{self.old.name} to {self.new.name}, {step}: {error}") from error
        finally:
            self.times[step] = time.monotonic() - began

    def told(self, write: Callable[[str], object]) -> None:
        """Write how long what took."""
        steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in self.times.items())
        write(
            f"{self.old.name} to {self.new.name}: {sum(self.times.values()):.1f} s ({steps}); "
            f"interruption {self.interruption}\n"
        )


def failed_causes(report: Mapping[str, Any]) -> list[str]:
    """Return the cause of each check that failed, each once."""
    return sorted({str(check["cause"]) for check in report["checks"] if not check["ok"]})


def _foreign(item: Mapping[str, Any], staying: frozenset[str]) -> Iterator[str]:
    owner = item["metadata"]["labels"].get("flatnet.io/owner", "")
    if owner not in staying:
        yield f"{item['kind']} {item['metadata']['name']} of {owner}"
