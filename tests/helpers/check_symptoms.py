"""Runs of the check on a network that is broken in one way."""

from collections.abc import Callable, Mapping

from check_example import checks, cluster, right

from flatnet.check.facts import Cluster
from flatnet.check.findings import findings
from flatnet.check.model import Check, Finding, Json

# What a broken network does to a check: its result, or None where it still passes.
Symptom = Callable[[Check], Json | None]


def way(destination: str, gateway: str = "", device: str = "eth0", **more: str) -> Json:
    """Return a route as a node's state has it."""
    usual = {"protocol": "boot", "table": "main", "type": "unicast", "scope": "global", "source": ""}
    return {
        **usual,
        "family": "ipv4",
        "destination": destination,
        "gateway": gateway,
        "device": device,
        **more,
    }


ROUTES = {
    f"node-{here}": [
        way("0.0.0.0/0", "192.0.2.1"),
        way(f"10.200.{here}.0/24", device="cni0"),
        *(way(f"10.200.{there}.0/24", f"192.0.2.{11 + there}") for there in range(3) if there != here),
    ]
    for here in range(3)
}


def run(
    symptom: Symptom,
    evidence: Mapping[str, Json] | None = None,
    facts: Cluster | None = None,
    states: Mapping[str, Json] | None = None,
) -> list[Finding]:
    """Return the failures of a run in which the symptom decides, with evidence from every node.

    states: what the nodes were like before.
    """
    facts = facts or cluster()
    everything = checks(facts)
    probes: dict[str, Json] = {
        node: {"results": [], "evidence": {"routes": ROUTES[node], **(evidence or {}).get(node, {})}}
        for node in facts.nodes
    }
    for check in everything:
        node = check["source"]["node"] or check["target"]["node"]
        probes[node]["results"].append(symptom(check) or right(check))
    return [finding for finding in findings(facts, everything, probes, states) if not finding["ok"]]


def causes(failures: list[Finding]) -> set[str]:
    """Return what the failures are laid to."""
    return {finding["cause"] for finding in failures}
