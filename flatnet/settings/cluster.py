"""The settings of a cluster: the one place that defines them.

Argument specifications, the example inventory and docs/settings.md are written from here (`make docs`), and
the playbooks take types, ranges and defaults from here. A new setting is a field here, and its use.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from flatnet.contract.schema import KUBE_PROXY_MODES
from flatnet.settings.definition import Setting, plain, setting, settings_of

IDENTITY = "The cluster"
NETWORKS = "Networks of pods and services"
FREE = "Networks that must stay free"
CARRIAGE = "How pods reach each other, and how services are carried"
API = "The API server"
DNS = "DNS"
PROGRAMS = "Where the programs come from"
RUNNING = "A cluster that runs already"
SWITCH = "Switching the network of a running cluster"
CHECK = "The check"

SECTIONS: Mapping[str, str] = {
    IDENTITY: "",
    NETWORKS: "They must not overlap with each other nor with any network of your hosts.",
    FREE: "Though no host shows them.",
    CARRIAGE: "docs/backends.md compares the backends.",
    API: "",
    DNS: "",
    PROGRAMS: "docs/offline.md is about hosts and controllers without the internet.",
    RUNNING: "What it does not follow by itself, and what it has already: docs/plan.md.",
    SWITCH: "docs/switch.md.",
    CHECK: "docs/verify.md.",
}
"""Section -> what is to be said of all its settings, in the order of the documentation."""


@dataclass(frozen=True)
class Settings:
    """Cluster-wide values. Lists that have one entry per address family are in the order of pod_cidrs."""

    cluster_name: str = setting(
        "kubernetes",
        IDENTITY,
        "Name of the cluster in kubeconfigs, and of the owner of the allocations file.",
    )
    state_directory: str = setting(
        "",
        IDENTITY,
        "Folder on the controller for the allocations, certificates and records; a relative path is one "
        "beside the inventory.",
        empty="beside the inventory",
    )
    reports_directory: str = setting(
        "",
        IDENTITY,
        "Folder on the controller for the reports of plans and checks, in one of the cluster's name; a "
        "relative path is one in the state directory.",
        empty="reports in the state directory",
    )
    pod_cidrs: tuple[str, ...] = setting(
        ("10.200.0.0/16",),
        NETWORKS,
        "Networks of all pods, one per address family in the order that families have everywhere, or several "
        "where the backend carries that.",
    )
    service_cidrs: tuple[str, ...] = setting(
        ("10.32.0.0/24",),
        NETWORKS,
        "Networks of the services, one per family, in the order of the pod networks.",
    )
    extra_service_cidrs: tuple[str, ...] = setting(
        (),
        NETWORKS,
        "Further networks of services, of the families in use, which become ServiceCIDR objects.",
        empty="none",
    )
    node_prefixes: tuple[int, ...] = setting(
        (),
        NETWORKS,
        "Prefix length of one node's pod network, one per family; a /24 holds 253 pods.",
        unit="bits",
        least=1,
        most=128,
        empty="24 for IPv4 and 64 for IPv6",
    )
    # A pod has a process at least, and Linux gives out no more numbers for them: include/linux/threads.h,
    # PID_MAX_LIMIT.
    max_pods: int = setting(
        110,
        NETWORKS,
        "The most pods that a node runs, unless the host has its own max_pods.",
        unit="pods",
        least=1,
        most=4 * 1024 * 1024,
    )
    node_port_range: str = setting(
        "30000-32767", NETWORKS, "Ports of services of type NodePort, first to last."
    )
    excluded_cidrs: tuple[str, ...] = setting(
        (),
        FREE,
        "Networks elsewhere that nothing of the cluster may cover: reserved ones, and those that pods "
        "must reach.",
        empty="none",
    )
    host_cidrs: tuple[str, ...] = setting(
        (), FREE, "Networks of the hosts; their own addresses are checked anyway.", empty="none"
    )
    tunnel_cidrs: tuple[str, ...] = setting(
        (), FREE, "Networks inside tunnels that end on the hosts, such as a VPN's.", empty="none"
    )
    non_masquerade_cidrs: tuple[str, ...] = setting(
        (),
        CARRIAGE,
        "Networks outside that see a pod's own address, beside pods and hosts; routers there must know the "
        "way back.",
        empty="none",
    )
    network_backend: str = setting(
        "kubenet", CARRIAGE, "The backend that carries the pods, which is the role cni_<backend>."
    )
    network_backend_mode: str = setting(
        "", CARRIAGE, "The mode of the backend, where it has several.", empty="its first"
    )
    network_backend_options: Mapping[str, int] = setting(
        {},
        CARRIAGE,
        "Numbers of the backend in its mode, such as the port of its tunnel, as its role's page lists them.",
        empty="its defaults",
    )
    pod_topology: object = setting(
        (),
        CARRIAGE,
        "Groups of hosts, such as zones and racks, each with a name, and with hosts or further groups; "
        "gateways are the way to other groups. For backends that route by groups, such as romana.",
        empty="all hosts are one group",
    )
    kube_proxy_mode: str = setting(
        "iptables",
        CARRIAGE,
        "How kube-proxy carries services; none where the backend does it.",
        choices=(*KUBE_PROXY_MODES, "none"),
    )
    # From RFC 791 to what the length in an IP header can say.
    underlay_mtu: int | None = setting(
        None,
        CARRIAGE,
        "MTU between the nodes.",
        unit="bytes",
        least=68,
        most=65535,
        empty="the smallest that the hosts have, 1500 while none is known",
    )
    network_policy_engine: str = setting(
        "none",
        CARRIAGE,
        "Who enforces NetworkPolicy objects: none, backend, or an engine, which is the role policy_<engine>. "
        "What nobody would enforce is refused.",
    )
    api_port: int = setting(
        6443,
        API,
        "Port of the API server on every host of the control plane.",
        unit="port",
        least=1,
        most=65535,
    )
    api_endpoint: str = setting(
        "",
        API,
        "Name or address, with a port behind it where that differs, under which nodes and kubeconfigs "
        "reach the "
        "API server: that of a load balancer, say.",
        empty="the first address of the control-plane host, with the port of the API server",
    )
    apiserver_endpoints: tuple[str, ...] = setting(
        (),
        API,
        "Further load balancers in front of the API server, names or addresses without a port, which "
        "get into its "
        "certificate.",
        empty="none",
    )
    extra_apiserver_sans: tuple[str, ...] = setting(
        (),
        API,
        "Further names and addresses in the API server's certificate.",
        variable="cluster_apiserver_extra_sans",
        empty="none",
    )
    apiserver_certificate_sans: tuple[str, ...] = setting(
        (),
        API,
        "Names and addresses in the API server's certificate where another tool makes that; what it lacks is "
        "refused.",
        empty="flatnet makes it",
    )
    dns_domain: str = setting(
        "cluster.local", DNS, "DNS domain of the cluster.", variable="cluster_dns_domain_name"
    )
    dns_addresses: tuple[str, ...] = setting(
        (),
        DNS,
        "Addresses of the cluster's DNS service, one per family.",
        variable="cluster_dns_service_addresses",
        empty="the tenth address of each service network",
    )
    dns_upstreams: tuple[str, ...] = setting(
        ("/etc/resolv.conf",),
        DNS,
        "Servers that are asked for names outside the cluster, or a file of the hosts that lists them; "
        "an empty "
        "list refuses such names.",
    )
    programs_source: str = setting(
        "release",
        PROGRAMS,
        "Downloads of upstream's (release), programs built from Go modules (gomod), or a folder that "
        "you filled "
        "(directory).",
        choices=("release", "gomod", "directory"),
    )
    programs_exceptions: Mapping[str, str] = setting(
        {},
        PROGRAMS,
        "Another source for single programs or upstreams, such as {coredns: directory}.",
        choices=("release", "gomod", "directory"),
        empty="none",
    )
    programs_directory: str = setting(
        "", PROGRAMS, "The folder on the controller, for the source directory.", empty="none"
    )
    programs_releases: str = setting(
        "",
        PROGRAMS,
        "File on the controller that lists published files in place of the pinned ones: docs/provision.md.",
        empty="none",
    )
    allowed_changes: tuple[str, ...] = setting(
        (),
        RUNNING,
        "Kinds of change to what is deployed that you carry out by hand as their refusals say.",
        choices=(
            "pod_cidrs",
            "service_cidrs",
            "families",
            "dns_domain",
            "dns_addresses",
            "node_pod_cidrs",
            "node_names",
            "control_plane",
            "etcd_members",
        ),
        empty="none",
    )
    existing_nodes: object = setting(
        (),
        RUNNING,
        "Node objects of a cluster that runs already, or the path of a file of them, whose pod networks "
        "are taken "
        "over.",
        empty="none",
    )
    switch_batch: int = setting(
        0,
        SWITCH,
        "How many hosts change their network at once, 0 for all: the fewer, the longer pods of both networks "
        "do not all reach each other.",
        unit="hosts",
        least=0,
        most=100_000,
    )
    switch_ignored_budgets: tuple[str, ...] = setting(
        (),
        SWITCH,
        "PodDisruptionBudgets, as namespace/name, that do not keep a switch from making their pods anew.",
        empty="none",
    )
    switch_ready_seconds: int = setting(
        180,
        SWITCH,
        "How long to wait for nodes and pods that were ready before to be so again.",
        unit="seconds",
        least=1,
        most=86_400,
    )
    switch_measured_enabled: bool = setting(
        True, SWITCH, "Whether the interruption is measured, on two pods that run meanwhile."
    )
    check_outside_enabled: bool = setting(
        False,
        CHECK,
        "Whether pods call the controller, which has to be outside of the cluster and let them in.",
    )
    probe_image: str = setting("flatnet.local/agnhost:probe", CHECK, "Image of the pods that the check runs.")

    @property
    def data(self) -> dict[str, object]:
        """All settings as plain data, by their variables."""
        return {one.variable: plain(getattr(self, one.name)) for one in SETTINGS}


SETTINGS: tuple[Setting, ...] = settings_of(Settings)
_BY_NAME = {one.name: one for one in SETTINGS}


def setting_of(name: str) -> Setting:
    """Return the setting that is an attribute of Settings; LookupError for one that is none."""
    return _BY_NAME[name]
