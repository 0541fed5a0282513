"""Inputs that the tests of the planner share: a sound cluster of three hosts, to be broken piecewise."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from flatnet.errors import FlatnetError
from flatnet.plan import Allocations, Contract, Host, Planned, Settings, prepare_plan

KUBENET: dict[str, Any] = {
    "name": "kubenet",
    "description": "A bridge and static routes",
    "ipam": "plan",
    "families": ["ipv4", "ipv6"],
    "overhead": {"ipv4": 0, "ipv6": 0},
    "ports": [],
    "kernel_features": ["bridge", "veth"],
    "policy_engine": "none",
    "masquerade": "flatnet",
    "routes": "plan",
    "programs": ["bridge"],
    "units": [],
    "identities": [],
    "check": {"node_to_local_pod": "pod_gateway"},
}
FLANNEL: dict[str, Any] = KUBENET | {
    "name": "flannel",
    "families": ["ipv4"],
    "overhead": {"ipv4": 50, "ipv6": 70},
    "ports": [{"protocol": "udp", "port": 8472, "purpose": "VXLAN"}],
    "kernel_features": ["bridge", "veth", "vxlan"],
    "routes": "backend",
    "units": ["flanneld"],
}
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


def prepare(
    settings: Settings | None = None,
    some: list[Host] | None = None,
    contract: dict[str, Any] | None = None,
    allocations: Mapping[str, object] | None = None,
    deployed: object = None,
    existing_nodes: object = None,
) -> Planned:
    return prepare_plan(
        settings or Settings(),
        HOSTS if some is None else some,
        Contract.from_mapping(contract or KUBENET),
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
) -> list[str]:
    """Return the lines of findings that refuse the plan; fails when it is not refused."""
    with pytest.raises(FlatnetError) as caught:
        prepare(settings, some, contract, allocations, deployed, existing_nodes)
    return [line.removeprefix("- ") for line in str(caught.value).splitlines()[1:]]


def pod_cidrs(planned: Planned) -> dict[str, list[str]]:
    return {name: node["pod_cidrs"] for name, node in planned.plan["nodes"].items()}
