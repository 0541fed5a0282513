"""The report of a check: JSON for machines, JUnit XML for CI, and the message of a failure."""

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

from flatnet.check.model import SILENCE, Endpoint, Finding, Json

_SUMMARY = (
    "cluster_name",
    "families",
    "pod_cidrs",
    "service_cidrs",
    "dns_addresses",
    "mtu",
    "kube_proxy_mode",
)


class Cause(TypedDict):
    """A likely cause, where to look, and how many checks it explains."""

    cause: str
    look: str
    checks: int


class Report(TypedDict):
    """The report; `started` is UTC in ISO 8601, `evidence` by inventory name where something failed.

    repeated: how many of those that passed did so only when they were repeated.
    """

    passed: int
    failed: int
    repeated: int
    started: str
    seconds: float
    plan: Json
    causes: list[Cause]
    checks: list[Finding]
    evidence: Mapping[str, Json]


def build_report(
    plan: Mapping[str, Any],
    findings: Sequence[Finding],
    evidence: Mapping[str, Json],
    started: float,
    seconds: float,
) -> Report:
    """Return the report of a run.

    started: seconds since the epoch. seconds: how long the checks took, pods' start not included.
    """
    failed = sum(not finding["ok"] for finding in findings)
    nodes = {
        name: {key: entry.get(key) or [] for key in ("addresses", "pod_cidrs")}
        for name, entry in plan["nodes"].items()
    }
    summary = {key: plan[key] for key in _SUMMARY if key in plan}
    return {
        "passed": len(findings) - failed,
        "failed": failed,
        "repeated": sum(map(needed_repeats, findings)),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds"),
        "seconds": round(seconds, 3),
        "plan": {**summary, "backend": plan["backend"]["name"], "nodes": nodes},
        "causes": _causes(findings),
        "checks": list(findings),
        "evidence": {node: found for node, found in evidence.items() if found},
    }


def needed_repeats(finding: Finding) -> bool:
    """Tell whether a check passed only when it was repeated; an engine may take its time with a policy."""
    return finding["ok"] and finding["tries"] > 1 and finding["class"] != "policy"


def _causes(findings: Sequence[Finding]) -> list[Cause]:
    """Return each cause once, the one that explains most first."""
    failed = [finding for finding in findings if not finding["ok"]]
    looks = {finding["cause"]: finding["look"] for finding in reversed(failed)}
    counted = Counter(finding["cause"] for finding in failed)
    return [{"cause": cause, "look": looks[cause], "checks": count} for cause, count in counted.most_common()]


def json_text(report: Report) -> str:
    """Return the report as JSON text, a check per line: that is greppable, and large clusters have many."""
    rest = {key: value for key, value in report.items() if key != "checks"}
    head = json.dumps(rest, indent=1, sort_keys=True).removesuffix("\n}")
    lines = ",\n".join("  " + json.dumps(check, sort_keys=True) for check in report["checks"])
    return f'{head},\n "checks": [\n{lines}\n ]\n}}\n'


def junit_text(report: Report) -> str:
    """Return the report as JUnit XML: a suite per class, a test case per check, a failure with its cause."""
    root = ET.Element("testsuites", name="network_check")
    _count(root, report["checks"])
    for kind in dict.fromkeys(finding["class"] for finding in report["checks"]):
        mine = [finding for finding in report["checks"] if finding["class"] == kind]
        suite = ET.SubElement(root, "testsuite", name=kind, timestamp=report["started"])
        _count(suite, mine)
        for finding in mine:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=kind,
                name=finding["id"],
                time=f"{finding['milliseconds'] / 1000:.3f}",
            )
            if not finding["ok"]:
                failure = ET.SubElement(case, "failure", message=finding["cause"])
                failure.text = f"{difference(finding)}\nLook at: {finding['look']}"
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"


def _count(element: ET.Element, findings: Sequence[Finding]) -> None:
    element.set("tests", str(len(findings)))
    element.set("failures", str(sum(not finding["ok"] for finding in findings)))
    element.set("time", f"{sum(finding['milliseconds'] for finding in findings) / 1000:.3f}")


def place(endpoint: Endpoint) -> str:
    """Return an end of a check for people: its node, pod or name, and its address."""
    name = endpoint["name"]
    if endpoint["kind"] == "pod":
        name = f"{endpoint['node']}/{name}"
    return f"{name} ({endpoint['address']})" if endpoint["address"] else name


def way(finding: Finding) -> str:
    """Return what a check is about, for people."""
    ends = f"{place(finding['source'])} -> {place(finding['target'])}"
    if finding["protocol"] == "none":
        ends = place(finding["source"])
    elif finding["protocol"] != "http":
        ends += f" over {finding['protocol']}"
    return f"{finding['class']} {ends}"


def difference(finding: Finding) -> str:
    """Return what was expected and what came instead, for people."""
    expected = finding["expected"]
    if promises_silence(expected):
        return _reached(finding)
    shown = " or ".join(expected[:3]) + (f" or {len(expected) - 3} others" if len(expected) > 3 else "")
    observed = finding["observed"] or finding["detail"] or finding["error"]
    tries = f" after {finding['tries']} tries" if finding["tries"] > 1 else ""
    return f"expected {shown or 'an answer'}, observed {observed}{tries}"


def promises_silence(expected: Sequence[str]) -> bool:
    """Tell whether what a check expects is that it gets no answer."""
    return bool(expected) and set(expected) <= set(SILENCE)


def _reached(finding: Finding) -> str:
    """Return what came where nothing should, with the source address that the receiver saw."""
    source, target = place(finding["source"]), place(finding["target"])
    if finding["error"]:
        return f"that nothing comes back is not proven: {finding['detail'] or finding['error']}"
    seen = f", which saw {finding['observed']}" if finding["observed"] else ""
    return f"{source} reached {target}{seen}, which nothing should let it do"


def summary(finding: Finding) -> str:
    """Return way and difference of a failed check, the latter only where the cause does not say it."""
    known = finding["detail"] and finding["detail"] == finding["cause"]
    return way(finding) if known else f"{way(finding)}: {difference(finding)}"


def failure_message(report: Report, where: str) -> str:
    """Return the message with which the play fails: first failures, causes, and where the report is."""
    total = report["passed"] + report["failed"]
    lines = [f"{report['failed']} of {total} checks of the pod network failed."]
    for cause in report["causes"][:5]:
        first = next(finding for finding in report["checks"] if finding["cause"] == cause["cause"])
        more = f" and {cause['checks'] - 1} more" if cause["checks"] > 1 else ""
        lines.append(f"{summary(first)}{more}; {cause['cause']}. Look at: {cause['look']}.")
    hidden = len(report["causes"]) - 5
    if hidden > 0:
        lines.append(f"{hidden} further causes are in the report.")
    return "\n".join([*lines, f"The full report is {where}."])
