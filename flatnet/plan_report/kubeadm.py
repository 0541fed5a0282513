"""The plan for kubeadm: the configuration that `kubeadm init` and `kubeadm join` read."""

from collections.abc import Mapping
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import WIDTH, parse_network
from flatnet.plan.derive import DNS_INDEX
from flatnet.plan_report.document import Document, host_of
from flatnet.plan_report.words import listed
from flatnet.plan_report.yaml_text import yaml_text

_KUBEADM = "kubeadm.k8s.io/v1beta4"
# What kubeadm derives from `networking`: kubernetes, cmd/kubeadm/app/phases/controlplane/manifests.go.
_KUBEADM_DERIVES = frozenset({"cluster-cidr", "service-cluster-ip-range"})
# kubernetes, cmd/kubeadm/app/constants/constants.go: MaximumBitsForServiceSubnet,
# MinimumAddressesInServiceSubnet, MinimumAddressesInPodSubnet.
_SERVICE_BITS, _SERVICE_LEAST, _POD_LEAST = 20, 10, 14
# Where kubeadm's own documentation puts the files for an etcd that it does not make.
_ETCD_FILES = {
    "caFile": "/etc/kubernetes/pki/etcd/ca.crt",
    "certFile": "/etc/kubernetes/pki/apiserver-etcd-client.crt",
    "keyFile": "/etc/kubernetes/pki/apiserver-etcd-client.key",
}
DISCOVERY = "/etc/kubernetes/discovery.conf"


def kubeadm_configuration(document: Document, host: str = "") -> str:
    """Return what kubeadm reads as one YAML text: to make the cluster, or for a host to join it.

    Without a host it is an InitConfiguration, a ClusterConfiguration, a KubeletConfiguration and a
    KubeProxyConfiguration; with the inventory name of one it is the JoinConfiguration of that host. Formats:
    kubeadm.k8s.io/v1beta4, kubelet.config.k8s.io/v1beta1, kubeproxy.config.k8s.io/v1alpha1.
    Raises FlatnetError, with all reasons, for a plan that kubeadm refuses, and for a host that cannot join.
    """
    _refuse(document)
    if host:
        return _join(document, host)
    documents = [
        _init(document),
        _cluster(document),
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            **document["kubelet_configuration"],
        },
    ]
    if "kube_proxy_configuration" in document:
        head = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
        documents.append(head | document["kube_proxy_configuration"])
    return yaml_text(*documents, notes=kubeadm_notes(document))


def kubeadm_notes(document: Document) -> list[str]:
    """Return what kubeadm will not do by itself, as sentences."""
    notes = []
    if document["backend"]["ipam"] == "plan":
        notes.append(
            "No controller gives nodes their pod networks: apply the Node objects of "
            "`python -m flatnet.plan_report nodes` as nodes join."
        )
    if "kube_proxy_configuration" not in document:
        notes.append("There is no kube-proxy: run kubeadm init with --skip-phases=addon/kube-proxy.")
    tenth = [parse_network(text).nth_address(DNS_INDEX) for text in document["service_cidrs"]]
    if document["dns_addresses"] != tenth:
        notes.append(
            f"kubeadm makes its DNS Service at {listed(tenth)}: make it again at "
            f"{listed(document['dns_addresses'])}."
        )
    if document.get("service_cidr_objects"):
        notes.append(
            "kubeadm knows one network of services per family: apply the ServiceCIDR objects of "
            "`python -m flatnet.plan_report services`."
        )
    if document["dns_upstreams"] != ["/etc/resolv.conf"]:
        servers = listed(document["dns_upstreams"]) or "nobody"
        notes.append(f"kubeadm's CoreDNS asks /etc/resolv.conf: have its ConfigMap forward to {servers}.")
    if not _is_etcd_here(document):
        notes.append(
            "etcd runs apart: make it first, and put its CA and a client's certificate where etcd.external "
            "names them."
        )
    return notes


def _refuse(document: Document) -> None:
    """Refuse what kubeadm refuses: cmd/kubeadm/app/apis/kubeadm/validation, ValidateNetworking."""
    pods = [parse_network(text) for text in document["pod_cidrs"]]
    services = [parse_network(text) for text in document["service_cidrs"]]
    found = []
    if len({network.family for network in pods}) < len(pods):
        found.append("cluster_pod_cidrs has two networks of a family; kubeadm takes one")
    found += [
        f"cluster_pod_cidrs {network} has {network.size} addresses; kubeadm wants {_POD_LEAST} at least"
        for network in pods
        if network.size < _POD_LEAST
    ]
    for network in services:
        if WIDTH[network.family] - network.prefix > _SERVICE_BITS:
            longest = WIDTH[network.family] - _SERVICE_BITS
            found.append(
                f"cluster_service_cidrs {network} is too large for kubeadm; use a /{longest}, and "
                "cluster_extra_service_cidrs for more"
            )
        if network.size < _SERVICE_LEAST:
            least = WIDTH[network.family] - (_SERVICE_LEAST - 1).bit_length()
            found.append(f"cluster_service_cidrs {network} is too small for kubeadm; use a /{least}")
    if found:
        raise FlatnetError("kubeadm would refuse this plan: " + "\n".join(found))


def _init(document: Document) -> dict[str, Any]:
    host = document["api_endpoint"]["host"]
    return {
        "apiVersion": _KUBEADM,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {
            "advertiseAddress": document["nodes"][host]["addresses"][0],
            "bindPort": document["api_port"],
        },
        "nodeRegistration": _registration(document["nodes"][host]),
    }


def _cluster(document: Document) -> dict[str, Any]:
    flags, endpoint = document["flags"], document["api_endpoint"]
    external = {}
    if not _is_etcd_here(document):
        members = [node for _, node in sorted(document["nodes"].items()) if "etcd" in node["groups"]]
        urls = [f"https://{_in_url(node['addresses'][0])}:2379" for node in members]
        external = {"etcd": {"external": {"endpoints": urls, **_ETCD_FILES}}}
    return {
        "apiVersion": _KUBEADM,
        "kind": "ClusterConfiguration",
        "clusterName": document["cluster_name"],
        "controlPlaneEndpoint": f"{_in_url(endpoint['address'])}:{endpoint['port']}",
        "networking": {
            "dnsDomain": document["dns_domain"],
            "podSubnet": ",".join(document["pod_cidrs"]),
            "serviceSubnet": ",".join(document["service_cidrs"]),
        },
        **external,
        "apiServer": {
            "certSANs": [*document["apiserver_sans"]["dns"], *document["apiserver_sans"]["ip"]],
            "extraArgs": _arguments(flags["kube-apiserver"]),
        },
        "controllerManager": {"extraArgs": _arguments(flags["kube-controller-manager"])},
    }


def _join(document: Document, host: str) -> str:
    node = host_of(document, host)
    if host == document["api_endpoint"]["host"]:
        raise FlatnetError(f"{host} makes the cluster with kubeadm init; take the configuration without it")
    if "kube_node" not in node["groups"]:
        raise FlatnetError(f"{host} is not in kube_node, and only nodes join with kubeadm")
    notes = [
        f"{DISCOVERY} is the kubeconfig in the ConfigMap cluster-info of kube-public, with a token of "
        "`kubeadm token create` as its user.",
    ]
    configuration = {
        "apiVersion": _KUBEADM,
        "kind": "JoinConfiguration",
        "discovery": {"file": {"kubeConfigPath": DISCOVERY}},
        "nodeRegistration": _registration(node),
    }
    return yaml_text(configuration, notes=notes)


def _registration(node: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {"node-ip": ",".join(node["addresses"])}
    if "max_pods" in node:
        arguments["max-pods"] = str(node["max_pods"])
    # An empty list lets pods run on the control plane; without it kubeadm keeps them away.
    taints: dict[str, list[str]] = (
        {"taints": []} if {"kube_node", "kube_control_plane"} <= set(node["groups"]) else {}
    )
    return {"name": node["name"], **taints, "kubeletExtraArgs": _arguments(arguments)}


def _is_etcd_here(document: Document) -> bool:
    """Tell whether the only member of etcd is the control-plane host, where kubeadm runs it itself."""
    members = [name for name, node in document["nodes"].items() if "etcd" in node["groups"]]
    return members == [document["api_endpoint"]["host"]]


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _arguments(flags: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value}
        for name, value in sorted(flags.items())
        if name not in _KUBEADM_DERIVES
    ]
