"""Read Node objects: what `kubectl get nodes -o json` prints becomes networks by node name."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flatnet.errors import FlatnetError
from flatnet.plan.addresses import Family, Network, parse_network
from flatnet.plan.allocations import Entry
from flatnet.plan.findings import Findings
from flatnet.plan.names import is_domain_name

_HOW = "give what `kubectl get nodes -o json` prints"
_WRITE = "have `kubectl get nodes -o json` write it"


def read_existing_nodes(given: object) -> object:
    """Return Node objects as node_networks takes them: text that is not JSON is the path of a file with it.

    Raises FlatnetError, which names the file, when that is no such file, or when there is only an empty
    text: what a kubectl that failed leaves behind would otherwise be a cluster without nodes, and every
    running node would be given another network.
    """
    if not isinstance(given, str):
        return given
    if not given.strip():
        raise FlatnetError("the Node objects are an empty string; give [] if no cluster is to be adopted")
    if given.lstrip()[0] in "{[":
        return given
    path = Path(given).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FlatnetError(f"the Node objects in {path} cannot be read: {error}; {_WRITE}") from None
    if not text.strip():
        raise FlatnetError(f"the Node objects in {path} cannot be read: the file is empty; {_WRITE}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FlatnetError(f"the Node objects in {path} are not JSON: {error}; {_WRITE}") from None


def node_networks(existing_nodes: object, findings: Findings) -> dict[str, Entry]:
    """Return node name -> networks in the order of Node.spec.podCIDRs; a node may have none yet.

    `existing_nodes` is text or data. What is not a Node object becomes a finding.
    """
    running: dict[str, Entry] = {}
    for item in _items(existing_nodes, findings):
        metadata, spec = item.get("metadata"), item.get("spec")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        if item.get("kind", "Node") != "Node":
            value = f"{item['kind']} {name}"
            findings.add("adoption-format", value, "it is not a Node object", _HOW)
            continue
        if not isinstance(name, str) or not is_domain_name(name):
            findings.add("adoption-format", f"a Node object named {name!r}", "no node has such a name", _HOW)
            continue
        if name in running:
            findings.add("adoption-format", name, "there are two Node objects of that name", _HOW)
        spec = spec if isinstance(spec, Mapping) else {}
        listed = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
        running[str(name)] = _entry(str(name), listed, findings)
    return running


def _entry(name: str, listed: object, findings: Findings) -> Entry:
    entry: dict[Family, Network] = {}
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        findings.add("adoption-format", f"{name}: podCIDRs {listed!r}", "they are not a list", _HOW)
        return entry
    for text in listed:
        try:
            network = parse_network(text) if isinstance(text, str) else None
        except FlatnetError as error:
            findings.add("adoption-format", f"{name}: podCIDRs", str(error).partition("; ")[0], _HOW)
            continue
        if network is None:
            findings.add("adoption-format", f"{name}: podCIDRs {text!r}", "it is not text", _HOW)
        else:
            entry[network.family] = network
    return entry


def _items(existing_nodes: object, findings: Findings) -> list[Mapping[str, Any]]:
    data = existing_nodes
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError) as error:
            findings.add("adoption-format", "the Node objects", f"they are not JSON: {error}", _HOW)
            return []
    if isinstance(data, Mapping):
        data = data.get("items") if "items" in data else [data]
    if not isinstance(data, Sequence) or isinstance(data, str):
        findings.add("adoption-format", "the Node objects", "they are not a list", _HOW)
        return []
    wrong = [item for item in data if not isinstance(item, Mapping)]
    if wrong:
        findings.add("adoption-format", f"{wrong[0]!r}", "it is not a Node object", _HOW)
    return [item for item in data if isinstance(item, Mapping)]
