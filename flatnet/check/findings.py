"""From checks and what came of them to findings: each with its result, its likely cause and where to look."""

from collections.abc import Iterable, Mapping, Sequence

from flatnet.check.clues import Clues
from flatnet.check.diagnosis import explain
from flatnet.check.facts import Cluster
from flatnet.check.model import Check, Finding, Json, Result


def findings(
    cluster: Cluster,
    checks: Sequence[Check],
    probes: Mapping[str, Json],
    states: Mapping[str, Json] | None = None,
) -> list[Finding]:
    """Return one finding per check, in the order of the checks.

    probes: what each node's run returned ({results, evidence} or the error of a run that did not happen),
    by inventory name. A check without a result failed: nobody made it.
    states: what the nodes were like before the probes started, by inventory name.
    """
    results = _results(probes.values())
    merged = [_merge(check, results.get(check["id"]) or _not_made(check, probes)) for check in checks]
    evidence = {node: probe.get("evidence") or {} for node, probe in probes.items()}
    absent = {node: _absence(node, probe) for node, probe in probes.items() if probe.get("unreachable")}
    explain(merged, Clues.of(cluster, merged, evidence, states, absent))
    return merged


def _results(probes: Iterable[Json]) -> dict[str, Result]:
    return {result["id"]: result for probe in probes for result in probe.get("results") or []}


def _not_made(check: Check, probes: Mapping[str, Json]) -> Result:
    # What the controller sends to a node is made along with that node's own part.
    node = check["source"]["node"] or check["target"]["node"]
    return {
        "id": check["id"],
        "ok": False,
        "observed": "",
        "expected": check["expected"],
        "error": "not made",
        "detail": _absence(node, probes.get(node) or {}),
        "milliseconds": 0.0,
        "tries": 0,
    }


def _absence(node: str, probe: Json) -> str:
    message = str(probe.get("msg") or "it did not take part").removeprefix("Task failed: ").strip()
    return f"{node} did not run its checks: {message}"


def _merge(check: Check, result: Result) -> Finding:
    return {
        "id": check["id"],
        "class": check["class"],
        "family": check["family"],
        "protocol": check["protocol"],
        "source": check["source"],
        "target": check["target"],
        "expected": list(result["expected"]),
        "observed": result["observed"],
        "ok": result["ok"],
        "error": result["error"],
        "detail": result["detail"],
        "milliseconds": result["milliseconds"],
        "tries": result["tries"],
        "cause": "",
        "look": "",
    }
