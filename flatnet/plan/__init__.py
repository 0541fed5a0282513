"""Plan the flat network: settings, hosts, contracts and the allocations so far -> one plan.

The plan is plain data, listed in the README of the network_plan role. Nothing in this package knows Ansible,
and only `ledger` touches files.
"""

from flatnet.plan.adopt import adopted_allocations
from flatnet.plan.allocations import Allocations
from flatnet.plan.catalog import RULES
from flatnet.plan.derive import (
    apiserver_sans,
    daemon_flags,
    dns_address,
    first_service_address,
    is_overlapping,
    node_pod_cidr,
    pod_mtu,
)
from flatnet.plan.findings import Finding, PlanError
from flatnet.plan.flags import node_objects
from flatnet.plan.hosts import Host
from flatnet.plan.immutable import Change, immutable_changes
from flatnet.plan.ledger import open_ledger, parse_ledger
from flatnet.plan.planner import Plan, Planned, plan_from_data, plan_network, prepare_plan
from flatnet.plan.routes import node_routes
from flatnet.settings import Settings

__all__ = [
    "RULES",
    "Allocations",
    "Change",
    "Finding",
    "Host",
    "Plan",
    "PlanError",
    "Planned",
    "Settings",
    "adopted_allocations",
    "apiserver_sans",
    "daemon_flags",
    "dns_address",
    "first_service_address",
    "immutable_changes",
    "is_overlapping",
    "node_objects",
    "node_pod_cidr",
    "node_routes",
    "open_ledger",
    "parse_ledger",
    "plan_from_data",
    "plan_network",
    "pod_mtu",
    "prepare_plan",
]
