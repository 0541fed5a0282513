"""Which nodes have a tunnel to which, and what keeps frames from going round in circles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MESH, PARTIAL, FLOWS = "mesh", "partial", "flows"
TOPOLOGIES = (MESH, PARTIAL, FLOWS)

# Open vSwitch has so many ports of the spanning tree protocol (lib/stp.h, STP_MAX_PORTS).
STP_PORTS = 255
# Of two nodes that are up, the first is the root; all others have the protocol's default (IEEE 802.1D-1998).
_PRIORITIES = (4096, 8192)
_DEFAULT_PRIORITY = 32768
_HELLO = 1
# With these a mesh, in which everybody is a neighbour of the root, forwards after 2 x 4 s, and a lost root is
# noticed after 6 s. The standard asks for 2 x (forward delay - 1) >= maximum age.
_FORWARD_DELAY, _MAX_AGE = 4, 6
# The largest maximum age that is usual, and the standard's default, is 20 s.
LARGEST_MAX_AGE = 20


def peers(count: int, position: int, topology: str, degree: int) -> list[int]:
    """Return the positions of the nodes that the one at position has a tunnel to, in order.

    Positions are from 0 to count - 1. With PARTIAL every node has as many peers as degree says, an even
    number: those at the same distances before and behind on a ring of all nodes (a circulant graph), of which
    the first is 1, so that all are connected. The longer distances make ways short.
    """
    others = [one for one in range(count) if one != position]
    if topology != PARTIAL or degree >= count - 1:
        return others
    reached = {(position + way * one) % count for one in _distances(count, degree) for way in (1, -1)}
    return sorted(reached - {position})


def _distances(count: int, degree: int) -> list[int]:
    """Return degree / 2 distances on the ring, from 1 on, each about the same factor longer."""
    number = degree // 2
    factor = (count / 2) ** (1 / number)
    distances: list[int] = []
    for step in range(number):
        # Room is kept for those that are to come.
        most = (count - 1) // 2 - (number - 1 - step)
        least = distances[-1] + 1 if distances else 1
        distances.append(max(least, min(round(factor**step), most)))
    return distances


def hops(count: int, topology: str, degree: int) -> int:
    """Return over how many tunnels the farthest node is, which is the same from every node."""
    distances = {0: 0}
    edge = [0]
    while edge:
        found = []
        for one in edge:
            for other in peers(count, one, topology, degree):
                if other not in distances:
                    distances[other] = distances[one] + 1
                    found.append(other)
        edge = found
    return max(distances.values())


def spanning_tree(count: int, position: int, topology: str, degree: int) -> Mapping[str, str]:
    """Return the settings of the spanning tree protocol (ovs-vswitchd.conf.db(5), Bridge, other_config).

    Every tunnel between the root and a node makes what the root says older by up to a hello time, and the
    waits longer by as much.
    """
    further = max(hops(count, topology, degree) - 1, 0) * 2 * _HELLO
    priority = _PRIORITIES[position] if position < len(_PRIORITIES) else _DEFAULT_PRIORITY
    return {
        "stp-priority": str(priority),
        "stp-hello-time": str(_HELLO),
        "stp-forward-delay": str(_FORWARD_DELAY + further),
        "stp-max-age": str(_MAX_AGE + further),
    }


def stp_port_numbers(wishes: Sequence[int]) -> list[int]:
    """Return a port number of the spanning tree protocol for each wish, from 1 to STP_PORTS, no two the same.

    Numbers have to stay with their ports: Open vSwitch gives out new ones whenever a port is added unless it
    is told, and a port whose number changes no longer hears the root. Of two that wish for the same the
    later gets the next that is free.
    """
    taken: dict[int, None] = {}
    for wish in wishes:
        number = wish % STP_PORTS
        while number in taken:
            number = (number + 1) % STP_PORTS
        taken[number] = None
    return [number + 1 for number in taken]


def stp_faults(count: int, topology: str, degree: int) -> Sequence[str]:
    """Return why the topology cannot have that many nodes, as sentences with a fix; empty when it can."""
    if topology == FLOWS:
        return []
    if topology == PARTIAL and (degree < 2 or degree % 2):
        return [
            f"cni_openvswitch_degree {degree}: on a ring every node has as many peers before it as behind "
            "it, and "
            "with fewer than 2 nobody would pass frames on. Fix: use an even number from 2 on."
        ]
    ports = min(degree, count - 1) if topology == PARTIAL else count - 1
    if ports > STP_PORTS:
        return [
            f"{count} nodes in topology {topology} are {ports} tunnels on each, and the spanning tree "
            "protocol of "
            f"Open vSwitch has {STP_PORTS} ports. Fix: use topology flows, or partial with a smaller degree."
        ]
    settings = spanning_tree(count, 0, topology, degree)
    if int(settings["stp-max-age"]) > LARGEST_MAX_AGE:
        return [
            f"cni_openvswitch_degree {degree} puts {hops(count, topology, degree)} tunnels between the "
            "farthest of "
            f"{count} nodes, and the spanning tree protocol does not cover that. Fix: raise it, or use "
            "topology flows."
        ]
    return []
