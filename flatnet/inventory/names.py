"""Whether the names of an inventory's variables are those that are read."""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping

from flatnet.plan.names import listed_names

# What is read of each host; ansible_host is Ansible's own.
HOST_VARIABLES = ("max_pods", "node_address", "node_addresses", "node_name", "pod_cidr", "pod_prefix")
# Names of others for what is a setting here, without capitals and separators.
_ELSEWHERE = {
    # kubespray: roles/kubespray_defaults/defaults/main
    "dnsdomain": "cluster_dns_domain_name",
    "kubeapiservernodeportrange": "cluster_node_port_range",
    "kubeapiserverport": "cluster_api_port",
    "kubeletmaxpods": "cluster_max_pods",
    "kubenetworknodeprefix": "cluster_node_prefixes",
    "kubenetworknodeprefixipv6": "cluster_node_prefixes",
    "kubenetworkplugin": "cluster_network_backend",
    "kubepodssubnet": "cluster_pod_cidrs",
    "kubepodssubnetipv6": "cluster_pod_cidrs",
    "kubepodssubnets": "cluster_pod_cidrs",
    "kubeserviceaddresses": "cluster_service_cidrs",
    "kubeserviceaddressesipv6": "cluster_service_cidrs",
    "kubeservicesubnets": "cluster_service_cidrs",
    "kubeoverridehostname": "node_name",
    "supplementaryaddressesinsslkeys": "cluster_apiserver_extra_sans",
    "upstreamdnsservers": "cluster_dns_upstreams",
    # kubeasz: example/hosts.multi-node, and its config.yml
    "clustercidr": "cluster_pod_cidrs",
    "clusterdnsdomain": "cluster_dns_domain_name",
    "clusternetwork": "cluster_network_backend",
    "k8snodename": "node_name",
    "nodecidrlen": "cluster_node_prefixes",
    "nodeportrange": "cluster_node_port_range",
    "proxymode": "cluster_kube_proxy_mode",
    "secureport": "cluster_api_port",
    "servicecidr": "cluster_service_cidrs",
    # kubeadm's ClusterConfiguration, k0s, k3s and RKE2: their configuration files
    "clusterdns": "cluster_dns_service_addresses",
    "clusterdomain": "cluster_dns_domain_name",
    "controlplaneendpoint": "cluster_apiserver_endpoints",
    "nodecidrmasksize": "cluster_node_prefixes",
    "nodecidrmasksizeipv4": "cluster_node_prefixes",
    "nodecidrmasksizeipv6": "cluster_node_prefixes",
    "podsubnet": "cluster_pod_cidrs",
    "podnetworkcidr": "cluster_pod_cidrs",
    "servicesubnet": "cluster_service_cidrs",
    "serviceclusteriprange": "cluster_service_cidrs",
    "servicenodeportrange": "cluster_node_port_range",
}
# Of one word, or of words that any role may use: without cluster_ they need not be meant.
_COMMON = frozenset(
    {"name", "api_port", "state_directory", "reports_directory", "programs_directory", "probe_image"}
)
# Elsewhere the address of a node; here such a variable is somebody else's unless the address is another one.
ADDRESS_ELSEWHERE = ("ip", "access_ip")
_NEARLY = 0.85
# The role that is handed the settings; its names for them differ by words from those of the inventory.
_ROLE, _SIMILAR = "network_plan_", 0.75


def name_findings(
    names: Iterable[str], settings: Mapping[str, str], inputs: Collection[str]
) -> dict[str, str]:
    """Return name -> sentence for each variable that is surely meant to be another.

    settings: the cluster-wide variables, each with its name without Ansible. inputs: those of roles.
    A misspelt `cluster_...` is flatnet.settings' to tell; here are the other names.
    """
    known = frozenset(settings) | frozenset(inputs) | frozenset(HOST_VARIABLES)
    bare = {
        short: name for name, other in settings.items() for short in (name.removeprefix("cluster_"), other)
    }
    squashed = {_squashed(name): name for name in (*settings, *HOST_VARIABLES)}
    found = {}
    for name in sorted(frozenset(names) - known):
        if name.startswith(("ansible_", "__")):
            continue
        meant = _meant(name, bare, squashed)
        if meant:
            found[name] = f"{name} is read by nothing; do you mean {meant}?"
    return found


def _meant(name: str, bare: Mapping[str, str], squashed: Mapping[str, str]) -> str:
    """Return what is to be set in place of a variable, or nothing where it may well be somebody else's."""
    squash = _squashed(name)
    if elsewhere := _ELSEWHERE.get(squash):
        return elsewhere
    if squash in ("podcidr", "podcidrs"):
        return "cluster_pod_cidrs for the cluster, or pod_cidr for one host"
    if squash in squashed:
        return squashed[squash]
    snake = _snake(name)
    if snake in bare and snake not in _COMMON:
        return bare[snake]
    if snake.startswith(_ROLE):
        similar = difflib.get_close_matches(snake.removeprefix(_ROLE), bare, n=1, cutoff=_SIMILAR)
        return bare[similar[0]] if similar else ""
    near = difflib.get_close_matches(snake, HOST_VARIABLES, n=1, cutoff=_NEARLY)
    if near:
        return near[0]
    if snake.startswith("cluster_") and not name.startswith("cluster_"):
        return next(iter(difflib.get_close_matches(snake, squashed.values(), n=1, cutoff=_NEARLY)), "")
    return ""


def with_hosts(sentences: Mapping[str, str], hosts: Mapping[str, Collection[str]]) -> list[str]:
    """Return the sentences, each with the hosts that have its variable, unless all have it."""
    found = []
    for name, sentence in sentences.items():
        who = [host for host, variables in hosts.items() if name in variables]
        found.append(sentence if len(who) == len(hosts) else f"{sentence} It is set for {listed_names(who)}")
    return found


def address_findings(hosts: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return a sentence for hosts that have another address in a variable of other tools."""
    found = []
    for name in ADDRESS_ELSEWHERE:
        who = [
            host
            for host, variables in hosts.items()
            if isinstance(value := variables.get(name), str)
            and not variables.get("node_address")
            and not variables.get("node_addresses")
            and value != variables.get("ansible_host", host)
        ]
        if who:
            found.append(
                f"{name} of {listed_names(who)} is read by nothing, and is not the address that Ansible "
                "uses; set node_address to the one under which the other hosts reach it"
            )
    return found


def _squashed(name: str) -> str:
    return re.sub(r"[-_.]", "", name).lower()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
