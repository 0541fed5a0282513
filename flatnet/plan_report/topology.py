"""How the nodes reach each other's pods, as a picture: routes or tunnels; many nodes are drawn in groups."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import cos, hypot, pi, sin, sqrt
from typing import Any, NamedTuple

from flatnet.plan.addresses import parse_network
from flatnet.plan_report.document import Document
from flatnet.plan_report.groups import group_words
from flatnet.plan_report.ranges import covering
from flatnet.plan_report.svg import element, picture, shortened, text, title
from flatnet.plan_report.topology_cards import MOST_CARDS, draw_cards
from flatnet.plan_report.words import counted

_MOST_SINGLE = 24
_MOST_GROUPS = 16
_WIDTH, _HEIGHT = 1120.0, 620.0
_RADII = (390.0, 220.0)


class Group(NamedTuple):
    """Nodes that are drawn as one disc: inventory names, in the order of their pod networks."""

    names: tuple[str, ...]
    label: str
    networks: str


class Topology(NamedTuple):
    """The picture and the sentence under it."""

    markup: str
    words: str


def draw_topology(document: Document) -> Topology:
    """Return the topology of the plan's backend."""
    hosts = {name: node for name, node in document["nodes"].items() if node["routed"]}
    names = sorted(hosts, key=lambda name: (_first_network(hosts[name]), name))
    words = _words(document, len(hosts), len(document["nodes"]) - len(hosts))
    if not hosts:
        return Topology("", words)
    if len(hosts) <= MOST_CARDS:
        return Topology(draw_cards(document, names), words)
    return Topology(_draw_ring(document, group_hosts(hosts, names)), words)


def _first_network(node: Mapping[str, Any]) -> tuple[str, int]:
    if not node["pod_cidrs"]:
        return ("", 0)
    network = parse_network(node["pod_cidrs"][0])
    return (network.family, network.first)


def _words(document: Document, hosts: int, others: int) -> str:
    backend = document["backend"]
    if document.get("pod_topology"):
        words = group_words(document)
    elif backend["routes"] == "plan":
        own = Counter(route["host"] for route in document["routes"])
        routed = [name for name, node in document["nodes"].items() if node["routed"]]
        every = sum(len(document["routes"]) - own[name] for name in routed)
        words = f"{counted(every, 'route')} in all: every host has one to the pods of each other node, "
        words += f"{counted(len(own), 'node')} with pods."
    elif document["underlay_mtu"] > document["mtu"]:
        words = f"{counted(hosts, 'host')} in one tunnel network, every one with every other."
    elif backend["routes"] == "network":
        words = f"{counted(hosts, 'host')}; the network between them holds the routes to pods."
    elif backend["routes"] == "none":
        words = f"{counted(hosts, 'host')}, whose pods are neighbours: there are no routes between them."
    else:
        words = f"{counted(hosts, 'host')}; {backend['name']} makes the routes between them."
    if others:
        words += f" {counted(others, 'host')} without pods or control plane take no part and are not drawn."
    return words


def group_hosts(hosts: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> list[Group]:
    """Return the groups: single nodes while they are few, else runs of a power of two nodes."""
    size = 1
    if len(names) > _MOST_SINGLE:
        while size * _MOST_GROUPS < len(names):
            size *= 2
    chunks = [tuple(names[start : start + size]) for start in range(0, len(names), size)]
    return [Group(chunk, _label(hosts, chunk), _networks(hosts, chunk)) for chunk in chunks]


def _label(hosts: Mapping[str, Mapping[str, Any]], chunk: Sequence[str]) -> str:
    if len(chunk) == 1:
        return str(hosts[chunk[0]]["name"])
    return counted(len(chunk), "node")


def _networks(hosts: Mapping[str, Mapping[str, Any]], chunk: Sequence[str]) -> str:
    """Return the smallest network that holds the first pod networks of the hosts."""
    networks = [parse_network(hosts[name]["pod_cidrs"][0]) for name in chunk if hosts[name]["pod_cidrs"]]
    families = {network.family for network in networks}
    if len(families) != 1:
        return ""
    first, last = min(n.first for n in networks), max(n.last for n in networks)
    return str(covering(networks[0].family, first, last))


def _draw_ring(document: Document, groups: Sequence[Group]) -> str:
    middle = (_WIDTH / 2, _HEIGHT / 2)
    largest = max(len(group.names) for group in groups)
    radius = 11.0 if largest == 1 else 36.0
    angles = [2 * pi * index / len(groups) - pi / 2 for index in range(len(groups))]
    points = [(middle[0] + _RADII[0] * cos(a), middle[1] + _RADII[1] * sin(a)) for a in angles]
    tunnel = document["backend"]["routes"] != "plan" and document["underlay_mtu"] > document["mtu"]
    # The way that carries a link: tunnels are dashed, routes are not.
    way = "links tunnel" if tunnel else "links"
    lines = [
        "".join(f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}" for u, v in points if (u, v) != (x, y)) for x, y in points
    ]
    discs = [
        _disc(document, group, point, (middle, radius, sqrt(len(group.names) / largest)), way, line)
        for group, point, line in zip(groups, points, lines, strict=True)
    ]
    label = f"{counted(len(document['nodes']), 'host')} in a ring, each linked with every other"
    # Every link once underneath; those of a disc again in it, to be shown when it is pointed at.
    links = "".join(f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}" for (x, y), (u, v) in combinations(points, 2))
    base = element("path", d=links, class_=f"{way} all")
    listbox = element("g", *discs, role="listbox", aria_label=label, class_="cells")
    return picture(_WIDTH, _HEIGHT, label, [base, listbox], "ring")


def _disc(
    document: Document,
    group: Group,
    point: tuple[float, float],
    shape: tuple[tuple[float, float], float, float],
    way: str,
    line: str,
) -> str:
    (middle_x, middle_y), largest, share = shape
    radius = max(9.0, largest * share)
    x, y = point
    parts = [title(_detail(document, group)), element("path", d=line, class_=way)]
    parts.append(element("circle", cx=x, cy=y, r=radius, class_="disc"))
    parts += _dots(document, group, point, radius)
    away = hypot((x - middle_x) / _RADII[0], (y - middle_y) / _RADII[1]) or 1.0
    side = (x - middle_x) / _RADII[0] / away
    anchor = "middle" if abs(side) < 0.75 else "start" if side > 0 else "end"
    label_x = x if anchor == "middle" else x + (radius + 8) * (1 if side > 0 else -1)
    label_y = y + 1 if anchor != "middle" else y - radius - 20 if y < middle_y else y + radius + 16
    room = 150.0 if anchor == "middle" else 122.0
    parts.append(text(label_x, label_y, shortened(group.label, room, 12), "name", text_anchor=anchor))
    networks = shortened(group.networks, room, 11, mono=True)
    parts.append(text(label_x, label_y + 14, networks, "cidr", text_anchor=anchor))
    attributes: dict[str, str] = {"class_": "group", "role": "option"}
    if len(group.names) == 1:
        attributes["data_host"] = group.names[0]
    return element("g", *parts, **attributes)


def _dots(document: Document, group: Group, point: tuple[float, float], radius: float) -> list[str]:
    """Return a dot per node, spread like the seeds of a sunflower; control planes stand out."""
    turn = pi * (3 - sqrt(5))
    count = len(group.names)
    dots: dict[str, list[str]] = {"worker": [], "control": []}
    size = min(4.5, 0.62 * radius / sqrt(count)) if count > 1 else 4.5
    for index, name in enumerate(group.names):
        away = (radius - size - 1.5) * sqrt((index + 0.5) / count) if count > 1 else 0.0
        x, y = point[0] + away * cos(index * turn), point[1] + away * sin(index * turn)
        control = "kube_control_plane" in document["nodes"][name]["groups"]
        kind, r = ("control", 1.4 * size) if control else ("worker", size)
        arc = f"a{r:.1f} {r:.1f} 0 1 0"
        dots[kind].append(f"M{x - r:.1f} {y:.1f}{arc} {2 * r:.1f} 0{arc} {-2 * r:.1f} 0")
    return [element("path", d="".join(paths), class_=f"dots {kind}") for kind, paths in dots.items() if paths]


def _detail(document: Document, group: Group) -> str:
    total = len(document["routes"])
    first = group.names[0]
    if len(group.names) == 1:
        node = document["nodes"][first]
        pods = ", ".join(node["pod_cidrs"]) or "none"
        where = f"{node['name']} at {', '.join(node['addresses'])}, pods in {pods}"
        own = sum(1 for route in document["routes"] if route["host"] == first)
        return f"{where}; {counted(total - own, 'route')} to the others" if total else where
    where = f"{group.label}, {first} to {group.names[-1]}, pods in {group.networks}"
    per_host = len(document["families"])
    return f"{where}; each has {counted(total - per_host, 'route')} to the others" if total else where
