"""What the daemons of Kubernetes are told: flags, configuration files, and objects for the API server."""

from collections.abc import Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import Family, Network
from flatnet.settings import Settings


def cluster_flags(
    settings: Settings,
    pods: Sequence[Network],
    services: Sequence[Network],
    node_prefixes: Mapping[Family, int],
    dns_addresses: Sequence[str],
    *,
    calls_pods: bool = False,
) -> dict[str, Any]:
    """Return the plan's `flags`, `kube_proxy_configuration` and `kubelet_configuration`.

    Without kube-proxy there is nothing that it is told.

    calls_pods: whether the API server has routes to pods and no kube-proxy beside it. It then has to call
    the pods behind a Service, webhooks and aggregated APIs, by their own addresses: kubernetes,
    cmd/kube-apiserver/app/server.go, buildServiceResolver.

    Dual stack spells the node prefix per family, and refuses the plain flag beside that:
    kubernetes, cmd/kube-controller-manager/app/core.go, setNodeCIDRMaskSizes.
    """
    cluster_cidr, service_range = ",".join(map(str, pods)), ",".join(map(str, services))
    if len(node_prefixes) == 1:
        mask = {"node-cidr-mask-size": str(*node_prefixes.values())}
    else:
        mask = {f"node-cidr-mask-size-{family}": str(prefix) for family, prefix in node_prefixes.items()}
    proxy_flags = {"cluster-cidr": cluster_cidr, "proxy-mode": settings.kube_proxy_mode}
    proxy_configuration = {"clusterCIDR": cluster_cidr, "mode": settings.kube_proxy_mode}
    if len(node_prefixes) < len(pods):
        # kube-proxy refuses two networks of a family ("must be either a single CIDR or dual-stack pair"). A
        # node's own pods, which is what it has to know, are as well told by the node's networks.
        proxy_flags = {"detect-local-mode": "NodeCIDR", "proxy-mode": settings.kube_proxy_mode}
        proxy_configuration = {"detectLocalMode": "NodeCIDR", "mode": settings.kube_proxy_mode}
    with_proxy = settings.kube_proxy_mode != "none"
    return {
        "flags": {
            "kube-apiserver": {
                "service-cluster-ip-range": service_range,
                "service-node-port-range": settings.node_port_range,
                **({"enable-aggregator-routing": "true"} if calls_pods else {}),
            },
            "kube-controller-manager": {
                "cluster-cidr": cluster_cidr,
                "service-cluster-ip-range": service_range,
                **mask,
                "allocate-node-cidrs": "false",
            },
            **({"kube-proxy": proxy_flags} if with_proxy else {}),
            "kubelet": {
                "cluster-dns": ",".join(dns_addresses),
                "cluster-domain": settings.dns_domain,
                "max-pods": str(settings.max_pods),
            },
        },
        **({"kube_proxy_configuration": proxy_configuration} if with_proxy else {}),
        "kubelet_configuration": {
            "clusterDNS": list(dns_addresses),
            "clusterDomain": settings.dns_domain,
            "maxPods": settings.max_pods,
        },
    }


def node_objects(nodes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a Node object for each of the nodes, by name, with the pod networks that the plan gave it.

    nodes: inventory name -> {name, pod_cidrs, groups?}. Hosts of the control plane get the label of that
    role, which no kubelet may give its own node (kubernetes, plugin/pkg/admission/noderestriction). Without
    networks, where the backend hands out addresses, the fields stay away: nobody may change them once they
    are set (kubernetes, pkg/apis/core/validation, ValidateNodeUpdate), and a backend may set its own.
    """
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": node["name"], **_role_labels(node)},
            **(
                {"spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs}}
                if (cidrs := list(node["pod_cidrs"]))
                else {}
            ),
        }
        for node in sorted(nodes.values(), key=lambda node: str(node["name"]))
    ]


def _role_labels(node: Mapping[str, Any]) -> dict[str, Any]:
    # kubectl shows what is behind the slash as a node's role, as it does for clusters of kubeadm.
    is_master = "kube_control_plane" in node.get("groups", ())
    return {"labels": {"node-role.kubernetes.io/control-plane": ""}} if is_master else {}


def service_cidr_objects(networks: Sequence[Network]) -> list[dict[str, Any]]:
    """Return one ServiceCIDR object per further service network (KEP-1880), named after the network.

    One each, so that one that is given up can be deleted without the others.
    """
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": "flatnet-" + str(network).translate(_DASHES)},
            "spec": {"cidrs": [str(network)]},
        }
        for network in networks
    ]


_DASHES = str.maketrans(":./", "---")
