"""A cluster that flatnet did not make is taken over with every pod network where it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign_cluster import Foreign, foreign_cluster, node_object
from playbook import ROOT, Answer, run_playbook

from flatnet.plan.ledger_text import HEADER

# The order in which they join is none that flatnet would have given them networks in.
JOINED = ("node-2", "node-10", "control-plane-1", "node-1")
SERVICES = ["10.96.0.0/24", "2001:db8:96::/112"]
POOLS = ["10.90.0.0/20", "2001:db8:90::/56"]


@dataclass(frozen=True)
class Site:
    """What an ops team has: an inventory, the allocations beside it, the plan that was written."""

    folder: Path
    families: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from a cluster with POOLS and SERVICES."""

    @property
    def ledger(self) -> Path:
        return self.folder / "network_allocations.yml"

    def write(self, names: Sequence[str], pins: Mapping[str, str] | None = None) -> None:
        """Write the inventory, in which the hosts have addresses in the order of the names."""
        hosts = {
            name: {"node_addresses": [f"192.0.2.{number}", f"2001:db8::{number}"][: self.families]}
            | ({"pod_cidr": pins[name]} if pins and name in pins else {})
            for number, name in enumerate(names, 11)
        }
        control_plane: dict[str, Any] = {"hosts": {"control-plane-1": {}}}
        inventory = {
            "children": {
                "kube_control_plane": control_plane,
                "etcd": control_plane,
                "kube_node": {"hosts": {name: {} for name in names}},
            },
            "hosts": hosts,
            "vars": {
                "cluster_name": "foreign",
                "cluster_pod_cidrs": POOLS[: self.families],
                "cluster_service_cidrs": SERVICES[: self.families],
                "cluster_reports_directory": str(self.folder / "reports"),
            }
            | dict(self.settings),
        }
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"k8s_cluster": inventory}))

    def plan(self, nodes: Path | None = None) -> Answer:
        """Run plan_network.yml as a user does."""
        adopting = ["-e", f"cluster_existing_nodes={nodes}"] if nodes else []
        return run_playbook("plan_network.yml", self.folder / "hosts.yml", *adopting)

    def planned(self) -> dict[str, list[str]]:
        """Return the pod networks by node, as plan.json tells them to whatever comes after the plan."""
        plan = json.loads((self.folder / "reports/foreign/plan.json").read_text())
        return {node["name"]: node["pod_cidrs"] for node in plan["nodes"].values()}


def fetch(cluster: Foreign) -> Path:
    nodes = cluster.folder / "nodes.json"
    nodes.write_text(cluster.kubectl("get", "nodes", "-o", "json"))
    return nodes


def apply(cluster: Foreign, site: Site) -> str:
    """Hand the plan's Node objects to the API server, as docs/other-installers.md says."""
    done = subprocess.run(
        [sys.executable, "-m", "flatnet.plan_report", "nodes", site.folder / "reports/foreign/plan.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return cluster.kubectl("apply", "--server-side", "-f", "-", given=done.stdout)


def ledger(nodes: Mapping[str, list[str]], removed: Mapping[str, list[str]] | None = None) -> bytes:
    """Return the bytes of the allocations file."""

    def lines(entries: Mapping[str, list[str]]) -> str:
        quoted = {
            name: [f"'{cidr}'" if ":" in cidr else cidr for cidr in cidrs] for name, cidrs in entries.items()
        }
        return "".join(f"  {name}: [{', '.join(cidrs)}]\n" for name, cidrs in sorted(quoted.items()))

    rest = f"removed:\n{lines(removed)}" if removed else "removed: {}\n"
    return f"{HEADER}cluster: foreign\nnodes:\n{lines(nodes)}{rest}...\n".encode()


def all_of(entries: Mapping[str, list[str]]) -> list[str]:
    return [cidr for cidrs in entries.values() for cidr in cidrs]


@pytest.mark.parametrize(
    ("families", "sizes"),
    [
        (1, ["--node-cidr-mask-size=24"]),
        (2, ["--node-cidr-mask-size-ipv4=24", "--node-cidr-mask-size-ipv6=64"]),
    ],
    ids=["ipv4", "dual-stack"],
)
def test_a_running_cluster_keeps_every_network_and_grows(
    tmp_path: Path, families: int, sizes: list[str]
) -> None:
    (tmp_path / "cluster").mkdir()
    site = Site(tmp_path, families)
    with foreign_cluster(
        tmp_path / "cluster", f"--cluster-cidr={','.join(POOLS[:families])}", *sizes
    ) as cluster:
        running = {name: cluster.register(name) for name in JOINED}
        assert [len(cidrs) for cidrs in running.values()] == [families] * len(JOINED)

        # By its own rule, the lowest first in the order of the names, flatnet would move them.
        assert all(running[name][0] != f"10.90.{number}.0/24" for number, name in enumerate(sorted(running)))

        # Nobody moves, and the new node gets what the cluster itself would give next.
        site.write(["node-10", "node-3", "node-1", "control-plane-1", "node-2"])
        answer = site.plan(fetch(cluster))
        planned = running | {"node-3": ["10.90.4.0/24", "2001:db8:90:4::/64"][:families]}
        assert (answer.code, sum(answer.changed.values()), answer.warnings) == (0, 1, []), answer
        assert site.planned() == planned
        assert len(set(all_of(planned))) == families * 5
        assert site.ledger.read_bytes() == ledger(planned)
        answer = site.plan(fetch(cluster))
        assert (answer.code, sum(answer.changed.values())) == (0, 0), answer
        assert site.ledger.read_bytes() == ledger(planned)

        # The API server takes every one of them, and the cluster's own allocator takes note of the new one.
        apply(cluster, site)
        assert cluster.pod_cidrs() == planned
        late = cluster.register("late")
        assert len(late) == families
        assert set(late).isdisjoint(all_of(planned))

        # What a node has that the inventory does not know is nobody else's.
        site.write(["node-4", "node-10", "node-3", "node-1", "control-plane-1", "node-2"])
        answer = site.plan(fetch(cluster))
        assert (answer.code, sum(answer.changed.values())) == (0, 1), answer
        assert answer.warnings == [
            "[adoption-stranger] late: Node object: it is not a node of the inventory, and its network is "
            "kept for it. Fix: add it to kube_node, with node_name if the host has another name, or delete "
            "the Node object."
        ]
        assert set(site.planned()["node-4"]).isdisjoint([*all_of(planned), *late])
        planned |= {"node-4": ["10.90.6.0/24", "2001:db8:90:6::/64"][:families]}
        assert site.planned() == planned
        assert site.ledger.read_bytes() == ledger(planned, {"late": late})
        apply(cluster, site)
        assert cluster.pod_cidrs() == planned | {"late": late}
        assert set(cluster.register("later")).isdisjoint([*all_of(planned), *late])


@dataclass(frozen=True)
class Full:
    """A cluster whose own allocator has nothing left: one of its nodes has no network, and gets none."""

    folder: Path
    running: dict[str, list[str]]


@pytest.fixture(name="full", scope="module")
def make_full_cluster(tmp_path_factory: pytest.TempPathFactory) -> Full:
    folder = tmp_path_factory.mktemp("full")
    with foreign_cluster(folder, "--cluster-cidr=10.90.0.0/22", "--node-cidr-mask-size=24") as cluster:
        running = {name: cluster.register(name) for name in JOINED}
        nodes = fetch(cluster).rename(folder / "four.json")
        cluster.kubectl("create", "-f", "-", given=json.dumps(node_object("node-5")))
        fetch(cluster).rename(folder / "five.json")
    (folder / "cut.json").write_text(nodes.read_text()[:80])
    (folder / "empty.json").touch()
    return Full(folder, running)


@dataclass(frozen=True)
class Refusal:
    """What differs from a site that can adopt, and the message: {NODE} in it is what that node has."""

    message: str
    settings: dict[str, Any] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)
    allocations: dict[str, str] = field(default_factory=lambda: {"node-3": "10.90.12.0/24"})
    names: Sequence[str] = (*JOINED, "node-3", "node-5")
    nodes: str = "four.json"


def finding(text: str) -> str:
    return f"the network cannot be planned, 1 finding:\n- {text}"


def of_each(what: str) -> str:
    return "; ".join(f"{name}: {what} {{{name}}}" for name in sorted(JOINED))


REFUSED = {
    "outside": Refusal(
        finding(
            f"[allocation-outside] {of_each('allocation')}: it is outside 10.91.0.0/20. Fix: let "
            "cluster_pod_cidrs "
            "cover it, or pin a network inside and replace the node; the entry of a node that does not run "
            "yet can be deleted."
        ),
        settings={"cluster_pod_cidrs": ["10.91.0.0/20"]},
        allocations={"node-3": "10.91.0.0/24"},
    ),
    "mask": Refusal(
        finding(
            f"[adoption-prefix] {of_each('Node.spec.podCIDRs has')}: nodes are planned with a /25. Fix: "
            "write 24 into cluster_node_prefixes, or pod_prefix: 24 on that host."
        ),
        settings={"cluster_node_prefixes": [25]},
    ),
    "pin": Refusal(
        finding(
            "[pin-moves-node] node-1: pod_cidr 10.90.9.0/24 in place of {node-1}: its Node object has that, "
            "and Node.spec.podCIDRs is immutable. Fix: pin what it has, or drain it, delete its Node object "
            "and give the Node objects again."
        ),
        pins={"node-1": "10.90.9.0/24"},
    ),
    "families": Refusal(
        finding(
            f"[adoption-families] {of_each('Node.spec.podCIDRs has')}: nodes are planned with ipv4, ipv6, "
            "and Node.spec.podCIDRs is immutable. Fix: write cluster_pod_cidrs and cluster_service_cidrs "
            "for ipv4, or drain it, "
            "delete its Node object and give the Node objects again."
        ),
        settings={"cluster_pod_cidrs": POOLS, "cluster_service_cidrs": SERVICES},
    ),
    "allocations": Refusal(
        finding(
            "[adoption-conflict] node-10: Node.spec.podCIDRs has {node-10}, the allocations have "
            "10.90.8.0/24: Node.spec.podCIDRs is immutable. Fix: delete its entry from the allocations to "
            "adopt that, or drain it and delete its Node object."
        ),
        allocations={"node-10": "10.90.8.0/24"},
    ),
    "another node's": Refusal(
        finding(
            "[adoption-conflict] node-3: the allocations have {node-2}: the running node node-2 has "
            "{node-2}. Fix: delete its entry from the allocations, so that it gets another network."
        ),
        allocations={"node-3": "{node-2}"},
    ),
    "none yet": Refusal(
        finding(
            "[adoption-missing] node-5: Node.spec.podCIDRs is empty: what the cluster gives it later may not "
            "be what is planned now. Fix: give the Node objects again once it has one; pin one if nothing in "
            "the cluster gives any."
        ),
        nodes="five.json",
    ),
    # What node-1 has is not for others, although the inventory does not know it.
    "full": Refusal(
        finding(
            "[pod-network-full] cluster_pod_cidrs 10.90.0.0/22: it holds 4 /24 networks, 4 taken by "
            "nodes, 1 more "
            "needed; none is left for node-3. Fix: widen cluster_pod_cidrs to a /21 (holds 8 nodes), or "
            "add another "
            "network to cluster_pod_cidrs."
        ),
        settings={"cluster_pod_cidrs": ["10.90.0.0/22"]},
        allocations={"node-2": "{node-2}"},
        names=("control-plane-1", "node-2", "node-10", "node-3"),
    ),
    "cut off": Refusal(
        "the Node objects in {folder}/cut.json are not JSON: Unterminated string starting at: "
        "line 5 column 27 (char 77); have `kubectl get nodes -o json` write it",
        nodes="cut.json",
    ),
    "empty": Refusal(
        "the Node objects in {folder}/empty.json cannot be read: the file is empty; "
        "have `kubectl get nodes -o json` write it",
        nodes="empty.json",
    ),
    "missing": Refusal(
        "the Node objects in {folder}/missing.json cannot be read: [Errno 2] No such file or directory: "
        "'{folder}/missing.json'; have `kubectl get nodes -o json` write it",
        nodes="missing.json",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_adopted_is_named_and_nothing_is_written(
    tmp_path: Path, full: Full, case: Refusal
) -> None:
    words = {"folder": str(full.folder)} | {name: cidrs[0] for name, cidrs in full.running.items()}
    site = Site(tmp_path, len(case.settings.get("cluster_service_cidrs", ["one"])), case.settings)
    site.write(case.names, case.pins)
    before = ledger({name: [cidr.format_map(words)] for name, cidr in case.allocations.items()})
    site.ledger.write_bytes(before)
    answer = site.plan(full.folder / case.nodes)
    told = f"\nWritten: {tmp_path}/reports/foreign/plan.html"
    assert (answer.code, answer.message) == (2, case.message.format_map(words) + told)
    assert "Traceback" not in answer.output + answer.errors
    assert site.ledger.read_bytes() == before
    left = ["hosts.yml", "network_allocations.yml", "reports"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
