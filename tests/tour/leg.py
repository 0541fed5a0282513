"""One leg of the tour: switch, prove, break and name, and compare with the same network on a bare host."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flatnet.contract import Contract, Contracts, find_contracts
from tests.tour import pods
from tests.tour.cost import Cost
from tests.tour.hosts import ROOT, Hosts, TourError, changed
from tests.tour.manners import Manner, Switch, told
from tests.tour.residue import lost, residue

# What flatnet applies in the API, and whose labels name the role that it belongs to.
_KINDS = (
    "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,configmaps,daemonsets,deployments,services,"
    "customresourcedefinitions,namespaces"
)
# What a break is looked for by; the whole of the check was just made.
_BROKEN = json.dumps(
    {
        "network_check_classes": ["host_state", "pod_to_pod_other_node", "pod_to_pod_same_node"],
        # What is broken does not get better by being asked for longer.
        "network_check_deadline_seconds": 2,
    }
)
# Keys of a Node object that are not of a network: flatnet's own, and Kubernetes'.
_OURS = r"^(.*\.)?(kubernetes|k8s|flatnet)\.io/"
_NOTHING = r"^(No resources found|error: the server doesn't have a resource type )"
_KEPT = frozenset({"container_runtime", "node_programs"})
# Owners whatever the network is.
_ALWAYS = frozenset({"cluster_dns", "kube_control_plane"})


@dataclass
class Leg:
    """A switch of the tour and what came of it. costs: by step."""

    switch: Switch
    manner: Manner
    costs: dict[str, Cost] = field(default_factory=dict)
    interruption: str = ""

    def travel(self, fault: Mapping[str, str], before: Mapping[str, list[str]], host: str) -> None:
        """Do all of it. Raises TourError that says what is not as it should be.

        fault: what to break (host, break, restore, cause). before: the snapshot of each host before all.
        host: the one that is compared, which has to be a node and nothing else.
        """
        with self._timed("switch"):
            output = self.manner(self.switch)
        self.interruption = next(iter(re.findall(r"Interruption, .*: (.*)", output)), "not told")
        with self._timed("answers"):
            pods.reach(self.hosts, host)
        # Before anything else runs pods here: what those leave is not the switch's.
        switched = [*self.hosts.snapshot(host), *self._of_node(host)]
        with self._timed("second run"):
            self._expect_unchanged()
        with self._timed("verify"):
            # Its pods are those of the next one as well.
            self._run("verify", "--extra-vars", '{"network_check_cleanup_enabled": false}')
        with self._timed("break"):
            self._break(fault)
        with self._timed("reset"):
            self._make_bare(host)
        with self._timed("bare host"):
            self._compare(switched, before[host], host)

    @property
    def hosts(self) -> Hosts:
        """The hosts of all."""
        return self.switch.hosts

    def _run(self, name: str, *options: str, succeeds: bool = True) -> str:
        return self.hosts.playbook(name, self.switch.new.settings, *options, succeeds=succeeds)

    def _expect_unchanged(self) -> None:
        counts = changed(self._run("provision"))
        if not counts or any(counts.values()):
            raise TourError(f"a second run changed something: {counts}; see tour.log")

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

    def _make_bare(self, host: str) -> None:
        """Remove all from a host but for programs and the runtime, which no network changes."""
        roles = find_contracts([ROOT / "roles"])
        given = {
            "cluster_reset_confirmed": self.switch.cluster,
            "node_reset_owners": [role for role in roles if role not in _KEPT],
        }
        self._run("reset", "--limit", host, "--extra-vars", json.dumps(given))
        self._forget_node(host)
        pods.replace(self.hosts, host)

    def _compare(self, switched: list[str], before: list[str], host: str) -> None:
        """Install the network on the bare host alone, and hold it against itself."""
        self._run("provision", "--limit", host)
        pods.wait(self.hosts)
        fresh = [*self.hosts.snapshot(host), *self._of_node(host)]
        found = residue(switched, fresh) + [f"lost: {line}" for line in lost(before, switched)]
        found += [f"left in the API: {line}" for line in self._of_old_owners()]
        if found:
            name, listed = self.switch.new.name, "\n".join(found[:40])
            raise TourError(f"{host} is not as where {name} was installed on a bare host:\n{listed}")

    def _forget_node(self, host: str) -> None:
        """Take off a Node object what the former network's programs wrote there; its pods stay assigned."""
        metadata = json.loads(self.hosts.kubectl(f"get node {host} --output json"))["metadata"]
        patch = {
            "metadata": {
                kind: dict.fromkeys(key for key in metadata.get(kind, {}) if not re.search(_OURS, key))
                for kind in ("annotations", "labels")
            }
        }
        self.hosts.kubectl(f"patch node {host} --type=merge --patch '{json.dumps(patch)}'")

    def _of_node(self, host: str) -> list[str]:
        """Return the names of the annotations and labels of a Node object, as lines of a snapshot."""
        metadata = json.loads(self.hosts.kubectl(f"get node {host} --output json"))["metadata"]
        return [
            f"node {kind} {key}"
            for kind in ("annotations", "labels")
            for key in sorted(metadata.get(kind, {}))
        ]

    def _of_old_owners(self) -> list[str]:
        """Return what roles that are not there have in the API, applied or made by their programs."""
        new, contracts = self.switch.new, find_contracts([ROOT / "roles"])
        staying = _ALWAYS | {f"cni_{new.backend}", f"policy_{new.policy_engine}", "kube_proxy"}
        applied = json.loads(
            self.hosts.kubectl(
                f"get {_KINDS} --all-namespaces --selector app.kubernetes.io/managed-by=flatnet --output json"
            )
        )
        left = [owned for item in applied["items"] for owned in _foreign(item, staying)]
        for kind in kinds_of_others(contracts, staying):
            # A kind of theirs that the API server does not know any more is as good as it gets.
            listed = self.hosts.kubectl(
                f"get {kind} --all-namespaces --output name 2>&1 || true"
            ).splitlines()
            left += [line for line in listed if line and not re.search(_NOTHING, line)]
        return left

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        before = Cost.until_now(self.hosts.prefix)
        try:
            yield
        except TourError as error:
            raise TourError(f"{self.switch.old.name} to {self.switch.new.name}, {step}: {error}") from error
        finally:
            self.costs[step] = Cost.until_now(self.hosts.prefix).since(before)

    def told(self, write: Callable[[str], object]) -> None:
        """Write how long what took."""
        steps = ", ".join(f"{step} {cost}" for step, cost in self.costs.items())
        whole = Cost(*(sum(parts) for parts in zip(*self.costs.values(), strict=True)))
        write(
            f"{self.switch.old.name} to {self.switch.new.name}: {whole}; {steps}; "
            f"{told(self.manner)}, interruption {self.interruption}\n"
        )


def failed_causes(report: Mapping[str, Any]) -> list[str]:
    """Return the cause of each check that failed, each once."""
    return sorted({str(check["cause"]) for check in report["checks"] if not check["ok"]})


def kinds_of_others(contracts: Contracts, staying: Collection[str]) -> list[str]:
    """Return the kinds, as kubectl takes them, that programs of roles make which are not there."""
    ours = {kind for role, contract in contracts.items() if role in staying for kind in _kinds(contract)}
    every = {kind for contract in contracts.values() for kind in _kinds(contract)}
    return sorted(every - ours)


def _kinds(contract: Contract) -> Iterator[str]:
    for one in contract.all_makes().api_objects:
        group, _, version = one.api_version.rpartition("/")
        yield f"{one.kind}.{version}.{group}"


def _foreign(item: Mapping[str, Any], staying: frozenset[str]) -> Iterator[str]:
    owner = item["metadata"]["labels"].get("flatnet.io/owner", "")
    if owner not in staying:
        yield f"{item['kind']} {item['metadata']['name']} of {owner}"
