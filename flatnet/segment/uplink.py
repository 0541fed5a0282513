"""Which interface can be the uplink of the pods' bridge, and whether the bridge is as it was set up.

Both read the facts that the preflight read, and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_interface
from typing import Any

Facts = Mapping[str, Any]
Interface = Mapping[str, Any]

# They take frames for their own MAC address alone, or, bridges, cannot be a port of another bridge.
_UNFIT_KINDS = frozenset({"bridge", "ipvlan", "macvlan"})
_SETTINGS = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0}
_DEFAULT_ROUTES = frozenset({"0.0.0.0/0", "::/0"})


def uplink_refusals(facts: Facts, uplink: str, bridge: str, mtu: int) -> list[str]:
    """Return why the bridge cannot have this uplink, as sentences with the fix; empty when it can.

    facts: of the host, with `interfaces` and `routes`; mtu: of the pods, in bytes.
    """
    return [
        f"cni_l2_bridge_interface{f' {uplink}' if uplink else ''}: {reason}. Fix: {fix}."
        for reason, fix in _reasons(facts, uplink, bridge, mtu)
    ]


def _reasons(facts: Facts, uplink: str, bridge: str, mtu: int) -> Iterator[tuple[str, str]]:
    """Yield (reason, fix) for everything that is wrong."""
    interfaces = _interfaces(facts)
    another = "name an interface that is in the pods' segment and serves nothing else"
    if not uplink:
        yield "it is not set", f"{another}, for every host or for a group of them"
        return
    taken = interfaces.get(bridge)
    if taken and taken["kind"] != "bridge":
        yield f"the host's {bridge} is not a bridge, and flatnet needs the name", f"rename or remove {bridge}"
    found = interfaces.get(uplink)
    if found is None:
        fit = [name for name in interfaces if _would_do(facts, interfaces[name], bridge, mtu)]
        yield f"the host has no such interface; {', '.join(fit) or 'none of those it has'} would do", another
        return
    if found["link_type"] != "ether" or found["kind"] in _UNFIT_KINDS:
        yield f"an interface of the kind {found['kind']} cannot carry the frames of pods", another
    if (master := found["master"]) not in ("", bridge):
        yield f"it is a port of {master}", f"take it out of {master}, or {another}"
    if addresses := _addresses(found):
        yield f"it has {', '.join(addresses)}, which the host would lose", another
    if any(route["device"] == uplink for route in facts["routes"] if route["destination"] in _DEFAULT_ROUTES):
        yield "the host's default route leads through it", another
    if found["mtu"] < mtu:
        yield (
            f"it carries {found['mtu']} bytes, and pods would send {mtu}",
            f"set cluster_underlay_mtu to {found['mtu']}, or raise the MTU of {uplink}",
        )


def _would_do(facts: Facts, found: Interface, bridge: str, mtu: int) -> bool:
    # A port in hairpin mode is a pod's.
    return not found["port"].get("hairpin") and not any(_reasons(facts, found["name"], bridge, mtu))


def bridge_drift(
    facts: Facts, uplink: str, bridge: str, mtu: int, gateways: Sequence[str], mac: str
) -> list[str]:
    """Return in what way the bridge and its uplink are not as they were set up; empty when they are.

    facts, mtu: as for uplink_refusals; gateways, mac: of the node's place on the segment.
    """
    interfaces = _interfaces(facts)
    found, port = interfaces.get(bridge), interfaces.get(uplink)
    if found is None:
        return [f"there is no {bridge}"]
    if port is None:
        return [f"there is no {uplink}"]
    wrong = {
        f"{uplink} is not a port of {bridge}": port["master"] != bridge,
        f"{uplink} sends frames back where they came from": bool(port["port"].get("hairpin")),
        f"{uplink} is down": not port["up"],
        f"{bridge} is down": not found["up"],
        f"{bridge} has the MAC address {found['mac']}": found["mac"] != mac,
        f"{bridge} has MTU {found['mtu']}": found["mtu"] != mtu,
        f"{bridge} has {', '.join(_addresses(found)) or 'no address'}": set(_addresses(found))
        != set(gateways),
        **{
            f"{bridge} has {name} {found['details'].get(name)}": found["details"].get(name) != value
            for name, value in _SETTINGS.items()
        },
    }
    return [reason for reason, is_so in wrong.items() if is_so]


def _interfaces(facts: Facts) -> dict[str, Interface]:
    return {found["name"]: found for found in facts["interfaces"]}


def _addresses(found: Interface) -> list[str]:
    """Return the interface's addresses with their prefix lengths, but those that IPv6 gives every link."""
    return [
        text
        for text in [*found["addresses"], *found["link_scope_addresses"]]
        if not ((address := ip_interface(text).ip).version == 6 and address.is_link_local)
    ]
