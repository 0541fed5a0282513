"""Inputs that the tests of the planner share: a sound cluster of three hosts, to be broken piecewise."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flatnet.contract import Contract, Contracts, find_contracts
from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, Host, Planned, Settings, prepare_plan

KUBENET: dict[str, Any] = {
    "kind": "backend",
    "name": "kubenet",
    "description": "A bridge and static routes",
    "ipam": "plan",
    "families": ["ipv4", "ipv6"],
    "overhead": {"ipv4": 0, "ipv6": 0},
    "masquerade": "flatnet",
    "routes": "plan",
    "control_plane_routes": True,
    "check": {
        "node_to_local_pod": "pod_gateway",
        "node_to_remote_pod": "node_address",
        "hairpin": "pod_gateway",
    },
    "needs": {"kernel_features": ["bridge", "veth"], "programs": {"kube_node": ["bridge"]}},
    "makes": {
        "interfaces": {"bridge": {"name": "cbr0", "carries": "own_pods"}},
        "routes": [{"protocol": 157}],
    },
}
FLANNEL: dict[str, Any] = KUBENET | {
    "name": "flannel",
    "families": ["ipv4"],
    "overhead": {"ipv4": 50, "ipv6": 70},
    "ports": [{"protocol": "udp", "port": 8472, "option": "port", "purpose": "VXLAN"}],
    "options": {
        "port": {"about": "The port of the tunnel", "default": 8472, "least": 1, "most": 65535},
        "vni": {"about": "The identifier of the tunnel", "default": 1, "least": 1, "most": 9999},
    },
    "routes": "backend",
    "control_plane_routes": False,
    "units": ["flanneld"],
    "identities": [{"name": "flannel", "common_name": "flannel"}],
    "needs": {"kernel_features": ["bridge", "veth", "vxlan"], "programs": {"kube_node": ["bridge"]}},
    "makes": {
        "interfaces": {
            "bridge": {"name": "cni0", "carries": "own_pods"},
            "tunnel": {"name": "flannel.1", "carries": "all_pods"},
        },
    },
}
# A backend that hands out addresses itself, from pools.
OWN_IPAM: dict[str, Any] = KUBENET | {
    "ipam": "backend",
    "routes": "backend",
    "check": dict.fromkeys(("node_to_local_pod", "node_to_remote_pod", "hairpin"), "node_address"),
    "makes": {
        "interfaces": {"pods": {"name": "cali*", "carries": "own_pods"}},
        "routes": [{"protocol": 12}],
    },
}
# One that routes by groups of hosts.
GROUPED: dict[str, Any] = KUBENET | {"name": "grouped", "allocation": "grouped"}


def group(name: str, *hosts: str, gateways: Iterable[str] = ("192.0.2.1",)) -> dict[str, Any]:
    """Return a group of hosts as cluster_pod_topology has it."""
    return {"name": name, "hosts": list(hosts), "gateways": list(gateways)}


ROLES = Path(__file__).parents[2] / "roles"
COMPONENTS = tuple(find_contracts([ROLES]).components.values())
ALL_GROUPS = frozenset({"etcd", "kube_control_plane", "kube_node"})
WITH_ETCD = ALL_GROUPS - {"kube_control_plane"}
DUAL = Settings(
    pod_cidrs=("10.200.0.0/16", "2001:db8:200::/56"), service_cidrs=("10.32.0.0/24", "2001:db8:32::/112")
)


def host(
    name: str,
    *addresses: str,
    groups: Iterable[str] = ("kube_node",),
    node_name: str = "",
    pins: tuple[str, ...] = (),
) -> Host:
    return Host(name, node_name or name, addresses, frozenset(groups), pins)


HOSTS = [
    host("node-a", "192.0.2.11", groups=ALL_GROUPS),
    host("node-b", "192.0.2.12"),
    host("node-c", "192.0.2.13"),
]
DUAL_HOSTS = [replace(one, addresses=(*one.addresses, f"2001:db8::{i}")) for i, one in enumerate(HOSTS, 1)]


def hosts(count: int) -> list[Host]:
    """Return count nodes from 198.18.0.1 upwards, the first with all groups."""
    return [
        host(
            f"node-{i:04}",
            f"198.18.{(i + 1) // 256}.{(i + 1) % 256}",
            groups=ALL_GROUPS if i == 0 else {"kube_node"},
        )
        for i in range(count)
    ]


def members(some: Iterable[Host]) -> list[Host]:
    """Return the hosts, each in etcd as well."""
    return [replace(one, groups=one.groups | {"etcd"}) for one in some]


def with_facts(one: Host, **facts: object) -> Host:
    return replace(one, facts=facts)


def contracts_of(*given: dict[str, Any]) -> Contracts:
    """Return these contracts beside those of the components as they are."""
    read = [Contract.from_mapping(one, f"{one['name']}.yml") for one in given]
    return Contracts.of([*COMPONENTS, *read])


def prepare(
    settings: Settings | None = None,
    some: list[Host] | None = None,
    contract: dict[str, Any] | None = None,
    allocations: Mapping[str, object] | None = None,
    deployed: object = None,
    existing_nodes: object = None,
    others: Iterable[dict[str, Any]] = (),
) -> Planned:
    backend = contract or KUBENET
    return prepare_plan(
        replace(settings or Settings(), network_backend=backend["name"]),
        HOSTS if some is None else some,
        contracts_of(backend, *others),
        Allocations.from_mapping(allocations),
        deployed,
        existing_nodes,
    )


def findings(
    settings: Settings | None = None,
    some: list[Host] | None = None,
    contract: dict[str, Any] | None = None,
    allocations: Mapping[str, object] | None = None,
    deployed: object = None,
    existing_nodes: object = None,
    others: Iterable[dict[str, Any]] = (),
) -> list[str]:
    """Return the lines of findings that refuse the plan; fails when it is not refused."""
    with pytest.raises(FlatnetError) as caught:
        prepare(settings, some, contract, allocations, deployed, existing_nodes, others)
    return [line.removeprefix("- ") for line in str(caught.value).splitlines()[1:]]


def pod_cidrs(planned: Planned) -> dict[str, list[str]]:
    return {name: node["pod_cidrs"] for name, node in planned.plan["nodes"].items()}
