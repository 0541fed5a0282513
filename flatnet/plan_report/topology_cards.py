"""A few hosts as cards on the network between them, with their routes or their tunnel."""

from collections.abc import Sequence

from flatnet.contract.schema import titled
from flatnet.plan_report.document import Document, routes_of
from flatnet.plan_report.svg import element, picture, shortened, text, title
from flatnet.plan_report.words import port_words

MOST_CARDS = 8

_WIDTH = 1120.0
_GAP = 20.0
_LINE = 17.0
_MOST_LINES = 5
_BUS = 54.0


def draw_cards(document: Document, names: Sequence[str]) -> str:
    """Return the hosts as cards in one row, or above and below the network when they are more than four."""
    per_row = len(names) if len(names) <= 4 else -(-len(names) // 2)
    rows = [names[:per_row], names[per_row:]]
    width = min(340.0, (_WIDTH - _GAP * (per_row - 1)) / per_row)
    height = max(_height(document, name) for name in names)
    tunnel = _tunnel(document)
    first_bus = height + 34
    total = first_bus + (2 if tunnel else 1) * _BUS - 20 + (height + 34 if rows[1] else 0)
    buses, words = _draw_buses(document, first_bus, tunnel)
    cards = []
    for index, row in enumerate(rows):
        left = (_WIDTH - len(row) * width - (len(row) - 1) * _GAP) / 2
        top = 1.0 if index == 0 else total - height - 1
        for position, name in enumerate(row):
            x = left + position * (width + _GAP)
            cards.append(_card(document, name, (x, top, width, height), first_bus, index == 0))
    label = f"{len(names)} hosts on the network between them"
    listbox = element("g", *cards, role="listbox", aria_label=label, class_="cells")
    return picture(_WIDTH, total + 1, label, [*buses, listbox, *words], "cards")


def _tunnel(document: Document) -> str:
    """Return what the tunnel is, as words; nothing for a backend without one."""
    backend = document["backend"]
    if backend["routes"] == "plan" or document["underlay_mtu"] <= document["mtu"]:
        return ""
    ports = [port_words(port).upper().replace(" ", " port ") for port in backend["ports"]]
    over = f": {', '.join(ports)}" if ports else ""
    return f"Tunnel of {titled(backend)}{over}; MTU of pods {document['mtu']}"


def _draw_buses(document: Document, y: float, tunnel: str) -> tuple[list[str], list[str]]:
    """Return the lines, and the words that belong on top of everything."""
    words = f"Network between the nodes; MTU {document['underlay_mtu']}"
    if not tunnel and document["backend"]["routes"] in ("plan", "network"):
        words += ", for pods too: their packets travel as they are"
    lines = [("bus", words)] if not tunnel else [("bus tunnel", tunnel), ("bus", words)]
    buses = [
        element("path", d=f"M0 {y + index * _BUS:.1f}H{_WIDTH:.1f}", class_=class_)
        for index, (class_, _) in enumerate(lines)
    ]
    return buses, [
        text(4, y + index * _BUS + 19, label, "note halo") for index, (_, label) in enumerate(lines)
    ]


def _lines(document: Document, name: str) -> list[tuple[str, str]]:
    """Return what a card says under its name, as (kind, words)."""
    node = document["nodes"][name]
    lines = [("key", "address"), *(("value", address) for address in node["addresses"])]
    lines.append(("key", "pods" if node["pod_cidrs"] else "no pods"))
    lines += [("value", cidr) for cidr in node["pod_cidrs"]]
    if node["pod_gateways"]:
        lines.append(("key", "bridge"))
        lines += [("value", gateway) for gateway in node["pod_gateways"]]
    routes = routes_of(document, name)
    if routes:
        lines.append(("key", "routes"))
        shown = routes if len(routes) <= _MOST_LINES else routes[: _MOST_LINES - 1]
        lines += [("value", f"{route['destination']} via {route['gateway']}") for route in shown]
        if len(routes) > len(shown):
            lines.append(("value", f"and {len(routes) - len(shown)} more"))
    elif _tunnel(document) and node["tunnel_addresses"]:
        lines.append(("key", "tunnel address"))
        lines += [("value", address) for address in node["tunnel_addresses"]]
    return lines


def _height(document: Document, name: str) -> float:
    return 62 + _LINE * len(_lines(document, name)) + 4


def _card(
    document: Document, name: str, box: tuple[float, float, float, float], bus: float, above: bool
) -> str:
    x, y, width, height = box
    node = document["nodes"][name]
    lines = _lines(document, name)
    control = "kube_control_plane" in node["groups"]
    parts = [title(_detail(document, name))]
    parts += _wires(document, box, bus, above)
    parts.append(element("rect", x=x, y=y, width=width, height=height, rx=8, class_="card"))
    parts.append(
        element("rect", x=x, y=y, width=width, height=6, rx=3, class_="control" if control else "worker")
    )
    parts.append(text(x + 14, y + 30, shortened(node["name"], width - 28, 14), "name"))
    role = ", ".join(group.removeprefix("kube_").replace("_", " ") for group in node["groups"])
    parts.append(text(x + 14, y + 46, role, "note"))
    at = y + 68
    for kind, words in lines:
        size, indent = (11, 14.0) if kind == "key" else (12, 24.0)
        fitting = shortened(words, width - indent - 8, size, mono=kind == "value")
        parts.append(text(x + indent, at, fitting, "note" if kind == "key" else "net"))
        at += _LINE
    return element("g", *parts, class_="group", role="option", data_host=name)


def _wires(document: Document, box: tuple[float, float, float, float], bus: float, above: bool) -> list[str]:
    """Return the lines from a card to the network, and to the tunnel where there is one."""
    x, y, width, height = box
    edge = y + height if above else y
    tunnel = _tunnel(document)
    network = bus + _BUS if tunnel else bus
    ends = [("wire", x + width / 2, network)]
    if tunnel:
        ends.append(("wire tunnel", x + width / 2 + 26, bus))
    return [
        part
        for class_, at, end in ends
        for part in (
            element("path", d=f"M{at:.1f} {edge:.1f}V{end:.1f}", class_=class_),
            element("circle", cx=at, cy=end, r=4, class_=f"{class_} end"),
        )
    ]


def _detail(document: Document, name: str) -> str:
    node = document["nodes"][name]
    pods = ", ".join(node["pod_cidrs"]) or "none"
    return f"{node['name']} at {', '.join(node['addresses'])}, pods in {pods}"
