"""A cluster of three nodes as the check sees it, and answers to its questions; for the tests."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flatnet.check.facts import Cluster, cluster_facts
from flatnet.check.matrix import matrix
from flatnet.check.model import Check, Json, Settings
from flatnet.check.objects import ROLE_LABEL
from flatnet.contract import find_contracts

ROLE = Path(__file__).parents[2] / "roles" / "network_check"
_CONTRACTS = find_contracts([Path(__file__).parents[2] / "roles"])
SETTINGS = Settings(image="registry.example/agnhost:1")


def plan(nodes: int = 3, families: Sequence[str] = ("ipv4",), backend: str = "kubenet") -> dict[str, Any]:
    """Return a plan with nodes node-0, node-1, ... whose Kubernetes names are n0.example, n1.example, ..."""
    ipv6 = "ipv6" in families
    networks = {
        index: [f"10.200.{index}.0/24", *([f"2001:db8:{index}::/64"] if ipv6 else [])]
        for index in range(nodes)
    }
    addresses = {
        index: [f"192.0.2.{11 + index}", *([f"2001:db8:f::{11 + index}"] if ipv6 else [])]
        for index in range(nodes)
    }
    return {
        "cluster_name": "example",
        "families": list(families),
        "dns_domain": "cluster.local",
        "pod_cidrs": ["10.200.0.0/16"],
        "service_cidrs": ["10.32.0.0/24"],
        "first_service_addresses": ["10.32.0.1", *(["2001:db8:5::1"] if ipv6 else [])],
        "dns_addresses": ["10.32.0.10", *(["2001:db8:5::a"] if ipv6 else [])],
        "mtu": 1450,
        "kube_proxy_mode": "iptables",
        "needs": {
            "kernel_features": {"br_netfilter": ["kubenet"], "bridge": ["kubenet"], "veth": ["kubenet"]}
        },
        "backend": copy.deepcopy(_CONTRACTS.backend(backend).in_mode("").data),
        "nodes": {
            f"node-{index}": {
                "name": f"n{index}.example",
                "groups": ["kube_node"],
                "addresses": addresses[index],
                "pod_cidrs": networks[index],
                "pod_gateways": [
                    network.split("/")[0].removesuffix(".0") + ".1"
                    if "." in network
                    else f"2001:db8:{index}::1"
                    for network in networks[index]
                ],
                "tunnel_addresses": [network.split("/")[0] for network in networks[index]],
            }
            for index in range(nodes)
        },
    }


def pods(nodes: int = 3, *, ipv6: bool = False) -> list[Json]:
    """Return the probes as cluster_objects does: server .10, client .11, host with the node's address."""
    return [
        pod(index, role, [address, *([f"2001:db8:{index}::{number}"] if ipv6 else [])])
        for index in range(nodes)
        for number, (role, address) in enumerate(
            [
                ("server", f"10.200.{index}.10"),
                ("client", f"10.200.{index}.11"),
                ("host", f"192.0.2.{11 + index}"),
            ],
            10,
        )
    ]


def pod(index: int, role: str, addresses: Sequence[str], problem: str = "") -> Json:
    """Return one probe, ready unless there is a problem."""
    return {
        "name": f"{role}-{index}",
        "namespace": "flatnet-check",
        "uid": f"uid-{role}-{index}",
        "node": f"n{index}.example",
        "ips": list(addresses),
        "labels": {ROLE_LABEL: role},
        "ready": not problem,
    }


def with_pod(index: int, role: str, addresses: Sequence[str], problem: str = "") -> Cluster:
    """Return the facts of a cluster in which one probe differs from those of pods()."""
    others = [item for item in pods() if item["name"] != f"{role}-{index}"]
    return cluster_facts(plan(), [*others, pod(index, role, addresses, problem)], services(), message=problem)


def services(*, ipv6: bool = False) -> list[Json]:
    """Return the Service objects as the API server completes them."""
    found = []
    for number, (name, node_port) in enumerate(
        [
            ("server", 0),
            ("server-local", 0),
            ("server-nodeport", 30080),
            ("server-nodeport-local", 30081),
            ("named-0", 0),
        ],
        100,
    ):
        http = {"name": "http", "port": 80, **({"nodePort": node_port} if node_port else {})}
        addresses = [f"10.32.0.{number}", *([f"2001:db8:5::{number}"] if ipv6 else [])]
        found.append(
            {
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"clusterIPs": addresses, "ports": [http]},
            }
        )
    return found


def cluster(nodes: int = 3, families: Sequence[str] = ("ipv4",), backend: str = "kubenet") -> Cluster:
    """Return the facts of a whole cluster in which every probe is ready."""
    ipv6 = "ipv6" in families
    return cluster_facts(plan(nodes, families, backend), pods(nodes, ipv6=ipv6), services(ipv6=ipv6))


def checks(facts: Cluster | None = None) -> list[Check]:
    """Return the whole matrix."""
    return matrix(facts or cluster(), SETTINGS)


def right(check: Check) -> Json:
    """Return the result of a check that passed at once."""
    return {
        "id": check["id"],
        "ok": True,
        "observed": next(iter(check["expected"]), ""),
        "expected": check["expected"],
        "error": "",
        "detail": "",
        "milliseconds": 2.0,
        "tries": 1,
    }


def wrong(check: Check, observed: str = "", error: str = "", detail: str = "") -> Json:
    """Return the result of a check that failed."""
    return {**right(check), "ok": False, "observed": observed, "error": error, "detail": detail, "tries": 5}
