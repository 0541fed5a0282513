"""Everything that a diagnosis may look at besides the failed check itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flatnet.check.facts import Cluster
from flatnet.check.hosts.checks import faults
from flatnet.check.hosts.fault import Fault
from flatnet.check.model import SILENCE, Finding, Json

# (likely cause, where to look)
Diagnosis = tuple[str, str]
_ANY = ""
# What holds without services, names and ports; when one of these fails, the others fail with it.
BASE_CLASSES = frozenset(
    {
        "node_to_node",
        "pod_to_pod_same_node",
        "pod_to_pod_other_node",
        "node_to_pod",
        "control_plane_to_pod",
        "pod_to_node",
    }
)


@dataclass(frozen=True)
class Clues:
    """The whole run, arranged for questions about one of its failures.

    evidence: by node, as network_probe returns it; {} where nothing failed.
    before: what the nodes were like before the probes started, by node; faults: what is wrong with that.
    owners: (node, kind of address) by address, for the nodes' own addresses.
    mtus: what the pods of a node have that is not the planned MTU, by node; lost_host_ports: which of them
    do not answer, by node.
    api_problem: why there are no objects, "" where there are.
    absent: what was said of nodes that could not be reached, by node.
    dead_upstreams: which servers that DNS forwards to do not answer, by the node that asked.
    dns_problem: why no pod answers for the DNS Service, "" where one does.
    losses: what the packets that got lost were laid to, by the nodes between which they did.
    roots: what the failures of the base classes without an answer came from, by the nodes they involve.
    """

    cluster: Cluster
    evidence: Mapping[str, Json]
    owners: Mapping[str, tuple[str, str]]
    _passed: frozenset[tuple[str, str, str, str]]
    _failed: frozenset[tuple[str, str, str]]
    _ways: Mapping[str, list[set[str]]]
    _silent: frozenset[str]
    faults: Mapping[str, Sequence[Fault]] = field(default_factory=dict)
    before: Mapping[str, Json] = field(default_factory=dict)
    mtus: Mapping[str, str] = field(default_factory=dict)
    lost_host_ports: Mapping[str, str] = field(default_factory=dict)
    dns_problem: str = ""
    api_problem: str = ""
    dead_upstreams: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    roots: dict[str, Diagnosis] = field(default_factory=dict)
    losses: dict[str, Diagnosis] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        cluster: Cluster,
        findings: Iterable[Finding],
        evidence: Mapping[str, Json],
        before: Mapping[str, Json] | None = None,
        absent: Mapping[str, str] | None = None,
    ) -> "Clues":
        """Return the clues in a whole run."""
        passed, failed = set(), set()
        ways: dict[str, list[set[str]]] = {}
        silent: set[str] = set()
        mtus: dict[str, str] = {}
        lost_host_ports: dict[str, str] = {}
        dead_upstreams: dict[str, str] = {}
        dns_problem = api_problem = ""
        for finding in findings:
            kind, (source, target) = finding["class"], ends(finding)
            if finding["ok"] and finding["class"] == "policy" and finding["observed"] in SILENCE:
                silent.add(target if "/ingress-" in finding["id"] else source)
            if finding["ok"]:
                passed.add((kind, finding["protocol"], source, target))
            else:
                if kind == "pod_mtu" and not finding["error"]:
                    mtus[source] = finding["observed"]
                if kind == "running_host_ports" and finding["error"] == "lost":
                    lost_host_ports[source] = finding["detail"]
                if kind == "dns_upstreams" and finding["error"] == "lost":
                    dead_upstreams[source] = finding["detail"]
                dns_problem = finding["observed"] if kind == "dns_pods" else dns_problem
                api_problem = finding["observed"] if kind == "api_server" else api_problem
                failed.update({(kind, source, target), (kind, source, _ANY)})
                ways.setdefault("udp" if finding["protocol"] == "udp" else kind, []).append({source, target})
        owners = {
            address: (node, kind)
            for node in cluster.plan["nodes"]
            for address, kind in cluster.own_addresses(node).items()
        }
        return cls(
            cluster,
            evidence,
            owners,
            frozenset(passed),
            frozenset(failed),
            ways,
            frozenset(silent),
            {node: faults(cluster, node, state) for node, state in (before or {}).items()},
            before or {},
            mtus,
            lost_host_ports,
            dns_problem,
            api_problem,
            dead_upstreams,
            absent or {},
        )

    def has_passed(self, kind: str, protocol: str, source: str, target: str) -> bool:
        """Tell whether that check between these ends passed."""
        return (kind, protocol, source, target) in self._passed

    def has_failed(self, kind: str, source: str, target: str) -> bool:
        """Tell whether some check of that class between these ends failed."""
        return (kind, source, target) in self._failed

    def any_failed_from(self, kind: str, source: str) -> bool:
        """Tell whether some check of that class that this node makes failed."""
        return (kind, source, _ANY) in self._failed

    def any_passed(self, kind: str) -> bool:
        """Tell whether some check of that class passed."""
        return any(kind == passed for passed, *_ in self._passed)

    def any_failed(self, kind: str, node: str) -> bool:
        """Tell whether some check of that class to or from this node failed."""
        return any(node in way for way in self._ways.get(kind, ()))

    def common_node(self, kind: str) -> str:
        """Return the one node that several failures of the class (or of "udp") have in common, else ""."""
        ways = self._ways.get(kind, [])
        common = set.intersection(*ways) if ways else set()
        return common.pop() if len(common) == 1 and len(ways) > 1 else ""

    def lets_everything_through(self, node: str) -> bool:
        """Tell whether nothing that a policy denies to or from pods of the node was held up."""
        return node not in self._silent

    def on(self, node: str) -> Json:
        """Return the node's evidence, {} where there is none."""
        return self.evidence.get(node) or {}

    def remember(self, finding: Finding, diagnosis: Diagnosis) -> None:
        """Keep what a base failure, or a loss, came from, for the failures that follow from it."""
        if finding["class"] in BASE_CLASSES and finding["error"]:
            for node in ends(finding):
                self.roots.setdefault(node, diagnosis)
        if finding["class"] == "packet_loss":
            for node in ends(finding):
                self.losses.setdefault(node, diagnosis)


def ends(finding: Finding) -> tuple[str, str]:
    """Return the names of the two ends: nodes by inventory name, everything else by its own."""
    source, target = finding["source"], finding["target"]
    return source["node"] or source["name"], target["node"] or target["name"]
