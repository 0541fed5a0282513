"""The class host_state: what every node was like before the first probe started.

The calls that connect probes mend some of it, and the next pod that is connected would find it broken again
only after that.
"""

from collections.abc import Callable, Iterator, Mapping

from flatnet.check.facts import Cluster
from flatnet.check.hosts.fault import Fault
from flatnet.check.hosts.node import (
    address_faults,
    bridge_faults,
    forwarding_faults,
    gateway_faults,
    unit_faults,
)
from flatnet.check.hosts.routes import route_faults
from flatnet.check.hosts.services import host_port_faults, service_faults
from flatnet.check.hosts.tunnels import tunnel_faults
from flatnet.check.model import Check, Endpoint, Json, Result, Settings

SUBJECTS = ("units", "address", "forwarding", "pod_gateway", "routes", "tunnels", "services", "host_ports")
_RULES: tuple[Callable[[Cluster, str, Json], Iterator[Fault]], ...] = (
    unit_faults,
    address_faults,
    forwarding_faults,
    bridge_faults,
    gateway_faults,
    route_faults,
    tunnel_faults,
    service_faults,
    host_port_faults,
)
# What a host of the control plane that is no node has as well: it forwards nothing, and serves no pod.
_RULES_OF_ALL = (unit_faults, address_faults, route_faults)


def faults(cluster: Cluster, node: str, state: Json) -> list[Fault]:
    """Return what is wrong with a node, by its state as flatnet.host.probe.state returns it."""
    rules = _RULES if node in cluster.nodes else _RULES_OF_ALL
    return [fault for rule in rules for fault in rule(cluster, node, state)]


def host_checks(
    cluster: Cluster, settings: Settings, states: Mapping[str, Json]
) -> list[tuple[Check, Result]]:
    """Return a check with its result for every subject of every node whose state is known."""
    if settings.classes and "host_state" not in settings.classes:
        return []
    found = []
    for node, state in states.items():
        wrong = faults(cluster, node, state)
        for subject in SUBJECTS:
            mine = [fault for fault in wrong if fault.subject == subject]
            if not mine:
                found.append(_check(cluster, node, subject, None))
            # Each fault is a check of its own, so that each is counted and named.
            for number, one in enumerate(mine, 1):
                found.append(_check(cluster, node, f"{subject}-{number}" if number > 1 else subject, one))
    return found


def _check(cluster: Cluster, node: str, subject: str, fault: Fault | None) -> tuple[Check, Result]:
    address = cluster.node_address(node, cluster.families[0])
    end: Endpoint = {"kind": "node", "node": node, "name": node, "address": address}
    observed = fault.cause if fault else "right"
    check: Check = {
        "id": f"host_state/{subject}/{node}",
        "class": "host_state",
        "family": "",
        "protocol": "none",
        "source": end,
        "target": end,
        "how": {"method": "data", "observed": observed},
        "reads": "text",
        "expected": ["right"],
    }
    result: Result = {
        "id": check["id"],
        "ok": fault is None,
        "observed": observed,
        "expected": ["right"],
        "error": "",
        "detail": "",
        "milliseconds": 0.0,
        "tries": 1,
    }
    return check, result
