"""Every setting and every variable of a host, changed in turn: the difference names it and what restarts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from plan_cases import ALL_GROUPS, FLANNEL, GROUPED, KUBENET, contracts_of, group, host
from plan_examples import ENGINE

from flatnet.inventory.names import HOST_VARIABLES
from flatnet.plan import Allocations, Host, Settings, prepare_plan
from flatnet.plan_report import plan_difference
from flatnet.plan_report.changes import UNITS
from flatnet.plan_report.difference_cluster import COMPARED
from flatnet.settings import SETTINGS

NODES = ("node-a", "node-b", "node-c")
FIRST = ("node-a",)
HOSTS = [
    host("node-a", "192.0.2.11", groups=ALL_GROUPS),
    host("node-b", "192.0.2.12"),
    host("node-c", "192.0.2.13"),
]
ALL: dict[str, tuple[str, ...]] = dict.fromkeys(UNITS["kube_node"], NODES) | dict.fromkeys(
    UNITS["etcd"] + UNITS["kube_control_plane"], FIRST
)
MODES = KUBENET | {"modes": {"direct": {}, "tunnel": {"overhead": {"ipv4": 50}}}, "units": ["carrier"]}
CONTRACTS = contracts_of(MODES, FLANNEL, GROUPED, ENGINE)
Units = dict[str, tuple[str, ...]]


class Told(NamedTuple):
    """A changed value, what the difference calls it, and what restarts where."""

    value: object
    subjects: set[str]
    units: Units
    beside: Mapping[str, object] = {}
    """Settings before and after the change."""


class Nothing(NamedTuple):
    """A changed value that nothing on a running cluster follows, and why."""

    value: object
    because: str


API: Units = {"kube-apiserver": FIRST}
CONTROL: Units = API | {"kube-controller-manager": FIRST, "kube-scheduler": FIRST}
CARRIER: Units = {"carrier": NODES}
CALLERS: Units = {"kubelet": NODES, "kube-proxy": NODES} | CARRIER

SETTINGS_CASES: dict[str, list[Told | Nothing]] = {
    "cluster_name": [
        Told(
            "other",
            {"cluster_name"},
            CALLERS | {"kube-controller-manager": FIRST, "kube-scheduler": FIRST},
        )
    ],
    "cluster_state_directory": [Nothing("/srv/state", "where the record itself is")],
    "cluster_reports_directory": [Nothing("/srv/reports", "where reports are")],
    "cluster_pod_cidrs": [
        Told(
            ("10.200.0.0/15",),
            {"pod_cidrs"},
            {"kube-controller-manager": FIRST, "kube-proxy": NODES} | CARRIER,
        )
    ],
    "cluster_service_cidrs": [
        Told(("10.40.0.0/24",), {"service_cidrs", "dns_addresses", "apiserver_sans"}, API),
    ],
    "cluster_extra_service_cidrs": [Told(("10.33.0.0/24",), {"extra_service_cidrs"}, {})],
    "cluster_node_prefixes": [Told((25,), {"node_prefixes"}, {"kube-controller-manager": FIRST})],
    "cluster_max_pods": [Told(100, {"kubelet_configuration"}, {"kubelet": NODES})],
    "cluster_node_port_range": [Told("31000-32000", {"node_port_range"}, API)],
    "cluster_excluded_cidrs": [Nothing(("203.0.113.0/24",), "only checked against")],
    "cluster_host_cidrs": [Nothing(("192.0.2.0/24",), "only checked against")],
    "cluster_tunnel_cidrs": [Nothing(("198.51.100.0/24",), "only checked against")],
    "cluster_non_masquerade_cidrs": [Told(("198.51.100.0/24",), {"masquerade"}, {})],
    "cluster_network_backend": [Told("flannel", {"backend", "mtu"}, {})],
    "cluster_network_backend_mode": [Told("tunnel", {"backend_mode", "mtu"}, {})],
    "cluster_network_backend_options": [
        Told({"port": 4789}, {"backend_mode"}, {}, {"network_backend": "flannel"})
    ],
    "cluster_pod_topology": [
        Told([group("all", *NODES)], {"pod_topology"}, {}, {"network_backend": "grouped"}),
        Nothing([group("all", *NODES)], "of no meaning to a backend that does not route by groups"),
    ],
    "cluster_kube_proxy_mode": [Told("nftables", {"kube_proxy_configuration"}, {"kube-proxy": NODES})],
    "cluster_underlay_mtu": [Told(9000, {"mtu"}, {})],
    "cluster_network_policy_engine": [Told("example", {"policy_engine"}, {})],
    "cluster_api_port": [
        Told(7443, {"api_endpoint", "api_port"}, CALLERS | CONTROL),
        Told(7443, {"api_port"}, CONTROL, {"api_endpoint": "api.example.com:443"}),
    ],
    "cluster_api_endpoint": [
        Told("api.example.com", {"api_endpoint", "apiserver_sans"}, CALLERS | API),
        Told("192.0.2.11:443", {"api_endpoint"}, CALLERS),
    ],
    "cluster_apiserver_endpoints": [Told(("lb.example.com",), {"apiserver_sans"}, API)],
    "cluster_apiserver_extra_sans": [Told(("lb.example.com",), {"apiserver_sans"}, API)],
    "cluster_apiserver_certificate_sans": [
        Nothing(
            (
                *("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "node-a"),
                *("kubernetes.default.svc.cluster.local", "10.32.0.1", "127.0.0.1", "192.0.2.11"),
            ),
            "another tool's certificate, which is only read",
        )
    ],
    "cluster_dns_domain_name": [Told("example.com", {"dns_domain", "apiserver_sans"}, API)],
    "cluster_dns_service_addresses": [Told(("10.32.0.53",), {"dns_addresses"}, {})],
    "cluster_dns_upstreams": [
        Told(("192.0.2.53",), {"dns_upstreams"}, {}),
        Told((), {"dns_upstreams"}, {}),
    ],
    "cluster_programs_source": [Told("gomod", {"programs"}, ALL | CARRIER)],
    "cluster_programs_exceptions": [Told({"coredns": "directory"}, {"programs"}, ALL | CARRIER)],
    "cluster_programs_directory": [Told("/srv/programs", {"programs"}, ALL | CARRIER)],
    "cluster_programs_releases": [Told("/srv/releases.yml", {"programs"}, ALL | CARRIER)],
    "cluster_allowed_changes": [Nothing(("dns_domain",), "a permission, not a change")],
    "cluster_existing_nodes": [
        Nothing(
            [{"metadata": {"name": "node-b"}, "spec": {"podCIDRs": ["10.200.1.0/24"]}}],
            "what runs already, of which other networks are a change of the host",
        )
    ],
    "cluster_switch_batch": [Nothing(1, "the switch's own")],
    "cluster_switch_ignored_budgets": [Nothing(("default/web",), "the switch's own")],
    "cluster_switch_ready_seconds": [Nothing(60, "the switch's own")],
    "cluster_switch_measured_enabled": [Nothing(False, "the switch's own")],
    "cluster_check_outside_enabled": [Nothing(True, "the check's own")],
    "cluster_probe_image": [Nothing("registry.example.com/agnhost:1", "the check's own")],
}
# Refused where nobody allowed them, and what they restart is then left out of the sum.
REFUSED = {
    "cluster_service_cidrs",
    "cluster_network_backend",
    "cluster_network_backend_mode",
    "cluster_network_backend_options",
    "cluster_dns_domain_name",
    "cluster_dns_service_addresses",
}
NAMES = {one.variable: one.name for one in SETTINGS}
CASES = [(variable, case) for variable, cases in SETTINGS_CASES.items() for case in cases]


def plan_of(
    settings: Settings, some: list[Host] = HOSTS, before: Allocations | None = None
) -> dict[str, Any]:
    existing = settings.existing_nodes
    settings = replace(settings, existing_nodes=())
    # A cluster that is renamed has its file renamed as well.
    ledger = replace(before or Allocations(), cluster=settings.cluster_name)
    return prepare_plan(settings, some, CONTRACTS, ledger, None, existing or None).plan


def test_every_setting_is_changed() -> None:
    assert set(SETTINGS_CASES) == set(NAMES)


@pytest.mark.parametrize(
    ("variable", "case"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)]
)
def test_a_changed_setting_is_named_with_what_it_restarts(variable: str, case: Told | Nothing) -> None:
    base = replace(Settings(network_backend="kubenet"), **getattr(case, "beside", {}))
    before = prepare_plan(base, HOSTS, CONTRACTS)
    changed: dict[str, Any] = {NAMES[variable]: case.value}
    wanted = replace(base, **changed)
    found = plan_difference(before.plan, plan_of(wanted, before=before.allocations))
    if isinstance(case, Nothing):
        assert case.because
        assert found.summary == "Nothing changes: this plan is what is deployed."
        return
    assert {change.subject for change in found.changes} == case.subjects
    assert bool(found.refused) == (variable in REFUSED)
    assert dict(found.restarts) == case.units
    # What restarts is told, or in words that nothing does, or why it is refused.
    for change in found.changes:
        words = " ".join(change.effects)
        assert change.restarts or change.refused or "restart" in words or "every node" in words
        assert "not known" not in words


B = HOSTS[1]
HOST_CASES: dict[str, list[tuple[Host, set[str], Units]]] = {
    "max_pods": [(replace(B, max_pods=50), {"node max pods"}, {"kubelet": ("node-b",)})],
    "node_address": [
        (
            replace(B, addresses=("192.0.2.99",)),
            {"node address"},
            {"kubelet": ("node-b",), "carrier": ("node-b",)},
        )
    ],
    "node_addresses": [
        (
            replace(B, addresses=("192.0.2.98",)),
            {"node address"},
            {"kubelet": ("node-b",), "carrier": ("node-b",)},
        )
    ],
    # Refused, so that what restarts is told with it and not in the sum.
    "node_name": [(replace(B, node_name="other"), {"node renamed", "node pod network"}, {})],
    "pod_cidr": [(replace(B, pod_cidr_pins=("10.200.9.0/24",)), {"node pod network"}, {})],
    # Of a node that has its network already it changes nothing, of which the planner warns.
    "pod_prefix": [(replace(B, pod_prefixes=(23,)), set(), {})],
}


def test_every_variable_of_a_host_is_changed() -> None:
    assert set(HOST_CASES) == set(HOST_VARIABLES)


@pytest.mark.parametrize("variable", HOST_VARIABLES)
def test_a_changed_variable_of_a_host_is_named_with_what_it_restarts(variable: str) -> None:
    base = Settings(network_backend="kubenet")
    before = prepare_plan(base, HOSTS, CONTRACTS)
    for changed, subjects, units in HOST_CASES[variable]:
        after = plan_of(base, [HOSTS[0], changed, HOSTS[2]], before.allocations)
        found = plan_difference(before.plan, after)
        assert {change.subject for change in found.changes} == subjects
        assert dict(found.restarts) == units
        back = plan_difference(after, before.plan)
        assert {change.subject for change in back.changes} == subjects


@pytest.mark.parametrize("group", ["etcd", "kube_control_plane", "kube_node"])
def test_a_changed_group_of_a_host_is_named(group: str) -> None:
    second = replace(B, groups=B.groups ^ {group})
    # One host alone may be of the control plane, which then is another one.
    others = frozenset({group} if group == "kube_control_plane" else ())
    some = [replace(HOSTS[0], groups=HOSTS[0].groups - others), second, HOSTS[2]]
    base = Settings(network_backend="kubenet")
    before = prepare_plan(base, HOSTS, CONTRACTS)
    found = plan_difference(before.plan, plan_of(base, some, before.allocations))
    assert "node part" in {change.subject for change in found.changes}


def test_every_key_of_a_plan_is_compared_or_follows_from_another() -> None:
    rich = Settings(network_backend="kubenet", extra_service_cidrs=("10.33.0.0/24",))
    assert plan_of(rich).keys() <= COMPARED
