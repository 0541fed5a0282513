"""What changes of hosts mean: who joins, leaves, is renamed, moves to another address, changes its part."""

from collections.abc import Mapping, Sequence
from typing import Any

from flatnet.plan_report.changes import UNITS, Change, Host, Pair, Restart
from flatnet.plan_report.words import counted, listed, verb

_PARTS = {"etcd": "an etcd member", "kube_control_plane": "a control plane", "kube_node": "a node"}

# What a change of nodes means where no host has routes to pods.
_OF_THE_NETWORK = "The routes to pods change in the network between the nodes, and on no host."


def node_changes(pair: Pair) -> list[Change]:
    """Return the changes of hosts, each kind once with all of its hosts."""
    return [
        change
        for compare in (_joins, _leaves, _renames, _addresses, _pod_networks, _sizes, _groups, _etcd)
        for change in compare(pair)
    ]


def _joins(pair: Pair) -> list[Change]:
    new = [host for host in pair.hosts if host.before is None and host.after is not None]
    if not new:
        return []
    names = [host.after_name for host in new]
    shown = [_with_networks(host.after_name, host.after) for host in new]
    effects = [f"Everything is installed and started on {listed(names)}."]
    effects += _route_effects(pair, [host for host in new if host.after and host.after["pod_cidrs"]])
    words = f"{listed(shown)} {verb(names, 'joins', 'join')}."
    return [Change("node joins", words, (*effects, *pair.masquerade_effects))]


def _with_networks(name: str, node: Mapping[str, Any] | None) -> str:
    if node is None:
        return name
    return f"{name} with {' and '.join(node['pod_cidrs'])}" if node["pod_cidrs"] else name


def _route_effects(pair: Pair, new: Sequence[Host]) -> list[str]:
    """Say what the hosts that are there learn about pods that are new."""
    others = [host for host in pair.stayed if host.after and host.after.get("routed")]
    if not new or not others:
        return []
    if pair.after["backend"]["routes"] == "network":
        return [_OF_THE_NETWORK]
    if pair.after["backend"]["routes"] != "plan":
        return [f"{pair.backend} announces this to the other nodes itself; nothing restarts there."]
    if pair.after.get("pod_topology"):
        return ["Routes are added on the other hosts of the group and on its router; nothing restarts."]
    networks = sum(len(host.after["pod_cidrs"]) for host in new if host.after)
    where = "the other host" if len(others) == 1 else f"each of the {len(others):,} other hosts"
    return [f"{counted(networks, 'route is', 'routes are')} added on {where}; nothing restarts there."]


def _of_group(pair: Pair) -> str:
    return " of the group, and on its router" if pair.after.get("pod_topology") else ""


def _leaves(pair: Pair) -> list[Change]:
    gone = [host for host in pair.hosts if host.after is None and host.before is not None]
    if not gone:
        return []
    names = [host.before_name for host in gone]
    objects = [host.before["name"] for host in gone if host.before and "kube_node" in host.before["groups"]]
    effects = []
    if any(host.before and host.before["pod_cidrs"] for host in gone):
        effects.append(
            f"{verb(gone, 'Its pod network stays', 'Their pod networks stay')} reserved for a return."
        )
        if pair.after["backend"]["routes"] == "plan":
            effects.append(f"The routes to them disappear from the other hosts{_of_group(pair)}.")
        elif pair.after["backend"]["routes"] == "network":
            effects.append(_OF_THE_NETWORK)
    if objects:
        effects.append(
            f"Drain {verb(objects, 'it', 'them')} before, and delete after "
            f"{verb(objects, 'the Node object', 'the Node objects')} {listed(objects)}: "
            "provisioning touches neither pods nor a host that left."
        )
    words = f"{listed(names)} {verb(names, 'leaves', 'leave')}."
    return [Change("node leaves", words, (*effects, *pair.masquerade_effects))]


def _renames(pair: Pair) -> list[Change]:
    found = [
        host
        for host in pair.stayed
        if host.before
        and host.after
        and (host.before["name"] != host.after["name"] or host.after_name in pair.exchanged)
    ]
    if not found:
        return []
    shown = [
        f"{other} becomes {host.after['name']} at {address}"
        if host.after_name in pair.exchanged
        else f"{host.before['name']} becomes {host.after['name']}"
        for host in found
        if host.before and host.after
        for address, other in [pair.exchanged.get(host.after_name, ("", ""))]
    ]
    hosts = tuple(host.after_name for host in found if host.after and "kube_node" in host.after["groups"])
    effects = (f"The certificates of {verb(found, 'its kubelet', 'their kubelets')} are issued again.",)
    daemons = ("kubelet", "kube-proxy") if pair.has_kube_proxy else ("kubelet",)
    restarts = tuple(Restart(unit, hosts) for unit in daemons if hosts)
    units = tuple(Restart(unit, hosts) for unit in pair.backend_units if hosts)
    return [Change("node renamed", f"The Node name {listed(shown)}.", effects, (*restarts, *units))]


def _addresses(pair: Pair) -> list[Change]:
    found = [
        host
        for host in pair.stayed
        if host.before
        and host.after
        and host.before["addresses"] != host.after["addresses"]
        and host.after_name not in pair.exchanged
    ]
    if not found:
        return []
    shown = [
        " ".join((host.after_name, "from", *host.before["addresses"], "to", *host.after["addresses"]))
        for host in found
        if host.before and host.after
    ]
    effects = [
        f"{verb(found, 'Its certificate is', 'Their certificates are')} issued again with the new address."
    ]
    if pair.after["backend"]["routes"] == "plan":
        effects.append(
            f"The routes to the pods there change their gateway on every other host{_of_group(pair)}."
        )
    elif pair.after["backend"]["routes"] == "network":
        effects.append(_OF_THE_NETWORK)
    elif pair.after["backend"]["name"]:
        effects.append(f"{pair.backend} announces this to the other nodes itself.")
    restarts = _own_restarts(
        pair, found, {"kube_node": ("kubelet",), "kube_control_plane": ("kube-apiserver",)}
    )
    words = f"The address moves: {listed(shown)}."
    return [Change("node address", words, (*effects, *pair.masquerade_effects), restarts)]


def _own_restarts(
    pair: Pair, hosts: Sequence[Host], units: dict[str, tuple[str, ...]]
) -> tuple[Restart, ...]:
    """Return restarts on these hosts alone: the given units by group, and the backend's."""
    own = {host.after_name for host in hosts}
    found = []
    for group, names in {**units, "backend": pair.backend_units}.items():
        there = tuple(
            name for name in pair.running("kube_node" if group == "backend" else group) if name in own
        )
        found += [Restart(unit, there) for unit in names if there]
    return tuple(found)


def _pod_networks(pair: Pair) -> list[Change]:
    moved = []
    for host in pair.stayed:
        old, new = (host.before or {}).get("pod_cidrs", []), (host.after or {}).get("pod_cidrs", [])
        if old and new and old != new:
            moved.append(f"{host.after_name} from {' and '.join(old)} to {' and '.join(new)}")
    if not moved:
        return []
    effects = ["The CNI configuration is rewritten there; nothing restarts."]
    if pair.after["backend"]["routes"] == "plan":
        effects.append(f"The routes to these pods change on every other host{_of_group(pair)}.")
    elif pair.after["backend"]["routes"] == "network":
        effects.append(_OF_THE_NETWORK)
    return [Change("node pod network", f"The pods move: {listed(moved)}.", tuple(effects))]


def _sizes(pair: Pair) -> list[Change]:
    """Tell of the pods that single hosts run; what all others run is told with the kubelets' settings."""
    found: dict[str, list[str]] = {}
    for host in pair.stayed:
        before, after = ((side or {}).get("max_pods") for side in (host.before, host.after))
        if before != after:
            words = f"{before or 'as all nodes'} becomes {after or 'as all nodes'}"
            found.setdefault(words, []).append(host.after_name)
    if not found:
        return []
    names = sorted(name for some in found.values() for name in some)
    nodes = tuple(name for name in names if name in pair.running("kube_node"))
    words = "; ".join(f"{listed(some)} {change}" for change, some in sorted(found.items()))
    restarts = (Restart("kubelet", nodes),) if nodes else ()
    return [Change("node max pods", f"The most pods of a node: {words}.", ("Pods keep running.",), restarts)]


def _groups(pair: Pair) -> list[Change]:
    found = []
    for host in pair.stayed:
        if host.before is None or host.after is None:
            continue
        gained = [g for g in _PARTS if g in host.after["groups"] and g not in host.before["groups"]]
        lost = [g for g in _PARTS if g in host.before["groups"] and g not in host.after["groups"]]
        effects = []
        if gained:
            units = [unit for g in gained for unit in UNITS[g]]
            effects.append(f"{listed(units)} {verb(units, 'starts', 'start')} there.")
        if "kube_node" in gained:
            effects += _route_effects(pair, [host])
        if lost:
            units = [unit for g in lost for unit in UNITS[g]]
            effects.append(
                f"{listed(units)} {verb(units, 'keeps', 'keep')} running there: provisioning stops "
                "nothing on a "
                "host that left a group."
            )
        parts = [f"becomes {_PARTS[g]}" for g in gained] + [f"is no longer {_PARTS[g]}" for g in lost]
        if parts:
            found.append(Change("node part", f"{host.after_name} {listed(parts)}.", tuple(effects)))
    return found


def _members(pair: Pair) -> tuple[dict[str, str], dict[str, str]]:
    before, after = (
        {node["name"]: node["addresses"][0] for node in side["nodes"].values() if "etcd" in node["groups"]}
        for side in (pair.before, pair.after)
    )
    return before, after


def _etcd(pair: Pair) -> list[Change]:
    before, after = _members(pair)
    if before == after:
        return []
    effects = ("The certificates of etcd are issued again.",)
    restarts = pair.restarts("etcd", "kube-apiserver")
    if before.keys() != after.keys():
        shown = [listed(sorted(side)) or "none" for side in (before, after)]
        words = f"The members of etcd: {shown[0]} becomes {shown[1]}."
        return [Change("etcd members", words, effects, restarts)]
    moved = [name for name in sorted(after) if before[name] != after[name]]
    words = f"The address of {verb(moved, 'the etcd member', 'the etcd members')} {listed(moved)} moves."
    return [Change("etcd members", words, effects, restarts)]
