"""What keys of a contract demand of each other, once they are merged. Each rule yields (place, fault)."""

from collections.abc import Callable, Iterator

from flatnet.contract.faults import Faults
from flatnet.contract.kinds import Json
from flatnet.contract.schema import FAMILIES, PLANNED_SOURCES


def _routes_of_the_plan(data: Json) -> Iterator[tuple[str, str]]:
    if data["ipam"] == "backend" and data["routes"] in ("plan", "network"):
        yield "routes", "the plan knows no pod network of a node with ipam: backend; use backend or none"


def _sources_of_the_plan(data: Json) -> Iterator[tuple[str, str]]:
    for connection, value in data["check"].items() if data["ipam"] == "backend" else ():
        for source in value if isinstance(value, list) else [value]:
            if source in PLANNED_SOURCES:
                fault = f"the plan knows no {source} with ipam: backend; use node_address or device:NAME"
                yield f"check.{connection}", fault


def _several_networks(data: Json) -> Iterator[tuple[str, str]]:
    if data["several_pod_cidrs"] and data["ipam"] == "backend":
        fault = "with ipam: backend kube-proxy would know a node's own pods by nothing; leave it out"
        yield "several_pod_cidrs", fault


def _parts_of_groups(data: Json) -> Iterator[tuple[str, str]]:
    if data["allocation"] == "grouped":
        if data["ipam"] == "backend":
            yield "allocation", "the plan gives out no networks with ipam: backend; leave it out"
        if data["several_pod_cidrs"]:
            yield "several_pod_cidrs", "groups have parts of one pod network a family; leave it out"


def _order_of_families(data: Json) -> Iterator[tuple[str, str]]:
    # Tables and messages tell them in one order, whatever the contract's.
    ordered = [family for family in FAMILIES if family in data["families"]]
    if ordered != data["families"]:
        yield "families", f"write them as {', '.join(ordered)}"


def _numbers_of_options(data: Json) -> Iterator[tuple[str, str]]:
    for name, option in data["options"].items():
        if not option["least"] <= option["default"] <= option["most"]:
            fault = f"its default {option['default']} is not from {option['least']} to {option['most']}"
            yield f"options.{name}", fault
    for index, port in enumerate(data["ports"]):
        name = port.get("option")
        if name is not None and data["options"].get(name, {}).get("default") != port.get("port"):
            fault = f"{name} is no option whose default is {port.get('port')}; declare it under options"
            yield f"ports[{index}].option", fault


BACKEND_RULES: tuple[Callable[[Json], Iterator[tuple[str, str]]], ...] = (
    _routes_of_the_plan,
    _sources_of_the_plan,
    _several_networks,
    _parts_of_groups,
    _order_of_families,
    _numbers_of_options,
)


def check_backend(data: Json, faults: Faults) -> None:
    """Note every rule that a complete backend contract breaks."""
    for rule in BACKEND_RULES:
        for place, fault in rule(data):
            faults.add(place, fault)
