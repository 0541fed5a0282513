"""That a tunnel which does not lead to a peer is named, and one that does, by whatever entry, is not."""

import pytest
from check_example import cluster
from check_symptoms import ROUTES, way

from flatnet.check.facts import Cluster
from flatnet.check.hosts.checks import faults
from flatnet.check.model import Finding, Json

MAC = "02:00:00:00:ff:02"
NEIGHBOUR = {"address": "10.200.2.0", "device": "flannel.1", "mac": MAC, "state": ["PERMANENT"]}
END = {"device": "flannel.1", "mac": MAC, "address": "192.0.2.13"}


def facts() -> Cluster:
    found = cluster()
    found.plan["backend"]["makes"]["interfaces"] = {"tunnel": {"name": "flannel.1", "carries": "all_pods"}}
    return found


def state(neighbours: list[Json], ends: list[Json], **route: str) -> Json:
    """Return node-1, which has a tunnel to node-2 and plain routes to the others."""
    usual = [one for one in ROUTES["node-1"] if one["destination"] != "10.200.2.0/24"]
    tunnel = {"name": "flannel.1", "kind": "vxlan", "addresses": ["10.200.1.0/32"], "ports": [], "up": True}
    through = way("10.200.2.0/24", "10.200.2.0", **{"device": "flannel.1", **route})
    return {
        "interfaces": [tunnel],
        "routes": [*usual, through],
        "neighbours": neighbours,
        "tunnel_ends": ends,
        "filters": [
            {"name": "iptables-nft", "drops": [], "translations": [], "host_ports": [], "services": 1}
        ],
    }


@pytest.mark.parametrize(
    ("neighbours", "ends", "problem"),
    [
        ([], [END], "has no neighbour 10.200.2.0"),
        ([{**NEIGHBOUR, "device": "eth0"}], [END], "has no neighbour 10.200.2.0"),
        ([NEIGHBOUR], [], f"has no forwarding entry for {MAC}"),
        ([NEIGHBOUR], [{**END, "device": "vxlan9"}], f"has no forwarding entry for {MAC}"),
        ([NEIGHBOUR], [{**END, "address": "192.0.2.99"}], "leads to 192.0.2.99, which is not 192.0.2.13"),
    ],
)
def test_a_tunnel_that_does_not_lead_to_a_peer_is_named(
    neighbours: list[Json], ends: list[Json], problem: str
) -> None:
    (fault,) = faults(facts(), "node-1", state(neighbours, ends))
    assert fault.cause == f"the tunnel flannel.1 of node-1 does not lead to node-2: it {problem}"
    assert fault.subject == "tunnels"


def test_one_that_leads_there_is_well() -> None:
    assert faults(facts(), "node-1", state([NEIGHBOUR], [END])) == []
    # What has no entry of its own follows the default one.
    assert faults(facts(), "node-1", state([NEIGHBOUR], [{**END, "mac": "00:00:00:00:00:00"}])) == []


@pytest.mark.parametrize(("links", "near"), [(["192.0.2.12/24"], True), (["192.0.2.12/32"], False)])
def test_a_tunnel_between_nodes_on_one_link_is_named_where_there_should_be_none(
    links: list[str], near: bool
) -> None:
    found = facts()
    node = state([NEIGHBOUR], [END])
    node["interfaces"].append({"name": "eth0", "kind": "", "addresses": links, "ports": [], "up": True})
    assert faults(found, "node-1", node) == []
    found.plan["backend"]["node_links"] = "direct"
    assert [fault.cause for fault in faults(found, "node-1", node)] == [
        "what node-1 sends to pods of node-2 takes the tunnel flannel.1, though the two are on one link"
    ] * near


def test_routes_beside_the_tunnel_and_tunnels_of_others_are_not_judged() -> None:
    assert faults(facts(), "node-1", state([], [], device="eth0")) == []
    assert faults(cluster(), "node-1", state([], [])) == []


def test_what_follows_from_it_are_failures_between_the_two() -> None:
    (fault,) = faults(facts(), "node-1", state([], []))

    def finding(source: str, target: str, kind: str = "pod_to_pod_other_node") -> Finding:
        ends = {"source": {"node": source}, "target": {"node": target}}
        return {"class": kind, "error": "timeout", **ends}  # type: ignore[typeddict-item]

    assert fault.explains(finding("node-1", "node-2"))
    assert fault.explains(finding("node-2", "node-1"))
    assert not fault.explains(finding("node-0", "node-1"))
    assert not fault.explains(finding("node-1", "node-2", "node_to_node"))
