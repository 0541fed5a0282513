"""Plan the flat network: settings, hosts, a backend's contract and the allocations so far -> one plan.

The plan is plain data, listed in the README of the network_plan role. Nothing in this package knows Ansible,
and only `ledger` and `contract` touch files.
"""

from flatnet.plan.allocations import Allocations
from flatnet.plan.contract import Contract, find_contracts, load_contract
from flatnet.plan.derive import (
    apiserver_sans,
    daemon_flags,
    dns_address,
    first_service_address,
    is_overlapping,
    node_pod_cidr,
    pod_mtu,
)
from flatnet.plan.ledger import open_ledger, parse_ledger
from flatnet.plan.planner import Plan, Planned, plan_from_data, plan_network, prepare_plan
from flatnet.plan.settings import Host, Settings

__all__ = [
    "Allocations",
    "Contract",
    "Host",
    "Plan",
    "Planned",
    "Settings",
    "apiserver_sans",
    "daemon_flags",
    "dns_address",
    "find_contracts",
    "first_service_address",
    "is_overlapping",
    "load_contract",
    "node_pod_cidr",
    "open_ledger",
    "parse_ledger",
    "plan_from_data",
    "plan_network",
    "pod_mtu",
    "prepare_plan",
]
