"""Faults of a node by itself: its units, whether it forwards, the gateway of its pods."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from flatnet.check.facts import Cluster, all_of_family
from flatnet.check.hosts.fault import (
    BRIDGED_SETTINGS,
    NOT_FORWARDED,
    Fault,
    about_services,
    backend_interfaces,
    takes_part,
)
from flatnet.check.model import Finding, Json

# Without one of these there are no new pods, on any node.
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
# Units by inventory group, without those that the backend adds.
_UNITS = {
    "kube_node": ("containerd", "kubelet"),
    "kube_control_plane": CONTROL_PLANE[1:],
    "etcd": CONTROL_PLANE[:1],
}
# The second is that of a unit which sets something up and is over (systemd.service(5), RemainAfterExit).
_WORKING = frozenset({"active/running", "active/exited"})


def units_of(plan: Mapping[str, Any], node: str) -> list[str]:
    """Return the units that run on a node, without `.service`."""
    groups = plan["nodes"][node].get("groups") or ["kube_node"]
    found = [unit for group in groups for unit in _UNITS.get(group, ())]
    if "kube_node" in groups:
        proxy = [] if plan["kube_proxy_mode"] == "none" else ["kube-proxy"]
        engine = (plan.get("policy_engine") or {}).get("units") or []
        found += [*proxy, *(plan["backend"].get("units") or []), *engine]
    return list(dict.fromkeys(found))


def unit_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find the units that do not run, with their own last words."""
    for unit, found in (state.get("units") or {}).items():
        if found["state"] in _WORKING:
            continue
        last = f": {found['last']}" if found["last"] else ""
        restarts = f" after {found['restarts']} restarts" if found["restarts"] else ""
        yield Fault(
            "units",
            f"{unit} does not run on {node} ({found['state']}{restarts}){last}",
            f"systemctl status {unit}; journalctl -u {unit} on {node}",
            _unit_explains(cluster, unit, node),
        )


def _unit_explains(cluster: Cluster, unit: str, node: str) -> Callable[[Finding], bool]:
    if unit in ("containerd", "kubelet"):
        return lambda finding: finding["error"] in ("none", "interface", "record", "lost")
    if unit == "kube-proxy":
        return about_services(node)
    if unit in (cluster.plan["backend"].get("units") or []):
        return lambda finding: bool(finding["error"]) and finding["class"] not in NOT_FORWARDED
    if unit in ((cluster.plan.get("policy_engine") or {}).get("units") or []):
        return lambda finding: finding["class"] == "policy" and _enforcing(finding) == node
    return lambda finding: bool(finding["error"]) and finding["class"] == "dns_service"


def _enforcing(finding: Finding) -> str:
    """Return the node that a check of policies is about: that of the pod which they select."""
    return finding["target" if "/ingress-" in finding["id"] else "source"]["node"]


def forwarding_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find what keeps a node from forwarding: the setting of the interface that packets come in by counts."""
    names = {"ipv4": "net.ipv4.ip_forward", "ipv6": "net.ipv6.conf.all.forwarding"}
    for family in cluster.families:
        setting = names[family]
        if (state.get("settings") or {}).get(setting) == "0":
            yield Fault(
                "forwarding",
                f"{node} does not forward packets: {setting} is 0",
                f"sysctl {setting} on {node}, and who sets it: grep -r forward /etc/sysctl.d",
                _is_forwarded(family),
            )
            continue
        if family == "ipv6":
            # There, the setting of an interface says what it is itself: a host or a router.
            continue
        for name in _carriers(cluster, node, state):
            if family in (state.get("forwarding") or {}).get(name, []):
                one = f"net.ipv4.conf.{name}.forwarding"
                yield Fault(
                    "forwarding",
                    f"{node} does not forward packets that come in by {name}: {one} is 0",
                    f"sysctl {one} on {node}; it outlasts net.ipv4.ip_forward=1 that was set before",
                    _is_forwarded(family),
                )


def bridge_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find the setting without which answers between pods of one bridge pass the services' rules by.

    Whether that is met by a connection is a matter of which pod a service chooses.
    """
    plan = cluster.plan
    if plan["kube_proxy_mode"] == "none" or "br_netfilter" not in plan["needs"]["kernel_features"]:
        return
    for family in cluster.families:
        setting = BRIDGED_SETTINGS[family]
        if (state.get("settings") or {}).get(setting) == "0":
            yield Fault(
                "forwarding",
                f"bridged packets pass kube-proxy's rules by on {node}",
                f"sysctl {setting} on {node}",
                about_services(node),
            )


def _is_forwarded(family: str) -> Callable[[Finding], bool]:
    return lambda finding: (
        bool(finding["error"]) and finding["class"] not in NOT_FORWARDED and finding["family"] in (family, "")
    )


def _carriers(cluster: Cluster, node: str, state: Json) -> list[str]:
    """Return the interfaces that pods' packets come in by: the backend's and those with a node's address."""
    own = set(cluster.plan["nodes"][node]["addresses"])
    patterns = backend_interfaces(cluster.plan)
    return [
        entry["name"]
        for entry in state.get("interfaces") or []
        if any(fnmatch(entry["name"], pattern) for pattern in patterns)
        or own & {address.partition("/")[0] for address in entry["addresses"]}
    ]


def address_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find hosts that have the node's address as well: whom its peers take for it, chance decides."""
    del cluster
    for claim in state.get("claims") or []:
        yield Fault(
            "address",
            f"another host has {claim['address']}, the address of {node}, too: "
            f"its Ethernet address is {claim['mac']}",
            f"arping -D -I {claim['device']} {claim['address']} on {node}; ip link on the other hosts, "
            "and the switch that learned that Ethernet address",
            lambda finding: (
                finding["class"] not in ("host_state", "planned_address") and takes_part(finding, node)
            ),
        )


def gateway_faults(cluster: Cluster, node: str, state: Json) -> Iterator[Fault]:
    """Find the bridge of the pods without the address by which they leave it.

    One that has no ports serves no pod, and the next call of its plugin gives it the address.
    """
    if cluster.plan["backend"]["ipam"] != "plan":
        return
    gateways = cluster.plan["nodes"][node].get("pod_gateways") or []
    patterns = backend_interfaces(cluster.plan)
    for entry in state.get("interfaces") or []:
        if entry["kind"] != "bridge" or not entry["ports"]:
            continue
        if not any(fnmatch(entry["name"], pattern) for pattern in patterns):
            continue
        if not entry["up"]:
            yield Fault(
                "pod_gateway",
                f"the bridge {entry['name']} of {node}, by which its pods leave it, is down",
                f"ip link show {entry['name']} on {node}",
                lambda finding: bool(finding["error"]) and finding["class"] != "node_to_node",
            )
        has = {address.partition("/")[0] for address in entry["addresses"]}
        for family in cluster.families:
            lacking = [one for one in all_of_family(gateways, family) if one not in has]
            if lacking:
                yield Fault(
                    "pod_gateway",
                    f"the bridge {entry['name']} of {node} has lost {lacking[0]}, the gateway of its pods",
                    f"ip address show {entry['name']} on {node}",
                    lambda finding: bool(finding["error"]) and finding["class"] != "node_to_node",
                )
