"""Whether a host's bridge can be the one that a CNI configuration plugs pods into.

Reads the facts that the preflight read, and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flatnet.plan.addresses import Network, parse_interface, parse_network


def bridge_refusals(facts: Mapping[str, Any], bridge: str, pod_cidrs: Sequence[str]) -> list[str]:
    """Return why the pods of a node cannot be plugged into the bridge, as sentences; empty when they can.

    facts: of the host, with `interfaces`; pod_cidrs: the node's own, whose first addresses are the bridge's.
    The plugin `bridge` makes a bridge that is not there. One that is there it takes, and refuses every pod
    when it has another address of IPv4, or one of IPv6 whose network overlaps that of the pods
    (containernetworking/plugins, plugins/main/bridge, bridge.go, ensureAddr).
    """
    found = next((one for one in facts["interfaces"] if one["name"] == bridge), None)
    if found is None:
        return []
    if found["kind"] != "bridge":
        return [
            f"the host's {bridge} is not a bridge but of the kind {found['kind']}, and pods need a bridge of "
            f"that name. Fix: rename it, or remove it with `ip link delete {bridge}`."
        ]
    return [
        f"the host's {bridge} has the address {text}, and that of this node's pods is {wanted}: no pod could "
        f"start. Fix: remove what is left of another network with `ip link delete {bridge}`."
        for text, wanted in _strangers(found, [parse_network(cidr) for cidr in pod_cidrs])
    ]


def _strangers(found: Mapping[str, Any], pods: Sequence[Network]) -> Iterator[tuple[str, str]]:
    """Yield (address of the bridge, the one that is wanted) for each that the plugin would refuse."""
    for text in found["addresses"]:
        network = parse_interface(text)[1]
        for own in pods:
            wanted = f"{own.nth_address(1)}/{own.prefix}"
            is_in_the_way = own.family == "ipv4" or network.overlaps(own)
            if network.family == own.family and text != wanted and is_in_the_way:
                yield text, wanted
                break
