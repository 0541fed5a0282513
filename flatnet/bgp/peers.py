"""Who speaks BGP to whom, from the addresses of the plan and the peers of the inventory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flatnet.plan.addresses import Address, Network, parse_address, parse_network

FULL_MESH = "full-mesh"
ROUTE_REFLECTOR = "route-reflector"
ROUTERS = "routers"


@dataclass(frozen=True)
class Peer:
    """One who routes are exchanged with over one address.

    name: letters, digits and _; is_client: whether it hears routes of others of the same number from here
    (RFC 4456, section 6); is_told_all: whether it hears more than the host's own networks; is_outside:
    whether it is of the site and no host of the cluster.
    """

    name: str
    address: Address
    as_number: int
    password: str = ""
    is_client: bool = False
    is_told_all: bool = False
    is_outside: bool = False


@dataclass(frozen=True)
class Speaker:
    """A host that speaks BGP: its addresses by family, and its own networks of pods.

    networks: the cluster's pod networks; bfd: whether a lost peer is noticed by BFD (RFC 5880) as well;
    hold_seconds: after which a silent peer is given up; restart_seconds: for how long routes of a peer that
    starts again are kept (RFC 4724).
    """

    addresses: Mapping[str, Address]
    pod_cidrs: tuple[Network, ...]
    networks: tuple[Network, ...]
    as_number: int
    bfd: bool
    hold_seconds: int
    restart_seconds: int


def speaker_of(given: Mapping[str, Any]) -> Speaker:
    """Return the host that the role is run for.

    given: `host`, `mode`, `nodes` (inventory name -> what the plan has of it), `as_numbers` (inventory name
    -> number), `route_reflectors` (names), `peers`, `pod_cidrs`, `cluster_pod_cidrs`, `bfd`, `hold_seconds`,
    `restart_seconds`.
    """
    addresses = [parse_address(text) for text in given["nodes"][given["host"]]["addresses"]]
    return Speaker(
        addresses={address.family: address for address in addresses},
        pod_cidrs=tuple(map(parse_network, given["pod_cidrs"])),
        networks=tuple(map(parse_network, given["cluster_pod_cidrs"])),
        as_number=int(given["as_numbers"][given["host"]]),
        bfd=given["bfd"],
        hold_seconds=given["hold_seconds"],
        restart_seconds=given["restart_seconds"],
    )


def peers_of(given: Mapping[str, Any]) -> list[Peer]:
    """Return the peers of a host in the order of their names, those outside of the cluster after them.

    given: as for speaker_of, without a fault.
    """
    host, mode, numbers = given["host"], given["mode"], given["as_numbers"]
    reflectors = frozenset(given["route_reflectors"])
    found = []
    for name in speakers(given["nodes"]):
        linked = mode == FULL_MESH or (mode == ROUTE_REFLECTOR and not reflectors.isdisjoint({host, name}))
        if name == host or not linked:
            continue
        reflects = mode == ROUTE_REFLECTOR and host in reflectors
        found += [
            Peer(
                name=f"{_word(name)}_{address.family}",
                address=address,
                as_number=int(numbers[name]),
                is_client=reflects and name not in reflectors,
                is_told_all=reflects,
            )
            for address in map(parse_address, given["nodes"][name]["addresses"])
        ]
    for number, one in enumerate(given["peers"], 1):
        address = parse_address(one["address"])
        password = str(one.get("password", ""))
        found.append(Peer(f"site_{number}", address, int(one["as_number"]), password, is_outside=True))
    return found


def speakers(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the hosts that learn routes to pods: nodes, and hosts of the control plane."""
    wanted = {"kube_node", "kube_control_plane"}
    return sorted(name for name, one in nodes.items() if not wanted.isdisjoint(one["groups"]))


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())
