"""Routes between groups of hosts: one to each other group, and one to each host of one's own.

Works on the plan's `pod_topology`, a list of {name, cidrs, gateways, hosts}, in which a name holds those of
the groups around it: zone-a/rack-1.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

Group = Mapping[str, Any]


class Ways(NamedTuple):
    """What a host needs routes to: other groups as a whole, and hosts of its own, by inventory name."""

    own: Group
    groups: list[Group]
    hosts: list[str]


def parent_of(name: str) -> str:
    """Return the name of the group around a group, nothing for one that is around all."""
    return name.rpartition("/")[0]


def populated(topology: Sequence[Group], nodes: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of groups with pods in them, of those around them too.

    A group that is kept free has no route: nobody would answer behind it.
    """
    found: set[str] = set()
    for group in topology:
        if any(nodes[host]["pod_cidrs"] for host in group["hosts"]):
            name = group["name"]
            while name:
                found.add(name)
                name = parent_of(name)
    return frozenset(found)


def ways_of(
    topology: Sequence[Group], nodes: Mapping[str, Mapping[str, Any]], host: str, used: Collection[str] = ()
) -> Ways | None:
    """Return what the host needs routes to; None for a host that is in no group.

    Those are the groups beside each that it is in, on every level, and the other hosts of its own group.
    used: what populated() returns, to ask for many hosts.
    """
    own = next((group for group in topology if host in group["hosts"]), None)
    if own is None:
        return None
    used = used or populated(topology, nodes)
    around = [own["name"]]
    while parent_of(around[-1]):
        around.append(parent_of(around[-1]))
    levels = {parent_of(name) for name in around}
    groups = [
        group
        for group in topology
        if group["name"] in used and group["name"] not in around and parent_of(group["name"]) in levels
    ]
    hosts = [name for name in own["hosts"] if name != host and nodes[name]["pod_cidrs"]]
    return Ways(own, groups, hosts)
