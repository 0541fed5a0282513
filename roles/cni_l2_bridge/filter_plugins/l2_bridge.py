"""The filters of the role cni_l2_bridge: a node's place on the segment, and what is wrong with interfaces."""

import json
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from ansible.errors import AnsibleFilterError
from netaddr import AddrFormatError, IPAddress, IPNetwork

Json = dict[str, Any]

# What CNI bridges have long begun their addresses with; the second lowest bit of the first byte says that
# the address was given locally (IEEE 802-2014, 8.4).
_MAC_PREFIX = 0x0A58
# They take frames for their own MAC address alone, or, bridges, cannot be a port of another bridge.
_UNFIT_KINDS = frozenset({"bridge", "ipvlan", "macvlan"})
_SETTINGS = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0}


class _Host(NamedTuple):
    """What `ip -details -json` says: its links by name, and the devices of its default routes."""

    links: dict[str, Json]
    default_devices: list[str]


def l2_bridge_node(pod_cidrs: Sequence[str], cluster_pod_cidrs: Sequence[str]) -> Json:
    """Return a node's place on the segment: {gateways, mac, ranges, routes}, lists in the order of pod_cidrs.

    gateways: the bridge's addresses with the prefix length of the cluster, so that all pods are neighbours.
    mac: the bridge's MAC address, which no other node of the cluster has.
    ranges: for host-local, the addresses of the node's own pods; its first, the gateway's and its last are
    not given to pods. routes: what pods reach through the gateway.
    Raises AnsibleFilterError for networks that are none, or in no cluster network.
    """
    try:
        clusters = [IPNetwork(cidr) for cidr in cluster_pod_cidrs]
        pairs = [(IPNetwork(cidr), _cluster_of(IPNetwork(cidr), clusters)) for cidr in pod_cidrs]
    except (AddrFormatError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"the pod networks {pod_cidrs!r} cannot be read: {error}") from None
    if not pairs:
        raise AnsibleFilterError("the node has no pod network; plan one, or take it out of kube_node")
    return {
        "gateways": [f"{IPAddress(pods.first + 1, pods.version)}/{all_.prefixlen}" for pods, all_ in pairs],
        "mac": _mac(*pairs[0]),
        "ranges": [
            [
                {
                    "subnet": str(all_),
                    "rangeStart": str(IPAddress(pods.first + 2, pods.version)),
                    "rangeEnd": str(IPAddress(pods.last - 1, pods.version)),
                    "gateway": str(IPAddress(pods.first + 1, pods.version)),
                }
            ]
            for pods, all_ in pairs
        ],
        "routes": [{"dst": "::/0" if pods.version == 6 else "0.0.0.0/0"} for pods, _ in pairs],
    }


def _cluster_of(pods: IPNetwork, clusters: Sequence[IPNetwork]) -> IPNetwork:
    for cluster in clusters:
        if pods in cluster:
            return cluster.cidr
    raise ValueError(f"{pods} is in none of {', '.join(map(str, clusters))}")


def _mac(pods: IPNetwork, cluster: IPNetwork) -> str:
    """Return the MAC address of the bridge: the last four bytes tell the nodes of a cluster apart.

    In IPv4 they are the gateway's address. In IPv6 they are those behind the cluster's prefix: a node's
    network is at most 16 bits longer (kubernetes, pkg/controller/nodeipam/ipam/cidrset, cidr_set.go).
    """
    number = int(pods.first) + 1
    if pods.version == 6:
        number >>= max(128 - cluster.prefixlen - 32, 0)
    value = _MAC_PREFIX << 32 | number & 0xFFFFFFFF
    return ":".join(f"{value >> shift & 0xFF:02x}" for shift in range(40, -8, -8))


def l2_bridge_refusals(shown: str, uplink: str, bridge: str, mtu: int) -> list[str]:
    """Return why the bridge cannot have this uplink, as sentences with the fix; empty when it can.

    shown: what `ip -details -json address` and `ip -json route show default` of both families print, one
    after the other. mtu: of the pods, in bytes.
    """
    host = _read(shown)
    return [
        f"cni_l2_bridge_interface{f' {uplink}' if uplink else ''}: {reason}. Fix: {fix}."
        for reason, fix in _reasons(host, uplink, bridge, mtu)
    ]


def _reasons(host: _Host, uplink: str, bridge: str, mtu: int) -> Iterator[tuple[str, str]]:
    """Yield (reason, fix) for everything that is wrong."""
    another = "name an interface that is in the pods' segment and serves nothing else"
    if not uplink:
        yield "it is not set", f"{another}, for every host or for a group of them"
        return
    taken = host.links.get(bridge)
    if taken and _kind(taken) != "bridge":
        yield f"the host's {bridge} is no bridge, and flatnet needs the name", f"rename or remove {bridge}"
    link = host.links.get(uplink)
    if link is None:
        fit = [name for name in host.links if _would_do(host, name, bridge, mtu)]
        yield f"the host has no such interface; {', '.join(fit) or 'none of those it has'} would do", another
        return
    if not _is_ethernet(link) or _kind(link) in _UNFIT_KINDS:
        yield f"an interface of the kind {_kind(link)} cannot carry the frames of pods", another
    if (master := link.get("master")) not in (None, bridge):
        yield f"it is a port of {master}", f"take it out of {master}, or {another}"
    if addresses := _addresses(link):
        yield f"it has {', '.join(addresses)}, which the host would lose", another
    if uplink in host.default_devices:
        yield "the host's default route leads through it", another
    if link["mtu"] < mtu:
        yield (
            f"it carries {link['mtu']} bytes, and pods would send {mtu}",
            f"set cluster_underlay_mtu to {link['mtu']}, or raise the MTU of {uplink}",
        )


def _would_do(host: _Host, name: str, bridge: str, mtu: int) -> bool:
    is_pods = host.links[name].get("linkinfo", {}).get("info_slave_data", {}).get("hairpin", False)
    return not is_pods and not any(_reasons(host, name, bridge, mtu))


def l2_bridge_drift(shown: str, uplink: str, bridge: str, mtu: int, node: Json) -> list[str]:
    """Return in what way the bridge and its uplink are not as they were set up; empty when they are.

    shown, mtu: as for l2_bridge_refusals; node: what l2_bridge_node returns.
    """
    host = _read(shown)
    found, port = host.links.get(bridge), host.links.get(uplink, {})
    if found is None:
        return [f"there is no {bridge}"]
    data = found.get("linkinfo", {}).get("info_data", {})
    slave = port.get("linkinfo", {}).get("info_slave_data", {})
    wrong = {
        f"{uplink} is no port of {bridge}": port.get("master") != bridge,
        f"{uplink} sends frames back where they came from": bool(slave.get("hairpin")),
        **{
            f"{name} is down": "UP" not in link.get("flags", [])
            for name, link in ((uplink, port), (bridge, found))
        },
        f"{bridge} has the MAC address {found.get('address')}": found.get("address") != node["mac"],
        f"{bridge} has MTU {found['mtu']}": found["mtu"] != mtu,
        f"{bridge} has {', '.join(_addresses(found)) or 'no address'}": set(_addresses(found))
        != set(node["gateways"]),
        **{
            f"{bridge} has {name} {data.get(name)}": data.get(name) != value
            for name, value in _SETTINGS.items()
        },
    }
    return [reason for reason, is_so in wrong.items() if is_so]


def _read(shown: str) -> _Host:
    decoder, documents, at = json.JSONDecoder(), [], 0
    try:
        while at < len(text := shown.strip()):
            document, end = decoder.raw_decode(text[at:])
            documents.append(document)
            at += end + len(text[at + end :]) - len(text[at + end :].lstrip())
        links, *routes = documents
    except ValueError as error:
        raise AnsibleFilterError(
            f"`ip -details -json address` on the host says {shown[:200]!r}: {error}"
        ) from None
    return _Host(
        {link["ifname"]: link for link in links if "ifname" in link},
        [route.get("dev", "") for entries in routes for route in entries],
    )


def _kind(link: Json) -> str:
    return str(link.get("linkinfo", {}).get("info_kind") or link.get("link_type", ""))


def _is_ethernet(link: Json) -> bool:
    return bool(link.get("link_type") == "ether")


def _addresses(link: Json) -> list[str]:
    """Return the link's addresses with their prefix lengths, but those that IPv6 gives every link."""
    return [
        f"{entry['local']}/{entry['prefixlen']}"
        for entry in link.get("addr_info", [])
        if "local" in entry and not (":" in entry["local"] and ip_address(entry["local"]).is_link_local)
    ]


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "l2_bridge_node": l2_bridge_node,
            "l2_bridge_refusals": l2_bridge_refusals,
            "l2_bridge_drift": l2_bridge_drift,
        }
