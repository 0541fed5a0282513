"""What a contract may say: every key with its kind, its default and its meaning.

This is the one definition. Reading and merging (`contract`), the JSON Schema of the plan's `backend`
(`json_schema`), the tables of the documentation and the tests follow from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, NamedTuple

from flatnet.contract import words
from flatnet.contract.kinds import (
    Choice,
    Either,
    Flag,
    Json,
    Key,
    ListOf,
    MapOf,
    OneOrMore,
    Record,
    Whole,
    key,
    keys_of,
)

BACKEND, POLICY_ENGINE, COMPONENT = "backend", "policy_engine", "component"
KINDS = (BACKEND, POLICY_ENGINE, COMPONENT)
# What a role's name begins with, by the kind of its contract.
ROLE_PREFIXES: Mapping[str, str] = {BACKEND: "cni_", POLICY_ENGINE: "policy_", COMPONENT: ""}
GROUPS = ("etcd", "kube_control_plane", "kube_node")
FAMILIES = ("ipv4", "ipv6")
KUBE_PROXY_MODES = ("iptables", "nftables", "ipvs")
# The mode of a contract that has none; nobody is shown it.
DEFAULT_MODE = "default"
DISTRIBUTIONS = ("debian", "redhat")


class Source(NamedTuple):
    """A source address that a receiver may see."""

    key: str
    """The key of a node in the plan that has the addresses."""
    words: str


# By what a contract calls them; beside these it may name a device, as device:NAME.
SOURCES: Mapping[str, Source] = {
    "pod_gateway": Source("pod_gateways", "the gateway of its pods, first address of the node's pod network"),
    "node_address": Source("addresses", "the node's address"),
    "tunnel_address": Source(
        "tunnel_addresses", "the tunnel's address, network address of the node's pod network"
    ),
}
DEVICE = "device:"
# Of these the plan knows the address only where it hands out the pod networks.
PLANNED_SOURCES = frozenset({"pod_gateway", "tunnel_address"})

# What an interface has to do with the cluster's addresses.
CARRIES: Mapping[str, str] = {
    "own_pods": "the node's own pods",
    "all_pods": "pods of other nodes, or of all",
    "services": "addresses of services",
    "nothing": "no address of pods or services",
}
# What it means that two nodes are on one link.
NODE_LINKS: Mapping[str, str] = {
    "any": "nothing: nodes may be anywhere",
    "direct": "packets between two such nodes take no tunnel",
    "needed": "every node has to be on a link of every other's, as a gateway; so it is where routes is plan",
}
# Of these two nodes speak without ports.
_PORTLESS = ("ipip", "gre", "esp")
# Routes that the kernel, an administrator and the host's own daemons make (rtnetlink(7), rt_protos).
_COMMON_PROTOCOLS = frozenset(
    {"unspec", "redirect", "kernel", "boot", "static", "ra", "dhcp", "0", "1", "2", "3", "4", "9", "16"}
)
_COMMON_TABLES = frozenset({"default", "main", "local", "253", "254", "255"})


def _port_fault(port: Json) -> str:
    portless = port["protocol"] in _PORTLESS
    if portless and "port" in port:
        return f"{port['protocol']} has no ports; leave out port"
    return "" if portless or "port" in port else f"{port['protocol']} has ports; name the port"


def _route_fault(route: Json) -> str:
    if not route:
        return "it says nothing; give protocol, device, type or table"
    if "device" in route or "leads_to" in route:
        return ""
    protocol, table = str(route.get("protocol", "")), str(route.get("table", ""))
    if (protocol and protocol not in _COMMON_PROTOCOLS) or (table and table not in _COMMON_TABLES):
        return ""
    return "it would match routes of others; give a protocol or a table of its own, or a device"


def _rule_fault(rule: Json) -> str:
    if not rule:
        return "it says nothing; give priority or table"
    if "priority" not in rule and str(rule["table"]) in _COMMON_TABLES:
        return "it would match the rules of others; give a priority or a table of its own"
    return ""


def _table_fault(table: Json) -> str:
    shared = [name for name in words.IPTABLES_TABLES if fnmatchcase(name, table["name"])]
    if shared and table["family"] in ("ip", "ip6"):
        return f"the table {shared[0]} is what iptables has for everybody; name a table of its own"
    return ""


def _makes_fault(makes: Json) -> str:
    # They have no names to be recognised by.
    if makes.get("virtual_servers") and "cleanup" not in makes:
        return "virtual_servers needs cleanup, which says how they are removed"
    return ""


@dataclass(frozen=True, kw_only=True)
class Port:
    """What is received from other hosts."""

    protocol: Annotated[
        str, key(Choice(("tcp", "udp", "sctp", *_PORTLESS)), "tcp, udp, sctp, or one without ports")
    ]
    port: Annotated[int | None, key(Whole(1, 65535, "a port"), "The port.", default=None)]
    option: Annotated[str | None, key(words.LABEL, "The option that says another port.", default=None)] = None
    purpose: Annotated[str, key(words.SENTENCE, "What for, in a few words.")]


@dataclass(frozen=True, kw_only=True)
class Option:
    """A number that an inventory may choose."""

    about: Annotated[str, key(words.SENTENCE, "What it is, in a few words.")]
    default: Annotated[int, key(Whole(0, 2**32 - 1, "a number"), "The number unless chosen.")]
    least: Annotated[int, key(Whole(0, 2**32 - 1, "a number"), "The smallest.", default=0)]
    most: Annotated[int, key(Whole(0, 2**32 - 1, "a number"), "The largest.")]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A client certificate of the cluster's authority."""

    name: Annotated[str, key(words.NAME, "The name of the files.")]
    common_name: Annotated[str, key(words.USER, "The user.")]
    organizations: Annotated[tuple[str, ...], key(ListOf(words.USER), "The user's groups.", default=[])]


@dataclass(frozen=True, kw_only=True)
class Packages:
    """The packages that bring a command, by family of distributions."""

    debian: Annotated[str, key(words.PACKAGE, "Debian, Ubuntu and their kin.")]
    redhat: Annotated[str, key(words.PACKAGE, "Red Hat and its kin.")]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a role needs of a host, and what is to be brought there."""

    commands: Annotated[
        Mapping[str, Packages],
        key(
            MapOf(words.NAME, Record(Packages)),
            "Commands of the host, with the packages that bring them.",
            default={},
        ),
    ]
    kernel_features: Annotated[
        tuple[str, ...],
        key(ListOf(words.KERNEL_FEATURE), "Kernel features by the names of their modules.", default=[]),
    ]
    optional_kernel_features: Annotated[
        tuple[str, ...],
        key(
            ListOf(words.KERNEL_FEATURE),
            "Kernel features that it makes use of where they are, and has a worse way without.",
            default=[],
        ),
    ]
    programs: Annotated[
        Mapping[str, tuple[str, ...]],
        key(
            MapOf(words.NAME, ListOf(words.NAME), GROUPS),
            "Programs of the catalog, by group of hosts.",
            default={},
        ),
    ]
    images: Annotated[
        Mapping[str, tuple[str, ...]],
        key(
            MapOf(words.NAME, ListOf(words.NAME), GROUPS),
            "Images of the catalog, by group of hosts.",
            default={},
        ),
    ]
    files: Annotated[
        Mapping[str, tuple[str, ...]],
        key(
            MapOf(words.NAME, ListOf(words.NAME), GROUPS),
            "Sets of upstream's files in the catalog, by group of hosts.",
            default={},
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface, or several by a pattern."""

    name: Annotated[str, key(words.INTERFACE, "The name, or a pattern.")]
    carries: Annotated[str, key(Choice(tuple(CARRIES)), "What it has to do with the cluster's addresses.")]


@dataclass(frozen=True, kw_only=True)
class Route:
    """Routes that have all of what is given."""

    protocol: Annotated[
        int | str | None,
        key(
            Either(int, Whole(0, 255, "a route protocol"), words.ROUTE_WORD),
            "The route protocol.",
            default=None,
        ),
    ]
    leads_to: Annotated[
        str | None,
        key(
            Choice(("pods",)),
            "Pods, through the address of another node; the role's own unit removes them.",
            default=None,
        ),
    ] = None
    device: Annotated[str | None, key(words.INTERFACE, "The interface, or a pattern.", default=None)]
    type: Annotated[
        str | None,
        key(
            Choice(("unicast", "local", "blackhole", "unreachable", "prohibit", "throw")),
            "The type of the route.",
            default=None,
        ),
    ]
    table: Annotated[
        int | str | None,
        key(
            Either(int, Whole(1, 2**32 - 1, "a routing table"), words.TABLE_WORD),
            "The routing table.",
            default=None,
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Rules of the routing policy that have all of what is given."""

    # 0, 32766 and 32767 are the kernel's own: ip-rule(8).
    priority: Annotated[int | None, key(Whole(1, 32765, "a priority"), "The priority.", default=None)]
    table: Annotated[
        int | str | None,
        key(
            Either(int, Whole(1, 2**32 - 1, "a routing table"), words.TABLE_WORD),
            "The routing table that is looked up.",
            default=None,
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of nftables that programs make."""

    family: Annotated[str, key(Choice(("ip", "ip6", "inet", "arp", "bridge", "netdev")), "The family.")]
    name: Annotated[str, key(words.TABLE, "The name, or a pattern.")]
    kept_while: Annotated[
        str | None,
        key(
            words.NAME,
            "A word of rules, such as dnat; while there is one in the table, somebody uses it.",
            default=None,
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class SharedChain:
    """A chain of iptables that programs of several owners use, such as those of a CNI plugin."""

    name: Annotated[str, key(words.CHAIN, "The name, or a pattern.")]
    kept_while: Annotated[str, key(words.CHAIN, "While there is such a chain in the table, it is in use.")]


@dataclass(frozen=True, kw_only=True)
class PodNetwork:
    """A network of the Container Network Interface."""

    name: Annotated[str, key(words.NAME, "The name, which libcni notes with each pod that it attaches.")]
    attachments: Annotated[str, key(words.PATH, "The directory of libcni's notes.")]
    configurations: Annotated[str, key(words.PATH, "The directory where the runtime reads of the network.")]


@dataclass(frozen=True, kw_only=True)
class Containerd:
    """A containerd, in which other runtimes may have containers too."""

    state: Annotated[str, key(words.PLACE, "The directory of what runs, and of its socket.")]
    root: Annotated[str, key(words.PLACE, "The directory of what it keeps.")]
    namespaces: Annotated[
        tuple[str, ...], key(ListOf(words.NAME), "Its namespaces that it is given images in.", default=[])
    ]


@dataclass(frozen=True, kw_only=True)
class Bpf:
    """Programs of BPF on interfaces, and pinned objects."""

    interfaces: Annotated[
        tuple[str, ...], key(ListOf(words.INTERFACE), "Interfaces with XDP or tc programs.", default=[])
    ]
    pins: Annotated[tuple[str, ...], key(ListOf(words.PIN), "Pinned objects.", default=[])]


@dataclass(frozen=True, kw_only=True)
class ApiObject:
    """A kind of object that programs create in the API."""

    api_version: Annotated[str, key(words.API_VERSION, "Group and version.")]
    kind: Annotated[str, key(words.API_KIND, "The kind.")]


@dataclass(frozen=True, kw_only=True)
class Makes:
    """What programs make on a host outside of any record: names, or patterns of names."""

    interfaces: Annotated[
        Mapping[str, Interface],
        key(MapOf(words.LABEL, Record(Interface)), "Network interfaces, by what they are.", default={}),
    ]
    pod_interfaces: Annotated[
        tuple[str, ...],
        key(
            ListOf(words.INTERFACE),
            "The hosts' ends of the pods' interfaces, where they have addresses; they go with the pods.",
            default=[],
        ),
    ]
    addresses: Annotated[
        tuple[str, ...],
        key(ListOf(words.INTERFACE_ADDRESS), "Addresses on interfaces of others.", default=[]),
    ]
    routes: Annotated[
        tuple[Route, ...], key(ListOf(Record(Route, check=_route_fault)), "Routes.", default=[])
    ]
    rules: Annotated[
        tuple[Rule, ...],
        key(ListOf(Record(Rule, check=_rule_fault)), "Rules of the routing policy.", default=[]),
    ]
    chains: Annotated[
        tuple[str, ...], key(ListOf(words.CHAIN), "Chains of iptables, legacy and nft.", default=[])
    ]
    shared_chains: Annotated[
        tuple[SharedChain, ...],
        key(ListOf(Record(SharedChain)), "Chains of iptables that others may use too.", default=[]),
    ]
    tables: Annotated[
        tuple[Table, ...], key(ListOf(Record(Table, check=_table_fault)), "Tables of nftables.", default=[])
    ]
    ipsets: Annotated[tuple[str, ...], key(ListOf(words.SET), "Sets of ipset.", default=[])]
    bpf: Annotated[Bpf, key(Record(Bpf), "Programs of BPF and pinned objects.", default={})]
    mounts: Annotated[tuple[str, ...], key(ListOf(words.PLACE), "Mount points.", default=[])]
    directories: Annotated[
        tuple[str, ...],
        key(
            ListOf(words.PLACE),
            "Directories and files; with a slash at its end one goes when it is empty.",
            default=[],
        ),
    ]
    virtual_servers: Annotated[bool, key(Flag(), "Whether it makes virtual servers of IPVS.", default=False)]
    cleanup: Annotated[
        str | None,
        key(
            words.COMMAND,
            "How one of its programs removes the virtual servers; it may remove those of others.",
            default=None,
        ),
    ]
    pod_networks: Annotated[
        tuple[PodNetwork, ...],
        key(ListOf(Record(PodNetwork), unique="name"), "Networks that pods are attached to.", default=[]),
    ]
    container_namespaces: Annotated[
        tuple[str, ...],
        key(ListOf(words.NAME), "Namespaces of containerd in which it makes containers.", default=[]),
    ]
    containerd: Annotated[
        Containerd | None, key(Record(Containerd), "The containerd that it runs.", default=None)
    ]
    api_objects: Annotated[
        tuple[ApiObject, ...],
        key(ListOf(Record(ApiObject)), "Kinds of objects that its programs create in the API.", default=[]),
    ]
    node_annotations: Annotated[
        tuple[str, ...], key(ListOf(words.OBJECT_KEY), "Annotations of Node objects.", default=[])
    ]
    node_labels: Annotated[
        tuple[str, ...], key(ListOf(words.OBJECT_KEY), "Labels of Node objects.", default=[])
    ]


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Bytes that are added to a packet, by family of the underlay."""

    ipv4: Annotated[int, key(Whole(0, 1500, "a number of bytes"), "Over IPv4.")]
    ipv6: Annotated[int, key(Whole(0, 1500, "a number of bytes"), "Over IPv6.")]


@dataclass(frozen=True, kw_only=True)
class Check:
    """The source address that a receiver sees, by kind of connection."""

    node_to_local_pod: Annotated[
        tuple[str, ...], key(OneOrMore(words.EXPECTED_SOURCE), "A node to its own pod.")
    ]
    node_to_remote_pod: Annotated[
        tuple[str, ...], key(OneOrMore(words.EXPECTED_SOURCE), "A node to a pod of another node.")
    ]
    hairpin: Annotated[
        tuple[str, ...], key(OneOrMore(words.EXPECTED_SOURCE), "A pod to itself through a Service.")
    ]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Everything that may stand at the top of a contract, for all its modes, and in a mode."""

    description: Annotated[str, key(words.SENTENCE, "What it does, in a sentence.")]
    ipam: Annotated[str, key(Choice(("plan", "backend")), "Who hands out pod addresses.", of=[BACKEND])]
    allocation: Annotated[
        str,
        key(
            Choice(("flat", "grouped")),
            "Where the plan takes a node's network from: anywhere in the pod network, or the part of it that "
            "the node's group of cluster_pod_topology has.",
            default="flat",
            of=[BACKEND],
        ),
    ]
    families: Annotated[
        tuple[str, ...],
        key(
            ListOf(Choice(FAMILIES), least=1, replaced=True), "Address families.", of=[BACKEND, POLICY_ENGINE]
        ),
    ]
    several_pod_cidrs: Annotated[
        bool, key(Flag(), "Whether a family may have several pod networks.", default=False, of=[BACKEND])
    ]
    overhead: Annotated[
        Overhead,
        key(
            Record(Overhead, late=True),
            "Bytes that the backend adds to a packet, by family of the underlay.",
            of=[BACKEND],
        ),
    ]
    masquerade: Annotated[
        str, key(Choice(("flatnet", "backend")), "Who translates what leaves the cluster.", of=[BACKEND])
    ]
    routes: Annotated[
        str,
        key(
            Choice(("plan", "backend", "network", "none")),
            "Who makes the routes to pods: the plan or the backend on the nodes, or the network between them "
            "on its routers; none where all pods are neighbours.",
            of=[BACKEND],
        ),
    ]
    node_links: Annotated[
        str,
        key(
            Choice(tuple(NODE_LINKS)),
            "What it means that two nodes are on one link.",
            default="any",
            of=[BACKEND],
        ),
    ]
    control_plane_routes: Annotated[
        bool,
        key(
            Flag(),
            "Whether hosts of the control plane that are not nodes get routes to pods.",
            default=False,
            of=[BACKEND],
        ),
    ]
    policy: Annotated[
        str,
        key(
            Choice(("none", "backend")),
            "Whether the backend enforces NetworkPolicy.",
            default="none",
            of=[BACKEND],
        ),
    ]
    kube_proxy_modes: Annotated[
        tuple[str, ...],
        key(
            ListOf(Choice((*KUBE_PROXY_MODES, "none")), least=1, replaced=True),
            "Modes of kube-proxy that it works with; none where it carries services itself.",
            default=list(KUBE_PROXY_MODES),
            of=[BACKEND, POLICY_ENGINE],
        ),
    ]
    check: Annotated[
        Check,
        key(
            Record(Check, late=True),
            "The source address that a receiver sees, by kind of connection.",
            of=[BACKEND],
        ),
    ]
    ports: Annotated[
        tuple[Port, ...],
        key(ListOf(Record(Port, check=_port_fault)), "What must be open between the hosts.", default=[]),
    ]
    options: Annotated[
        Mapping[str, Option],
        key(
            MapOf(words.LABEL, Record(Option)),
            "What cluster_network_backend_options may say.",
            default={},
            of=[BACKEND],
        ),
    ]
    units: Annotated[
        tuple[str, ...], key(ListOf(words.UNIT), "Its systemd units, without .service.", default=[])
    ]
    identities: Annotated[
        tuple[Identity, ...],
        key(ListOf(Record(Identity), unique="name"), "Its client certificates.", default=[]),
    ]
    needs: Annotated[Needs, key(Record(Needs), "What it needs of a host.", default={})]
    removed: Annotated[
        str,
        key(
            Choice(("first", "middle", "last")),
            "When it is removed among others: first what starts pods, last what removing others needs.",
            default="middle",
        ),
    ]
    makes: Annotated[
        Makes, key(Record(Makes, check=_makes_fault), "What it makes on a host and in the API.", default={})
    ]


@dataclass(frozen=True, kw_only=True)
class Resolved(Terms):
    """A contract in one of its modes: everything merged, defaults filled in.

    Keys that a contract of this kind does not have are None.
    """

    kind: str
    name: str
    role: str
    mode: str
    option_values: Mapping[str, int]
    """The numbers of the options: those that the plan chose, or the defaults."""
    data: Mapping[str, Any]
    """The same as plain data, as the plan has it."""

    @property
    def title(self) -> str:
        """Who it is, as a message says it: `backend flannel in mode vxlan`."""
        what = {BACKEND: "backend ", POLICY_ENGINE: "policy engine "}
        return what.get(self.kind, "") + titled(self.data)


def terms_of(kind: str) -> dict[str, Key]:
    """Return the keys of a contract of that kind, beside kind, name and modes."""
    return {name: one for name, one in keys_of(Terms).items() if kind in one.of}


def titled(contract: Mapping[str, Any]) -> str:
    """Return `flannel in mode vxlan`, or the name alone where there is no mode to choose."""
    mode = contract.get("mode", DEFAULT_MODE)
    return str(contract["name"]) if mode == DEFAULT_MODE else f"{contract['name']} in mode {mode}"
