"""Which interface can be the uplink of the pods' bridge, and whether the bridge is as it was set up.

All read the facts that the preflight read, and nothing else. The uplink serves pods alone, or is the node's
own interface: then the bridge has the node's addresses, and all that comes with them.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_interface
from typing import Any

from flatnet.state.leftovers import fits

Facts = Mapping[str, Any]
Interface = Mapping[str, Any]

# They take frames for their own MAC address alone, or, bridges, cannot be a port of another bridge.
_UNFIT_KINDS = frozenset({"bridge", "ipvlan", "macvlan"})
# Over an interface that has one of these the kernel makes no bridge: both would take all its frames.
_TAKING_KINDS = frozenset({"ipvlan", "ipvtap", "macvlan", "macvtap"})
_SETTINGS = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0}
_DEFAULT_ROUTES = frozenset({"0.0.0.0/0", "::/0"})
# Of routes that somebody else keeps where they are.
_LEARNT = frozenset({"dhcp", "ra", "redirect"})
_ANOTHER = "name the node's own interface, or one in the pods' segment that serves nothing else"
# What the program on the host notes of a bridge whose move nobody has confirmed yet.
TRIAL = "flatnet: on trial"


def has_node(facts: Facts, uplink: str, bridge: str, node_addresses: Sequence[str]) -> bool:
    """Tell whether the uplink is the node's own interface, which has its address or gave it to the bridge."""
    interfaces = _interfaces(facts)
    found = interfaces.get(uplink)
    if found is None:
        return False
    given = interfaces.get(bridge) if found["master"] == bridge else None
    return any(_has_any(one, node_addresses) for one in (found, given) if one is not None)


def uplink_refusals(
    facts: Facts, uplink: str, bridge: str, mtu: int, node_addresses: Sequence[str] = ()
) -> list[str]:
    """Return why the bridge cannot have this uplink, as sentences with the fix; empty when it can.

    facts: of the host, with `interfaces`, `routes`, `other_routes`, `rules`, `wireless_interfaces`,
    `networkd` and `network_files`; mtu: of the pods, in bytes.
    """
    return [
        f"cni_l2_bridge_interface{f' {uplink}' if uplink else ''}: {reason}. Fix: {fix}."
        for reason, fix in _reasons(facts, uplink, bridge, mtu, node_addresses)
    ]


def _reasons(
    facts: Facts, uplink: str, bridge: str, mtu: int, node_addresses: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield (reason, fix) for everything that is wrong."""
    interfaces = _interfaces(facts)
    if not uplink:
        yield "it is not set", f"{_ANOTHER}, for every host or for a group of them"
        return
    taken = interfaces.get(bridge)
    if taken and taken["kind"] != "bridge":
        yield f"the host's {bridge} is not a bridge, and flatnet needs the name", f"rename or remove {bridge}"
    found = interfaces.get(uplink)
    if found is None:
        fit = [name for name in interfaces if _would_do(facts, interfaces[name], bridge, mtu, node_addresses)]
        yield f"the host has no such interface; {', '.join(fit) or 'none of those it has'} would do", _ANOTHER
        return
    yield from _unfit(facts, found, bridge)
    if has_node(facts, uplink, bridge, node_addresses):
        yield from _unmovable(facts, found, mtu)
        yield from _mistaken(facts, found, bridge)
    else:
        yield from _in_use(facts, found, mtu)


def _unfit(facts: Facts, found: Interface, bridge: str) -> Iterator[tuple[str, str]]:
    """Yield (reason, fix) for why an interface cannot be a port of the bridge, whatever it serves."""
    if found["link_type"] != "ether" or found["kind"] in _UNFIT_KINDS:
        yield f"an interface of the kind {found['kind']} cannot carry the frames of pods", _ANOTHER
    if found["name"] in facts["wireless_interfaces"]:
        yield "a wireless network carries frames of the host's own address alone", "use a cable"
    if (master := found["master"]) not in ("", bridge):
        yield f"it is a port of {master}", f"take it out of {master}, or {_ANOTHER}"


def _in_use(facts: Facts, found: Interface, mtu: int) -> Iterator[tuple[str, str]]:
    """Yield (reason, fix) for what an interface serves besides pods, and is not the node's own."""
    uplink = found["name"]
    if addresses := _addresses(found):
        yield f"it has {', '.join(addresses)}, none of them the node's, which the host would lose", _ANOTHER
    if any(route["device"] == uplink for route in facts["routes"] if route["destination"] in _DEFAULT_ROUTES):
        yield "the host's default route leads through it", _ANOTHER
    if found["mtu"] < mtu:
        yield (
            f"it carries {found['mtu']} bytes, and pods would send {mtu}",
            f"set cluster_underlay_mtu to {found['mtu']}, or raise the MTU of {uplink}",
        )


def _unmovable(facts: Facts, found: Interface, mtu: int) -> Iterator[tuple[str, str]]:
    """Yield (reason, fix) for what the node's own interface has and the bridge could not have instead."""
    name = found["name"]
    apart = "give the pods an interface of their own"
    if leased := found["leased_addresses"]:
        yield (
            f"it has {', '.join(leased)} on lease (DHCP, router advertisements), which nobody could renew on "
            "the bridge",
            f"give the host its addresses for good in its network configuration, or {apart}",
        )
    learnt = [
        route["destination"]
        for route in [*facts["routes"], *facts["other_routes"]]
        if route["device"] == name and route["protocol"] in _LEARNT
    ]
    if learnt and not leased:
        yield (
            f"the host learns routes through it ({', '.join(learnt)}), and could not on the bridge",
            f"set them in its network configuration, or {apart}",
        )
    if any(name in (rule["input"], rule["output"]) for rule in facts["rules"]):
        yield (
            "rules of the routing policy name it, and packets would come by the bridge",
            f"have them name addresses (ip-rule(8), from and to), or {apart}",
        )
    over = [
        one["name"] for one in facts["interfaces"] if one["lower"] == name and one["kind"] in _TAKING_KINDS
    ]
    if over:
        yield f"{', '.join(over)} takes its frames, and so does a bridge", f"remove {over[0]}, or {apart}"
    if found["mtu"] != mtu:
        yield (
            f"it carries {found['mtu']} bytes, and pods send {mtu}: on one bridge both have to be the same",
            f"set cluster_underlay_mtu to {found['mtu']}, or the MTU of {name} to {mtu}",
        )


def _mistaken(facts: Facts, found: Interface, bridge: str) -> Iterator[tuple[str, str]]:
    """Yield (reason, fix) for a file that has systemd-networkd set up the bridge as if it were the interface.

    It would by the MAC address, which the bridge gets. One that is there from the beginning does not count.
    """
    if not facts["networkd"]:
        return
    more = {"MACAddress": found["mac"].lower(), "Type": "bridge", "Kind": "bridge"}
    for file in facts["network_files"]:
        words = file["match"].get("MACAddress", [])
        match = {**file["match"], "MACAddress": [word.lower() for word in words]} if words else file["match"]
        if not fits(match, bridge, more):
            continue
        if words and not file["unmanaged"]:
            yield (
                f"{file['path']} of systemd-networkd fits {bridge} too, by the MAC address that it gets",
                f"add Name={found['name']} to its section Match",
            )
        return


def _would_do(facts: Facts, found: Interface, bridge: str, mtu: int, node_addresses: Sequence[str]) -> bool:
    # A port in hairpin mode is a pod's.
    is_pods = bool(found["port"].get("hairpin"))
    return not is_pods and not any(_reasons(facts, found["name"], bridge, mtu, node_addresses))


def due_moves(facts: Facts, uplink: str, bridge: str, node_addresses: Sequence[str]) -> list[str]:
    """Return what is still to be moved from the node's own interface to the bridge, a few words each.

    Empty when nothing is, and where the uplink serves pods alone.
    """
    if not has_node(facts, uplink, bridge, node_addresses):
        return []
    interfaces = _interfaces(facts)
    found, given = interfaces[uplink], interfaces.get(bridge)
    told = [f"{text} from {uplink} to {bridge}" for text in _addresses(found)]
    through = [
        route["destination"]
        for route in [*facts["routes"], *facts["other_routes"]]
        if route["device"] == uplink and route["protocol"] != "kernel"
    ]
    told += [f"route to {text} from {uplink} to {bridge}" for text in through]
    if found["master"] != bridge:
        told.append(f"{uplink} into {bridge}")
    elif given and given["alias"] == TRIAL:
        told.append(f"{uplink} into {bridge}, which nobody has confirmed")
    return told


def bridge_drift(
    facts: Facts,
    uplink: str,
    bridge: str,
    mtu: int,
    gateways: Sequence[str],
    mac: str,
    node_addresses: Sequence[str] = (),
) -> list[str]:
    """Return in what way the bridge and its uplink are not as they were set up; empty when they are.

    facts, mtu, node_addresses: as for uplink_refusals; gateways, mac: of the node's place on the segment. A
    bridge with the node's addresses has the MAC address of the node's interface, and what else came from it.
    """
    interfaces = _interfaces(facts)
    found, port = interfaces.get(bridge), interfaces.get(uplink)
    if found is None:
        return [f"there is no {bridge}"]
    if port is None:
        return [f"there is no {uplink}"]
    is_own = has_node(facts, uplink, bridge, node_addresses)
    present, wanted = set(_addresses(found)), set(gateways)
    wrong = {
        f"{uplink} is not a port of {bridge}": port["master"] != bridge,
        f"{uplink} sends frames back where they came from": bool(port["port"].get("hairpin")),
        f"{uplink} is down": not port["up"],
        f"{bridge} is down": not found["up"],
        f"{bridge} has the MAC address {found['mac']}": found["mac"] != (port["mac"] if is_own else mac),
        f"{bridge} has MTU {found['mtu']}": found["mtu"] != mtu,
        f"{bridge} has {', '.join(_addresses(found)) or 'no address'}": not wanted <= present
        if is_own
        else present != wanted,
        **{
            f"{bridge} has {name} {found['details'].get(name)}": found["details"].get(name) != value
            for name, value in _SETTINGS.items()
        },
    }
    return [reason for reason, is_so in wrong.items() if is_so]


def _interfaces(facts: Facts) -> dict[str, Interface]:
    return {found["name"]: found for found in facts["interfaces"]}


def _has_any(found: Interface, addresses: Sequence[str]) -> bool:
    own = {str(ip_interface(text).ip) for text in _addresses(found)}
    return any(str(ip_interface(address).ip) in own for address in addresses)


def _addresses(found: Interface) -> list[str]:
    """Return the interface's addresses with their prefix lengths, but those that IPv6 gives every link."""
    return [
        text
        for text in [*found["addresses"], *found["link_scope_addresses"]]
        if not ((address := ip_interface(text).ip).version == 6 and address.is_link_local)
    ]
