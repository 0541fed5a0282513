"""The report as one HTML page that needs nothing else: no network, no font, no script of others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, Template

from flatnet.contract.schema import titled
from flatnet.plan.addresses import WIDTH, parse_address, parse_network
from flatnet.plan_report.address_map import FamilyMap, family_maps
from flatnet.plan_report.changes import Restart
from flatnet.plan_report.difference import Difference
from flatnet.plan_report.document import Document, plan_document
from flatnet.plan_report.groups import GroupRow, group_rows
from flatnet.plan_report.origins import Origin, flag_origins, value_origins
from flatnet.plan_report.ranges import Surroundings, node_networks, pool_fill
from flatnet.plan_report.topology import Topology, draw_topology
from flatnet.plan_report.words import amount, counted, listed

# Rows that are shown before somebody asks for all: more would only slow the page down.
ROW_LIMIT = 200

_FILES = Path(__file__).with_name("page_files")
_WARNING = re.compile(
    r"\[(?P<rule>[a-z0-9-]+)\] (?P<value>.*?): (?P<reason>.*)\. Fix: (?P<fix>.*)\.", re.DOTALL
)
_COLUMNS = ("Node", "Part", "Addresses", "Pod networks", "Bridge", "Most pods")
_PARTS = {"etcd": "etcd", "kube_control_plane": "control plane", "kube_node": "node"}


class Tile(NamedTuple):
    """One number of the summary."""

    name: str
    value: str
    note: str


class Warned(NamedTuple):
    """A warning taken apart; only `value` when it is in no known form."""

    value: str
    rule: str = ""
    reason: str = ""
    fix: str = ""


class Cell(NamedTuple):
    """A cell of addresses: one a line, and a key that sorts by number."""

    text: str
    key: str


class Row(NamedTuple):
    """One host in the table of nodes."""

    host: str
    name: str
    part: str
    cells: tuple[Cell, ...]
    pods: str


@dataclass(frozen=True)
class Page:
    """Everything that the template shows."""

    title: str
    cluster: str
    lead: str
    tiles: Sequence[Tile]
    parts: Sequence[tuple[str, str, str]]
    warnings: Sequence[Warned]
    difference: Difference
    maps: Sequence[FamilyMap]
    topology: Topology
    groups: Sequence[GroupRow]
    flags: Mapping[str, Sequence[Origin]]
    values: Sequence[Origin]
    columns: Sequence[str]
    nodes: Sequence[Row]
    limit: int = ROW_LIMIT


def page_html(
    plan: Mapping[str, Any],
    difference: Difference,
    warnings: Sequence[str] = (),
    surroundings: Surroundings | None = None,
) -> str:
    """Return the page of a plan, or of its document: the same bytes for the same input.

    `warnings` are the planner's lines. Raises FlatnetError for a network in the input that cannot be read.
    """
    document = plan_document(plan)
    warned = [_warned(line) for line in warnings]
    nodes = _rows(document)
    page = Page(
        title=f"Network plan of {document['cluster_name']}",
        cluster=document["cluster_name"],
        lead=f"{titled(document['backend'])}: {document['backend']['description']}.",
        tiles=_tiles(document),
        parts=_parts(document, difference, warned),
        warnings=warned,
        difference=difference,
        maps=family_maps(document, surroundings or Surroundings()),
        topology=draw_topology(document),
        groups=group_rows(document),
        flags=flag_origins(document),
        values=value_origins(document),
        columns=_COLUMNS,
        nodes=nodes,
    )
    return _template().render(page=page) + "\n"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FILES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["where"] = _where
    return environment.get_template("page.html.j2")


def _where(restart: Restart) -> str:
    count = len(restart.hosts)
    return f"on {listed(restart.hosts)}" if count <= 4 else f"on {counted(count, 'host')}"


def _parts(
    document: Document, difference: Difference, warned: Sequence[Warned]
) -> list[tuple[str, str, str]]:
    parts = [("warnings", "Warnings", str(len(warned)))] if warned else []
    return [
        *parts,
        ("changes", "Changes", str(len(difference.changes) or "")),
        ("map", "Address space", ""),
        ("topology", "Topology", ""),
        ("flags", "Flags", ""),
        ("nodes", "Nodes", f"{len(document['nodes']):,}"),
    ]


def _tiles(document: Document) -> list[Tile]:
    nodes = document["nodes"].values()
    workers = [node for node in nodes if "kube_node" in node["groups"]]
    control = sum(1 for node in nodes if "kube_control_plane" in node["groups"])
    members = sum(1 for node in nodes if "etcd" in node["groups"])
    pods = [_most_pods(document, node) for node in workers]
    overhead = document["underlay_mtu"] - document["mtu"]
    services = [*document["service_cidrs"], *document.get("extra_service_cidrs", ())]
    return [
        Tile(
            "Nodes",
            f"{len(workers):,}",
            f"{counted(control, 'control plane')}, {counted(members, 'etcd member')}",
        ),
        Tile("Pod network", ", ".join(document["pod_cidrs"]), _pod_note(document)),
        Tile("Pods", f"up to {amount(sum(pods))}", _pods_note(pods)),
        Tile(
            "Services",
            ", ".join(services),
            f"{' and '.join(amount(parse_network(text).size) for text in services)} addresses, DNS at "
            + ", ".join(document["dns_addresses"]),
        ),
        Tile(
            "MTU of pods",
            str(document["mtu"]),
            f"{document['underlay_mtu']} between nodes, less {overhead}"
            if overhead
            else "as between the nodes",
        ),
        Tile("kube-proxy", document["kube_proxy_mode"], f"node ports {document['node_port_range']}"),
    ]


def _pod_note(document: Document) -> str:
    if document["backend"]["ipam"] != "plan":
        return f"given out by {document['backend']['name']}"
    notes = []
    for pool in map(parse_network, document["pod_cidrs"]):
        fill = pool_fill(document, pool, node_networks(document, Surroundings(), pool))
        notes.append(f"{amount(fill.used)} of {amount(fill.every)} /{fill.prefix} networks used")
    return "; ".join(notes)


def _most_pods(document: Document, node: Mapping[str, Any]) -> int:
    return int(node.get("max_pods", document["kubelet_configuration"].get("maxPods", 0)))


def _pods_note(pods: Sequence[int]) -> str:
    least, most = min(pods, default=0), max(pods, default=0)
    return f"{most} on a node" if least == most else f"{least} to {most} on a node"


def _warned(line: str) -> Warned:
    match = _WARNING.fullmatch(line)
    return Warned(match["value"], match["rule"], match["reason"], match["fix"]) if match else Warned(line)


def _rows(document: Document) -> list[Row]:
    rows = []
    for host, node in document["nodes"].items():
        part = ", ".join(_PARTS[group] for group in _PARTS if group in node["groups"])
        cells = tuple(_cell(node[key]) for key in ("addresses", "pod_cidrs", "pod_gateways"))
        most = str(_most_pods(document, node)) if "kube_node" in node["groups"] else "-"
        rows.append(Row(host, node["name"], part, cells, most))
    return sorted(rows, key=lambda row: _natural(row.name))


def _cell(texts: Sequence[str]) -> Cell:
    if not texts:
        return Cell("-", "")
    first = parse_address(texts[0].partition("/")[0])
    return Cell("\n".join(texts), f"{first.family} {first.value:0{len(str(1 << WIDTH[first.family]))}}")


def _natural(words: str) -> list[tuple[int, str]]:
    """Return a key that puts node-2 before node-10."""
    return [(int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", words)]
