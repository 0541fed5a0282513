"""What changes of cluster-wide values mean: one function per key of the plan.

What restarts follows from the roles: a unit restarts when its own text changes, or a file that it names in
`restart_on`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import parse_network
from flatnet.plan_report.changes import Change, Pair
from flatnet.plan_report.words import listed, verb

# Said with every refusal that only a fresh cluster lifts.
_NEW_CLUSTER = "provision a new cluster with the wanted value beside this one and move the workloads"


def cluster_changes(pair: Pair) -> list[Change]:
    """Return the changes of everything but the hosts, in the order of the plan's importance."""
    found: list[Change] = []
    for key, compare in _COMPARE.items():
        if pair.before.get(key) != pair.after.get(key):
            found += compare(pair)
    unknown = sorted(
        key
        for key in pair.before.keys() | pair.after.keys()
        if key not in _COMPARE.keys() | _FOLLOWING and pair.before.get(key) != pair.after.get(key)
    )
    found += [
        Change(key, f"{key} changes.", ("What this restarts is not known here; run --check --diff to see.",))
        for key in unknown
    ]
    return found


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _moves(pair: Pair, key: str, what: str) -> str:
    return f"{what}: {_text(pair.before.get(key))} becomes {_text(pair.after.get(key))}."


def _cluster_name(pair: Pair) -> list[Change]:
    restarts = pair.restarts("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
    return [
        Change(
            "cluster_name",
            _moves(pair, "cluster_name", "The cluster's name"),
            ("Every kubeconfig is written anew.",),
            (*restarts, *pair.backend_restarts()),
        )
    ]


def _dns_domain(pair: Pair) -> list[Change]:
    before = pair.before["dns_domain"]
    return [
        Change(
            "dns_domain",
            _moves(pair, "dns_domain", "The DNS domain"),
            refused=f"every running pod looks names up below {before}, and {before} is the issuer in every "
            "service account's token, so that both stop working at once",
            remedy=_NEW_CLUSTER,
        )
    ]


def _pod_cidrs(pair: Pair) -> list[Change]:
    words = _moves(pair, "pod_cidrs", "The pod networks")
    if pair.before["families"] != pair.after["families"]:
        return [
            Change(
                "pod_cidrs",
                words,
                refused="a Node object's podCIDRs cannot be changed, so that nodes that exist get no network "
                "of another family or order",
                remedy="per node: drain it, delete its Node object, and provision it again; services keep "
                "their family until they are made anew",
            )
        ]
    old = [parse_network(text) for text in pair.before["pod_cidrs"]]
    new = [parse_network(text) for text in pair.after["pod_cidrs"]]
    lost = [network for network in old if not any(other.contains(network) for other in new)]
    if lost:
        return [
            Change(
                "pod_cidrs",
                words,
                refused=f"pods that run have addresses of {listed(map(str, lost))}, which "
                f"{verb(lost, 'is', 'are')} outside what is wanted, and a Node object's podCIDRs cannot be "
                "changed",
                remedy=f"widen pod_cidrs so that they still hold {listed(map(str, lost))}, or {_NEW_CLUSTER}",
            )
        ]
    restarts = (*pair.restarts("kube-controller-manager", "kube-proxy"), *pair.backend_restarts())
    effects = ("Every node keeps its network.", *pair.masquerade_effects)
    return [Change("pod_cidrs", words, effects, restarts)]


def _service_cidrs(pair: Pair) -> list[Change]:
    return [
        Change(
            "service_cidrs",
            _moves(pair, "service_cidrs", "The service networks"),
            refused="a Service's clusterIP cannot be changed, and the API server holds the addresses of its "
            "first range in the ServiceCIDR kubernetes, which cannot be changed either",
            remedy="for more addresses add a ServiceCIDR object beside it (Kubernetes 1.33 or newer); for "
            f"others {_NEW_CLUSTER}",
        )
    ]


def _dns_addresses(pair: Pair) -> list[Change]:
    return [
        Change(
            "dns_addresses",
            _moves(pair, "dns_addresses", "The DNS address"),
            (
                "The Service kube-system/kube-dns cannot change its address: delete it before provisioning, "
                "which makes it anew.",
                "Pods that run ask the old address until they are started again.",
            ),
            pair.restarts("kubelet"),
        )
    ]


def _node_port_range(pair: Pair) -> list[Change]:
    return [
        Change(
            "node_port_range",
            _moves(pair, "node_port_range", "The range of node ports"),
            ("A Service whose node port is outside the new range keeps it.",),
            pair.restarts("kube-apiserver"),
        )
    ]


def _node_prefixes(pair: Pair) -> list[Change]:
    # A change of families is told with the pod networks, and refused there.
    if len(pair.before["node_prefixes"]) != len(pair.after["node_prefixes"]):
        return []
    return [
        Change(
            "node_prefixes",
            _moves(pair, "node_prefixes", "The prefix length of a new node's pod network"),
            ("Nodes that exist keep their networks.",),
            pair.restarts("kube-controller-manager"),
        )
    ]


def _kube_proxy(pair: Pair) -> list[Change]:
    changed = _differing(pair.before["kube_proxy_configuration"], pair.after["kube_proxy_configuration"])
    # The pod networks are told by themselves.
    changed = [key for key in changed if key != "clusterCIDR"]
    if not changed:
        return []
    words = _settings("kube-proxy", "kube_proxy_configuration", changed, pair)
    effects = ("Services answer no new connection for a moment, on one node after the other.",)
    return [
        Change(
            "kube_proxy_configuration",
            words,
            effects if "mode" in changed else (),
            pair.restarts("kube-proxy"),
        )
    ]


def _kubelet(pair: Pair) -> list[Change]:
    changed = _differing(pair.before["kubelet_configuration"], pair.after["kubelet_configuration"])
    changed = [key for key in changed if key not in ("clusterDNS", "clusterDomain")]
    if not changed:
        return []
    words = _settings("the kubelet", "kubelet_configuration", changed, pair)
    return [
        Change("kubelet_configuration", words, ("Pods keep running.",), pair.restarts("kubelet")),
    ]


def _settings(daemon: str, key: str, changed: Sequence[str], pair: Pair) -> str:
    before, after = pair.before[key], pair.after[key]
    parts = [
        f"{name} {_text(before.get(name, 'unset'))} becomes {_text(after.get(name, 'unset'))}"
        for name in changed
    ]
    return f"Settings of {daemon}: {'; '.join(parts)}."


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]


# Flags that say again what another key of the plan says, where it is told.
_TOLD_ELSEWHERE: Mapping[str, frozenset[str]] = {
    "kube-apiserver": frozenset({"service-cluster-ip-range", "service-node-port-range"}),
    "kube-controller-manager": frozenset(
        {
            "cluster-cidr",
            "service-cluster-ip-range",
            "node-cidr-mask-size",
            "node-cidr-mask-size-ipv4",
            "node-cidr-mask-size-ipv6",
        }
    ),
}


def _flags(pair: Pair) -> list[Change]:
    """Return the changes of flags. Those of kubelet and kube-proxy only repeat their configuration files."""
    found = []
    for daemon, told in _TOLD_ELSEWHERE.items():
        before, after = pair.before["flags"].get(daemon, {}), pair.after["flags"].get(daemon, {})
        parts = [
            f"--{name} {before.get(name, 'unset')} becomes {after.get(name, 'unset')}"
            for name in _differing(before, after)
            if name not in told
        ]
        if parts:
            words = f"Flags of {daemon}: {'; '.join(parts)}."
            found.append(Change("flags", words, restarts=pair.restarts(daemon)))
    return found


def _sans(pair: Pair) -> list[Change]:
    before, after = (
        {*side["apiserver_sans"]["dns"], *side["apiserver_sans"]["ip"]} for side in (pair.before, pair.after)
    )
    parts = []
    if after - before:
        parts.append(f"gains {listed(sorted(after - before))}")
    if before - after:
        parts.append(f"loses {listed(sorted(before - after))}")
    if not parts:
        return []
    return [
        Change(
            "apiserver_sans",
            f"The API server's certificate {' and '.join(parts)}.",
            ("The certificate apiserver is issued anew, by the same authority: clients go on trusting it.",),
            pair.restarts("kube-apiserver"),
        )
    ]


def _mtu(pair: Pair) -> list[Change]:
    return [
        Change(
            "mtu",
            _moves(pair, "mtu", "The MTU of pods"),
            (
                "The CNI configuration is written on every node; nothing restarts.",
                "Pods that run keep their MTU until they are started again: let every node drain once.",
            ),
        )
    ]


def _backend(pair: Pair) -> list[Change]:
    before, after = pair.before["backend"], pair.after["backend"]
    if before["name"] == after["name"]:
        changed = listed(_differing(before, after))
        effects = ("The routes and the CNI configuration follow; run --check --diff to see.",)
        return [Change("backend", f"What backend {after['name']} declares changes: {changed}.", effects)]
    # A record from before backends named their units does not have them.
    left = [f"{unit}.service" for unit in before.get("units", ())]
    remains = f" and {listed(left)}" if left else ""
    return [
        Change(
            "backend",
            f"The backend: {before['name']} becomes {after['name']}.",
            refused=f"the configuration of {before['name']}{remains} would stay on the hosts, and pods of "
            "the two backends would not reach each other while the nodes change over",
            remedy=f"go back to {before['name']}, or stop the workloads, remove {before['name']} from "
            "every host, provision, and start every pod anew",
        )
    ]


_COMPARE: Mapping[str, Callable[[Pair], list[Change]]] = {
    "cluster_name": _cluster_name,
    "pod_cidrs": _pod_cidrs,
    "service_cidrs": _service_cidrs,
    "dns_domain": _dns_domain,
    "backend": _backend,
    "dns_addresses": _dns_addresses,
    "apiserver_sans": _sans,
    "node_port_range": _node_port_range,
    "node_prefixes": _node_prefixes,
    "kube_proxy_configuration": _kube_proxy,
    "kubelet_configuration": _kubelet,
    "flags": _flags,
    "mtu": _mtu,
}
# Keys that follow from others, or from the hosts, and are told with them.
_FOLLOWING = frozenset(
    {
        "families",
        "first_service_addresses",
        "kube_proxy_mode",
        "masquerade",
        "nodes",
        "routes",
        "schema_version",
        "underlay_mtu",
    }
)
