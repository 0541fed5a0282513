"""The plan for whoever installs Kubernetes another way: kubeadm's configuration, flags, Node objects."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import parse_network
from flatnet.plan.derive import DNS_INDEX, daemon_flags
from flatnet.plan.flags import node_objects as planned_node_objects
from flatnet.plan_report.document import Document
from flatnet.plan_report.words import listed

# What kubeadm derives from `networking`: kubernetes, cmd/kubeadm/app/phases/controlplane/manifests.go.
_KUBEADM_DERIVES = frozenset({"cluster-cidr", "service-cluster-ip-range"})


def kubeadm_configuration(document: Document) -> str:
    """Return a ClusterConfiguration, a KubeletConfiguration and a KubeProxyConfiguration as one YAML text.

    Formats: kubeadm.k8s.io/v1beta4, kubelet.config.k8s.io/v1beta1, kubeproxy.config.k8s.io/v1alpha1.
    """
    flags = document["flags"]
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": document["cluster_name"],
        "networking": {
            "dnsDomain": document["dns_domain"],
            "podSubnet": ",".join(document["pod_cidrs"]),
            "serviceSubnet": ",".join(document["service_cidrs"]),
        },
        "apiServer": {
            "certSANs": [*document["apiserver_sans"]["dns"], *document["apiserver_sans"]["ip"]],
            "extraArgs": _arguments(flags["kube-apiserver"]),
        },
        "controllerManager": {"extraArgs": _arguments(flags["kube-controller-manager"])},
    }
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        **document["kubelet_configuration"],
    }
    documents = [cluster, kubelet]
    if "kube_proxy_configuration" in document:
        head = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
        documents.append(head | document["kube_proxy_configuration"])
    return _comments(kubeadm_notes(document)) + _yaml(*documents)


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
    return notes


def _arguments(flags: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value}
        for name, value in sorted(flags.items())
        if name not in _KUBEADM_DERIVES
    ]


def plain_flags(document: Document, host: str = "") -> str:
    """Return the flags of every daemon, one per line, under a comment with its name.

    With a host's inventory name its own flags are added. Raises FlatnetError for a host that is not there.
    """
    flags: dict[str, dict[str, str]] = {daemon: dict(found) for daemon, found in document["flags"].items()}
    if host:
        node = _node(document, host)
        if "kube_control_plane" in node["groups"]:
            flags["kube-apiserver"]["advertise-address"] = node["addresses"][0]
        if "kube_node" in node["groups"]:
            flags["kubelet"] |= {"hostname-override": node["name"], "node-ip": ",".join(node["addresses"])}
            if "kube-proxy" in flags:
                flags["kube-proxy"]["hostname-override"] = node["name"]
    parts = [[f"# {daemon}", *daemon_flags(found)] for daemon, found in sorted(flags.items())]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _node(document: Document, host: str) -> Mapping[str, Any]:
    nodes: Mapping[str, Mapping[str, Any]] = document["nodes"]
    if host not in nodes:
        raise FlatnetError(f"host {host!r} is not in the plan; it has {listed(sorted(nodes), 10)}")
    return nodes[host]


def node_objects(document: Document) -> str:
    """Return Node objects with their pod networks as one YAML text, for `kubectl apply --server-side`.

    Raises FlatnetError for a backend that gives nodes their networks by itself.
    """
    backend = document["backend"]
    if backend["ipam"] != "plan":
        raise FlatnetError(
            f"backend {backend['name']} gives nodes their pod networks by itself; "
            "there are no Node objects to apply"
        )
    return _yaml(
        *planned_node_objects({host: node for host, node in document["nodes"].items() if node["pod_cidrs"]})
    )


def _comments(notes: Iterable[str]) -> str:
    return "".join(f"# {note}\n" for note in notes)


def _yaml(*objects: Mapping[str, Any]) -> str:
    return "".join(
        "---\n" + yaml.safe_dump(_plain(item), sort_keys=False, width=120, allow_unicode=True)
        for item in objects
    )


def _plain(value: object) -> object:
    """Return a copy without shared parts, which YAML would write as anchors."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
