"""Where every value that a daemon is told comes from: the inventory variable behind it, and the rule."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flatnet.contract.schema import titled
from flatnet.plan_report.document import Document
from flatnet.plan_report.words import port_words
from flatnet.settings import setting_of


class Origin(NamedTuple):
    """One value: who is told it, under which name, the value, the variable behind it, and the rule."""

    daemon: str
    name: str
    value: str
    variable: str
    rule: str


class _Rule(NamedTuple):
    setting: str
    words: str


_AS_SET = "as set"
_POD_RULE = "the pod networks, in the order of the families"
_SERVICE_RULE = "the service networks, in the order of the pod networks' families"
_PREFIX_RULE = (
    "when not set 24 for IPv4 and 64 for IPv6; with both families one flag each, as the daemon wants it"
)
_DNS_RULE = "when not set the tenth address of each service network, as kubeadm has it"

_FLAGS: Mapping[tuple[str, str], _Rule] = {
    ("kube-apiserver", "service-cluster-ip-range"): _Rule("service_cidrs", _SERVICE_RULE),
    ("kube-apiserver", "service-node-port-range"): _Rule("node_port_range", _AS_SET),
    ("kube-apiserver", "enable-aggregator-routing"): _Rule(
        "group kube_node",
        "its host is not a node and has routes to pods: what a Service leads to is called there",
    ),
    ("kube-controller-manager", "cluster-cidr"): _Rule("pod_cidrs", _POD_RULE),
    ("kube-controller-manager", "service-cluster-ip-range"): _Rule("service_cidrs", _SERVICE_RULE),
    ("kube-controller-manager", "node-cidr-mask-size"): _Rule("node_prefixes", _PREFIX_RULE),
    ("kube-controller-manager", "node-cidr-mask-size-ipv4"): _Rule("node_prefixes", _PREFIX_RULE),
    ("kube-controller-manager", "node-cidr-mask-size-ipv6"): _Rule("node_prefixes", _PREFIX_RULE),
    ("kube-controller-manager", "allocate-node-cidrs"): _Rule(
        "network_backend",
        "false: the plan gives every node its network and writes Node.spec.podCIDRs; nobody else may",
    ),
    ("kube-proxy", "cluster-cidr"): _Rule("pod_cidrs", _POD_RULE),
    ("kube-proxy", "proxy-mode"): _Rule("kube_proxy_mode", _AS_SET),
    ("kubelet", "cluster-dns"): _Rule("dns_addresses", _DNS_RULE),
    ("kubelet", "cluster-domain"): _Rule("dns_domain", _AS_SET),
    ("kubelet", "max-pods"): _Rule("max_pods", "as set; a node's network must address that many"),
}
_CONFIGURATION: Mapping[tuple[str, str], _Rule] = {
    ("kube_proxy_configuration", "clusterCIDR"): _Rule("pod_cidrs", _POD_RULE),
    ("kube_proxy_configuration", "mode"): _Rule("kube_proxy_mode", _AS_SET),
    ("kubelet_configuration", "clusterDNS"): _Rule("dns_addresses", _DNS_RULE),
    ("kubelet_configuration", "clusterDomain"): _Rule("dns_domain", _AS_SET),
    ("kubelet_configuration", "maxPods"): _Rule(
        "max_pods", "as set; a node's network must address that many"
    ),
}
_FILES = {
    "kube_proxy_configuration": "KubeProxyConfiguration",
    "kubelet_configuration": "KubeletConfiguration",
}
_UNKNOWN = _Rule("", "computed by the planner")


def _variable(name: str) -> str:
    """Return the variable of a setting; a group of the inventory, and nothing, stand for themselves."""
    return name if not name or name.startswith("group ") else setting_of(name).variable


def flag_origins(document: Document) -> dict[str, list[Origin]]:
    """Return daemon -> its flags, then the fields of its configuration file, then the flags by host."""
    found: dict[str, list[Origin]] = {}
    for daemon, flags in sorted(document["flags"].items()):
        found[daemon] = [
            _origin(daemon, f"--{name}", value, _FLAGS.get((daemon, name), _UNKNOWN))
            for name, value in sorted(flags.items())
        ]
    for key, kind in _FILES.items():
        if key not in document:
            continue
        daemon = "kubelet" if key.startswith("kubelet") else "kube-proxy"
        found[daemon] += [
            _origin(daemon, f"{kind}.{name}", value, _CONFIGURATION.get((key, name), _UNKNOWN))
            for name, value in sorted(document[key].items())
        ]
    for origin in _host_origins(document):
        found[origin.daemon].append(origin)
    return found


def _origin(daemon: str, name: str, value: object, rule: _Rule) -> Origin:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Origin(daemon, name, text, _variable(rule.setting), rule.words)


def _host_origins(document: Document) -> list[Origin]:
    """Return the flags whose values differ by host, with the value of the first host as the example.

    The roles kube_control_plane and kube_node compute them from the plan's hosts.
    """
    nodes: dict[str, Any] = document["nodes"]
    control = [node for _, node in sorted(nodes.items()) if "kube_control_plane" in node["groups"]]
    workers = [node for _, node in sorted(nodes.items()) if "kube_node" in node["groups"]]
    members = sorted(node["addresses"][0] for node in nodes.values() if "etcd" in node["groups"])
    found = []
    if control:
        first = control[0]
        issuer = f"https://kubernetes.default.svc.{document['dns_domain']}"
        servers = ",".join(f"https://{_in_url(address)}:2379" for address in members)
        found += [
            Origin(
                "kube-apiserver",
                "--advertise-address",
                first["addresses"][0],
                "node_address",
                _example(first["name"], len(control), "the host's first address"),
            ),
            Origin(
                "kube-apiserver", "--etcd-servers", servers, "group etcd", "the first address of every member"
            ),
            Origin(
                "kube-apiserver",
                "--service-account-issuer",
                issuer,
                _variable("dns_domain"),
                "the Service kubernetes, as pods call it",
            ),
            Origin(
                "kube-controller-manager",
                "--cluster-name",
                document["cluster_name"],
                _variable("cluster_name"),
                _AS_SET,
            ),
        ]
    if workers:
        first = workers[0]
        found += [
            Origin(
                "kubelet",
                "--hostname-override",
                first["name"],
                "node_name",
                _example(first["name"], len(workers), "the inventory name, unless node_name is set"),
            ),
            Origin(
                "kubelet",
                "--node-ip",
                ",".join(first["addresses"]),
                "node_address",
                _example(first["name"], len(workers), "the host's addresses, one per family"),
            ),
        ]
    return found


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _example(name: str, count: int, rule: str) -> str:
    return rule if count == 1 else f"{rule}; shown for {name}"


def value_origins(document: Document) -> list[Origin]:
    """Return the values that are no daemon's flag but follow from the settings all the same."""
    backend = document["backend"]
    overhead = document["underlay_mtu"] - document["mtu"]
    found = [
        Origin(
            "",
            "Service kubernetes",
            ", ".join(document["first_service_addresses"]),
            _variable("service_cidrs"),
            "the first address after the network's own",
        ),
        Origin(
            "",
            "API server",
            document["api_endpoint"]["url"],
            _variable("api_endpoint"),
            "when not set the first address of the control-plane host, with cluster_api_port",
        ),
        Origin("", "DNS", ", ".join(document["dns_addresses"]), _variable("dns_addresses"), _DNS_RULE),
        Origin(
            "",
            "MTU between nodes",
            str(document["underlay_mtu"]),
            _variable("underlay_mtu"),
            "when not set the smallest that the hosts have, 1500 while none is known",
        ),
        Origin(
            "",
            "MTU of pods",
            str(document["mtu"]),
            _variable("network_backend"),
            f"{document['underlay_mtu']} less {overhead} bytes that {titled(backend)} adds to a packet",
        ),
    ]
    ports = [f"{port_words(port)} ({port['purpose']})" for port in backend["ports"]]
    rule = f"what {titled(backend)} declares" if ports else f"{titled(backend)} listens on none"
    found.append(
        Origin("", "Ports between nodes", ", ".join(ports) or "none", _variable("network_backend"), rule)
    )
    engine = document["policy_engine"]["name"]
    rule = "enforces NetworkPolicy objects" if engine != "none" else "nobody enforces NetworkPolicy objects"
    found.append(Origin("", "Network policies", engine, _variable("network_policy_engine"), rule))
    return [*found, *_san_origins(document)]


def _san_origins(document: Document) -> list[Origin]:
    sans = document["apiserver_sans"]
    masters = [node for node in document["nodes"].values() if "kube_control_plane" in node["groups"]]
    service = {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{document['dns_domain']}",
        *document["first_service_addresses"],
    }
    hosts = {text for node in masters for text in (node["name"], *node["addresses"])}
    groups: dict[tuple[str, str], list[str]] = {}
    for text in (*sans["dns"], *sans["ip"]):
        if text in service:
            key = ("", "what pods call the Service kubernetes, and its addresses")
        elif text in {"localhost", "127.0.0.1", "::1"}:
            key = ("", "the control plane itself")
        elif text in hosts:
            key = ("group kube_control_plane", "name and addresses of every control-plane host")
        elif text == document["api_endpoint"]["address"]:
            key = (_variable("api_endpoint"), "the name or address that everybody reaches it by")
        else:
            key = (_variable("extra_apiserver_sans"), _AS_SET)
        groups.setdefault(key, []).append(text)
    return [
        Origin("", "Names of the API", ", ".join(texts), variable, rule)
        for (variable, rule), texts in groups.items()
    ]
