"""Groups of hosts, with the part of the pod network that each has, and how many routes that makes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flatnet.plan.group_routes import parent_of, populated
from flatnet.plan_report.words import counted


class GroupRow(NamedTuple):
    """A group in the table of groups."""

    name: str
    networks: Sequence[str]
    gateways: Sequence[str]
    hosts: str
    host_routes: str
    """How many routes to pods each of its hosts has; nothing where it has groups in place of hosts."""
    router_routes: str
    """How many the router has that its hosts are on a link of, and no others."""


def group_rows(document: Mapping[str, Any]) -> list[GroupRow]:
    """Return the groups of a document in their order; none where the plan has no topology."""
    topology: Sequence[Mapping[str, Any]] = document.get("pod_topology", ())
    used, families = populated(topology, document["nodes"]), len(document["families"])
    below: dict[str, int] = {}
    for group in topology:
        parent = parent_of(group["name"])
        below[parent] = below.get(parent, 0) + (group["name"] in used)
    rows = []
    for group in topology:
        name, hosts = group["name"], group["hosts"]
        pods = sum(1 for host in hosts if document["nodes"][host]["pod_cidrs"])
        foreign, at = 0, name
        while at:
            foreign += below[parent_of(at)] - (at in used)
            at = parent_of(at)
        # A host without pods, such as one of the control plane alone, has one more: it has none of its own.
        least, most = (pods - bool(pods) + foreign, pods + foreign if pods < len(hosts) else 0)
        each = str(least * families) if most <= least else f"{least * families} to {most * families}"
        rows.append(
            GroupRow(
                name,
                group["cidrs"],
                group["gateways"],
                ", ".join(hosts[:8]) + (f" and {len(hosts) - 8:,} more" if len(hosts) > 8 else "") or "-",
                each if hosts else "-",
                str((pods + foreign) * families) if hosts else "-",
            )
        )
    return rows


def group_words(document: Mapping[str, Any]) -> str:
    """Return what the routes of a plan with a topology are, as sentences."""
    topology = document["pod_topology"]
    used = populated(topology, document["nodes"])
    top = sum(1 for group in topology if group["name"] in used and not parent_of(group["name"]))
    leaves = sum(1 for group in topology if group["hosts"])
    return (
        f"{counted(leaves, 'group')} of hosts: a host has a route to the pods of each other node of its "
        "group, and one to each other group, on every level, through its group's gateway. A router beside "
        f"all groups needs {counted(top * len(document['families']), 'route')}, one to each at the top."
    )
