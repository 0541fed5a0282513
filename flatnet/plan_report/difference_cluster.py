"""What changes of cluster-wide values mean: one function per key of the plan.

What restarts follows from the roles: a unit restarts when its own text changes, or a file that it names in
`restart_on`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flatnet.contract.schema import titled
from flatnet.plan.options import chosen_options, options_words
from flatnet.plan_report.changes import Change, Pair
from flatnet.plan_report.words import listed, verb


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
        Change(
            key,
            f"{key} changes, which another version of flatnet wrote.",
            ("At most every unit restarts; run --check --diff to see which.",),
            pair.every_unit,
        )
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
            ("Every kubeconfig is rewritten.",),
            (*restarts, *pair.backend_restarts()),
        )
    ]


def _dns_domain(pair: Pair) -> list[Change]:
    words = _moves(pair, "dns_domain", "The DNS domain")
    return [Change("dns_domain", words, restarts=pair.restarts("kube-apiserver", "kubelet"))]


def _pod_cidrs(pair: Pair) -> list[Change]:
    words = _moves(pair, "pod_cidrs", "The pod networks")
    restarts = (*pair.restarts("kube-controller-manager", "kube-proxy"), *pair.backend_restarts())
    kept = all(
        host.before["pod_cidrs"] == host.after["pod_cidrs"]
        for host in pair.stayed
        if host.before and host.after
    )
    effects = ("Every node keeps its network.",) if kept else ()
    return [Change("pod_cidrs", words, (*effects, *pair.masquerade_effects), restarts)]


def _service_cidrs(pair: Pair) -> list[Change]:
    words = _moves(pair, "service_cidrs", "The service networks")
    return [
        Change("service_cidrs", words, restarts=pair.restarts("kube-apiserver", "kube-controller-manager"))
    ]


def _dns_addresses(pair: Pair) -> list[Change]:
    words = _moves(pair, "dns_addresses", "The DNS address")
    return [Change("dns_addresses", words, restarts=pair.restarts("kubelet"))]


def _dns_upstreams(pair: Pair) -> list[Change]:
    before, after = (_text(side.get("dns_upstreams") or ["none"]) for side in (pair.before, pair.after))
    return [
        Change(
            "dns_upstreams",
            f"The DNS servers for names outside the cluster: {before} becomes {after}.",
            ("The pods of CoreDNS are replaced, one after the other; no unit restarts.",),
        )
    ]


def _extra_services(pair: Pair) -> list[Change]:
    before, after = (
        {item["metadata"]["name"]: item for item in side.get("service_cidr_objects", ())}
        for side in (pair.before, pair.after)
    )
    shown = [_text(side.get("extra_service_cidrs") or ["none"]) for side in (pair.before, pair.after)]
    effects = []
    if made := sorted(after.keys() - before.keys()):
        effects.append(f"{_object(made)} {listed(made)} {verb(made, 'is', 'are')} made; no unit restarts.")
    if gone := sorted(before.keys() - after.keys()):
        effects.append(
            f"{_object(gone)} {listed(gone)} {verb(gone, 'is', 'are')} no longer applied, and no unit "
            "restarts: delete with kubectl what is to go, once no Service has an address of it."
        )
    words = f"The further service networks: {shown[0]} becomes {shown[1]}."
    return [Change("extra_service_cidrs", words, tuple(effects))]


def _object(names: Sequence[str]) -> str:
    return verb(names, "The ServiceCIDR", "The ServiceCIDRs")


def _api_port(pair: Pair) -> list[Change]:
    units = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return [
        Change(
            "api_port",
            _moves(pair, "api_port", "The port of the API server"),
            ("The kubeconfigs on the control plane are rewritten.",),
            pair.restarts(*units),
        )
    ]


def _programs(pair: Pair) -> list[Change]:
    before, after = pair.before.get("programs", {}), pair.after.get("programs", {})
    parts = [
        f"{name} {_value(before.get(name))} becomes {_value(after.get(name))}"
        for name in _differing(before, after)
    ]
    return [
        Change(
            "programs",
            f"Where the programs come from: {'; '.join(parts)}.",
            ("A program that is the same there restarts nothing; at most every unit restarts.",),
            pair.every_unit,
        )
    ]


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {text}" for name, text in sorted(value.items())) or "none"
    return str(value or "none")


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
    # A change of families is told with the pod networks.
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
    before, after = (side.get("kube_proxy_configuration") for side in (pair.before, pair.after))
    if not before or not after:
        words = _moves(pair, "kube_proxy_mode", "The mode of kube-proxy")
        done = "installed and started on" if after else "taken off"
        return [Change("kube_proxy_configuration", words, (f"kube-proxy is {done} every node.",))]
    changed = _differing(before, after)
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


def _api_endpoint(pair: Pair) -> list[Change]:
    before, after = pair.before["api_endpoint"], pair.after["api_endpoint"]
    if before["url"] == after["url"]:
        names = [side["nodes"][side["api_endpoint"]["host"]]["name"] for side in (pair.before, pair.after)]
        if names[0] == names[1]:
            return []
        words = f"The host of the API server: {before['host']} becomes {after['host']}."
        return [Change("api_endpoint", words)]
    return [
        Change(
            "api_endpoint",
            f"Nodes, backends and kubeconfigs reach the API at {after['url']} in place of {before['url']}.",
            (
                "The kubeconfigs on the hosts are rewritten.",
                "Hosts that a run leaves out, and people with a kubeconfig of their own, lose the API.",
            ),
            (*pair.restarts("kubelet", "kube-proxy"), *pair.backend_restarts()),
        )
    ]


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
            ("The certificate apiserver is issued again, by the same CA: clients go on trusting it.",),
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
    if titled(before) == titled(after) and chosen_options(before) != chosen_options(after):
        old, new = (options_words(one) or "its defaults" for one in (before, after))
        words = f"The numbers of backend {titled(after)}: {old} becomes {new}."
        effects = (f"{titled(after)} is set up anew on every node.",)
        return [Change("backend_mode", words, effects, pair.backend_restarts())]
    if titled(before) == titled(after):
        changed = listed(_differing(before, after))
        effects = ("The routes and the CNI configuration follow; run --check --diff to see.",)
        words = f"What backend {after['name']} declares changes: {changed}."
        return [Change("backend", words, effects, pair.backend_restarts())]
    words = f"The backend: {titled(before)} becomes {titled(after)}."
    if before["name"] == after["name"]:
        effects = (f"{titled(after)} is set up on every node.",)
        return [Change("backend_mode", words, effects, pair.backend_restarts())]
    return [Change("backend", words, (f"{titled(after)} is installed and started on every node.",))]


def _policy_engine(pair: Pair) -> list[Change]:
    before, after = pair.before["policy_engine"], pair.after["policy_engine"]
    if titled(before) == titled(after):
        changed = listed(_differing(before, after))
        return [Change("policy_engine", f"What policy engine {after['name']} declares changes: {changed}.")]
    words = f"Network policies: {titled(before)} becomes {titled(after)}."
    effects = [
        f"{titled(side)} is {done} every node."
        for side, done in ((before, "taken off"), (after, "installed and started on"))
        if "role" in side
    ]
    return [Change("policy_engine", words, tuple(effects))]


def _non_masquerade(pair: Pair) -> list[Change]:
    """Tell of networks outside; pods and hosts, which see pods' addresses anyway, are told by themselves."""
    before, after = _outside(pair.before), _outside(pair.after)
    if before == after:
        return []
    old, new = (", ".join(networks) or "none" for networks in (before, after))
    words = f"Networks outside that see pods' own addresses: {old} becomes {new}."
    return [Change("masquerade", words, pair.masquerade_effects)]


def _outside(side: Mapping[str, Any]) -> list[str]:
    hosts = {
        address + ("/128" if ":" in address else "/32")
        for node in side["nodes"].values()
        for address in node["addresses"]
    }
    return [one for one in side["masquerade"]["not_to"] if one not in hosts.union(side["pod_cidrs"])]


def _topology(pair: Pair) -> list[Change]:
    before, after = (
        {group["name"]: group for group in side.get("pod_topology", ())} for side in (pair.before, pair.after)
    )
    parts = [f"{name} joins" for name in after if name not in before]
    parts += [f"{name} leaves" for name in before if name not in after]
    parts += [
        f"{key} of {name} {_text(before[name][key]) or 'none'} becomes {_text(after[name][key]) or 'none'}"
        for name in after
        if name in before
        for key in ("cidrs", "gateways", "hosts")
        if before[name][key] != after[name][key]
    ]
    words = f"The groups of hosts: {'; '.join(parts) or 'their order changes'}."
    return [
        Change("pod_topology", words, ("Routes change on the hosts and their routers; nothing restarts.",))
    ]


_COMPARE: Mapping[str, Callable[[Pair], list[Change]]] = {
    "cluster_name": _cluster_name,
    "pod_cidrs": _pod_cidrs,
    "service_cidrs": _service_cidrs,
    "dns_domain": _dns_domain,
    "pod_topology": _topology,
    "backend": _backend,
    "policy_engine": _policy_engine,
    "masquerade": _non_masquerade,
    "dns_addresses": _dns_addresses,
    "dns_upstreams": _dns_upstreams,
    "extra_service_cidrs": _extra_services,
    "api_port": _api_port,
    "api_endpoint": _api_endpoint,
    "apiserver_sans": _sans,
    "node_port_range": _node_port_range,
    "node_prefixes": _node_prefixes,
    "kube_proxy_configuration": _kube_proxy,
    "kubelet_configuration": _kubelet,
    "flags": _flags,
    "mtu": _mtu,
    "programs": _programs,
}
# Keys that follow from others, or from the hosts, and are told with them.
_FOLLOWING = frozenset(
    {
        "families",
        "first_service_addresses",
        "kube_proxy_mode",
        "needs",
        "nodes",
        "routes",
        "schema_version",
        "service_cidr_objects",
        "underlay_mtu",
    }
)
COMPARED = frozenset({*_COMPARE, *_FOLLOWING})
"""Every key of a plan of which a change is told."""
