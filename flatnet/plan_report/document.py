"""The plan as a document: what `plan.json` holds, and what everything else in this package works on.

The plan says nothing of routes, which follow from its nodes. The document carries each route once, with the
host whose pods it leads to, for readers that do not derive them: a host with `routed` has all of them but
those to itself. Where the plan has a topology there are none, as one leads to a whole group: they follow from
`pod_topology`. That makes the document of 1,000 nodes half a megabyte instead of sixty. `plan_of` gives the
plan back.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.late_writes import refuse_late_write
from flatnet.plan.addresses import WIDTH, parse_address, parse_network
from flatnet.plan.routes import is_routed, node_routes
from flatnet.plan_report.validity import SCHEMA_PATH, faults, is_of, schema
from flatnet.plan_report.words import listed

__all__ = [
    "SCHEMA_PATH",
    "SCHEMA_VERSION",
    "Document",
    "document_text",
    "family_of",
    "host_of",
    "parse_document",
    "plan_document",
    "plan_of",
    "read_document",
    "routes_of",
    "write_text",
]
SCHEMA_VERSION = 1

Document = dict[str, Any]

# Parts with an entry for every node, whose shape is checked by a quicker way than the schema's.
_LARGE = ("nodes", "routes")
_NODE_LISTS = ("addresses", "groups", "pod_cidrs", "pod_gateways", "tunnel_addresses")


def family_of(text: str) -> str:
    """Return the family of an address or network given as text."""
    return "ipv6" if ":" in text else "ipv4"


def plan_document(plan: Mapping[str, Any]) -> Document:
    """Return the document of a plan, sorted; a document is returned as it is. The input is not changed."""
    if "schema_version" in plan:
        return dict(plan)
    nodes = {
        name: dict(sorted(node.items()))
        | {"routed": is_routed(node["groups"], plan["backend"]["control_plane_routes"])}
        for name, node in sorted(plan["nodes"].items())
    }
    document = {key: value for key, value in plan.items() if key != "nodes"}
    document |= {"nodes": nodes, "routes": _routes(plan), "schema_version": SCHEMA_VERSION}
    return dict(sorted(document.items()))


def _routes(plan: Mapping[str, Any]) -> list[dict[str, str]]:
    if plan["backend"]["routes"] != "plan" or plan.get("pod_topology"):
        return []
    order = {family: index for index, family in enumerate(plan["families"])}
    found = []
    for name, node in plan["nodes"].items():
        addresses = {family_of(address): address for address in node["addresses"]}
        for cidr in node["pod_cidrs"]:
            family = family_of(cidr)
            route = {"destination": cidr, "gateway": addresses[family], "host": name}
            found.append(((order[family], parse_network(cidr)), route))
    return [route for _, route in sorted(found, key=lambda item: item[0])]


def host_of(document: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    """Return the host of this inventory name. Raises FlatnetError when it is not in the plan."""
    nodes: Mapping[str, Mapping[str, Any]] = document["nodes"]
    if host not in nodes:
        raise FlatnetError(f"host {host!r} is not in the plan; it has {listed(sorted(nodes), 10)}")
    return nodes[host]


def routes_of(document: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    """Return the routes that the host of this inventory name has, as the filter node_routes lists them."""
    if not document["nodes"][name]["routed"]:
        return []
    if document.get("pod_topology"):
        return node_routes(document, name)
    return [
        {"destination": route["destination"], "gateway": route["gateway"]}
        for route in document["routes"]
        if route["host"] != name
    ]


def plan_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan that the document was made of."""
    nodes = {
        name: {key: value for key, value in node.items() if key != "routed"}
        for name, node in document["nodes"].items()
    }
    plan = {key: value for key, value in document.items() if key not in ("schema_version", "routes", "nodes")}
    return dict(sorted((plan | {"nodes": nodes}).items()))


def document_text(document: Mapping[str, Any]) -> str:
    """Return the document as JSON text, sorted: the same bytes for the same plan."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def parse_document(text: str, name: str) -> Document:
    """Return the document in the text; `name` is its file, for messages.

    Raises FlatnetError, and nothing else, for text that is not a document of a plan.
    """
    advice = "restore the file from version control, or have it written again"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FlatnetError(f"the plan in {name} is not JSON: {error}; {advice}") from error
    if not isinstance(data, dict):
        raise FlatnetError(f"the plan in {name} is a {type(data).__name__}, not an object; {advice}")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise FlatnetError(
            f"the plan in {name} has schema_version {version!r}, this is made for {SCHEMA_VERSION}; {advice}"
        )
    found = [*faults({key: value for key, value in data.items() if key not in _LARGE}, _schema())]
    found += _large_faults(data)
    found = found or _relation_faults(data)
    if found:
        more = f" and {len(found) - 3} more faults" if len(found) > 3 else ""
        raise FlatnetError(f"the plan in {name} is wrong: {', '.join(found[:3])}{more}; {advice}")
    return data


@cache
def _schema() -> dict[str, Any]:
    whole = schema()
    required = [key for key in whole["required"] if key not in _LARGE]
    return {**whole, "required": required}


def _large_faults(data: Mapping[str, Any]) -> list[str]:
    nodes, routes = data.get("nodes"), data.get("routes")
    if not isinstance(nodes, dict):
        return ["nodes is missing or not an object"]
    found = [fault for host, node in sorted(nodes.items()) for fault in _node_faults(host, node)]
    if not isinstance(routes, list):
        found.append("routes is missing or not an array")
    elif not all(isinstance(one, dict) and _is_route(one) for one in routes):
        found.append("routes has an entry that is none")
    return found


def _relation_faults(data: Mapping[str, Any]) -> list[str]:
    """Return what does not agree in a document whose parts are all right by themselves."""
    families = data["families"]
    found = []
    try:
        pods = [parse_network(text) for text in data["pod_cidrs"]]
        services = [parse_network(text) for text in data["service_cidrs"]]
        for text in data.get("extra_service_cidrs", ()):
            parse_network(text)
        for text in (*data["first_service_addresses"], *data["dns_addresses"]):
            parse_address(text)
    except FlatnetError as error:
        return [str(error).partition(";")[0]]
    if list(dict.fromkeys(network.family for network in pods)) != families:
        found.append("pod_cidrs are not of the families")
    if [network.family for network in services] != families:
        found.append("service_cidrs are not of the families")
    prefixes = dict(zip(families, data["node_prefixes"], strict=False))
    if len(data["node_prefixes"]) != len(families):
        found.append("node_prefixes are not one per family")
    elif not all(
        network.prefix <= prefixes.get(network.family, 0) <= WIDTH[network.family] for network in pods
    ):
        found.append("node_prefixes do not split pod_cidrs")
    found += _topology_faults(data)
    if data["api_endpoint"]["host"] not in data["nodes"]:
        found.append(f"api_endpoint.host {data['api_endpoint']['host']} is no host of the plan")
    if data["mtu"] > data["underlay_mtu"]:
        found.append("mtu is larger than underlay_mtu")
    return found


def _topology_faults(data: Mapping[str, Any]) -> list[str]:
    groups = data.get("pod_topology", ())
    try:
        for text in (text for group in groups for text in group["cidrs"]):
            parse_network(text)
    except FlatnetError as error:
        return [f"pod_topology: {str(error).partition(';')[0]}"]
    strangers = [host for group in groups for host in group["hosts"] if host not in data["nodes"]]
    return [f"pod_topology has {listed(strangers, 3)}, which is no host of the plan"] if strangers else []


def _is_route(route: Mapping[str, Any]) -> bool:
    return all(isinstance(route.get(key), str) for key in ("destination", "gateway", "host"))


def _node_faults(host: str, node: object) -> list[str]:
    if not isinstance(node, dict) or not isinstance(node.get("name"), str):
        return [f"nodes.{host} has no name"]
    found = [
        f"nodes.{host}.{key} is not an array of strings"
        for key in _NODE_LISTS
        if not isinstance(node.get(key), list) or not all(isinstance(item, str) for item in node[key])
    ]
    if found:
        return found
    if not node["addresses"]:
        return [f"nodes.{host}.addresses is empty"]
    if not isinstance(node.get("routed"), bool):
        return [f"nodes.{host}.routed is not a boolean"]
    if not is_of(node.get("max_pods", 1), "integer"):
        return [f"nodes.{host}.max_pods is not an integer"]
    try:
        for text in node["pod_cidrs"]:
            parse_network(text)
        for text in node["addresses"]:
            parse_address(text)
    except FlatnetError as error:
        return [f"nodes.{host}: {str(error).partition(';')[0]}"]
    return []


def read_document(path: Path) -> Document | None:
    """Return the document in the file, None when there is none. Raises FlatnetError for any other fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise FlatnetError(
            f"the plan in {path} cannot be read: {error}; make it a readable JSON file"
        ) from error
    return parse_document(text, str(path))


def write_text(path: Path, text: str) -> bool:
    """Replace the file atomically, with mode 0644, and make its directory. Returns False if it held the text.

    Raises FlatnetError when it cannot be written; the file is then what it was.
    """
    try:
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), 0o644)
            refuse_late_write(path)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FlatnetError(f"{path} cannot be written: {error}; choose a directory that can be") from error
    return True
