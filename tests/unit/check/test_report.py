import json
import xml.etree.ElementTree as ET
from pathlib import Path

from check_example import checks, cluster, plan, right, wrong

from flatnet.check.findings import findings
from flatnet.check.model import Check, Json
from flatnet.check.report import Report, build_report, failure_message, json_text, junit_text
from flatnet.check.table import render

_STARTED = 1767225600.25  # 2026-01-01T00:00:00.250Z


def _report(nodes: int = 2, *, masqueraded: bool = False) -> Report:
    """Return the report of a run in which, if asked for, node-0 masquerades what its pods send elsewhere."""
    facts = cluster(nodes)
    everything = checks(facts)

    def result(check: Check) -> Json:
        mine = check["class"] == "pod_to_pod_other_node" and check["source"]["node"] == "node-0"
        return wrong(check, observed="192.0.2.11") if masqueraded and mine else right(check)

    probes: dict[str, Json] = {node: {"results": [], "evidence": {}} for node in facts.nodes}
    probes["node-0"]["results"] = [result(check) for check in everything]
    if masqueraded:
        probes["node-0"]["evidence"] = {"masquerade": ["masquerade"]}
    evidence = {node: probe["evidence"] for node, probe in probes.items()}
    return build_report(plan(nodes), findings(facts, everything, probes), evidence, _STARTED, 1.23456)


def test_the_report_counts_sums_up_the_plan_and_keeps_evidence_where_something_failed() -> None:
    report = _report(masqueraded=True)
    assert (report["passed"], report["failed"]) == (len(checks(cluster(2))) - 2, 2)
    assert (report["started"], report["seconds"]) == ("2026-01-01T00:00:00.250+00:00", 1.235)
    assert report["evidence"] == {"node-0": {"masquerade": ["masquerade"]}}
    assert report["causes"] == [
        {
            "cause": "traffic is masqueraded on the way by node-0, whose node address it gets",
            "look": "nat postrouting on node-0 (nft list ruleset); rules that masquerade there: masquerade",
            "checks": 2,
        }
    ]
    assert report["plan"] == {
        "backend": "kubenet",
        "cluster_name": "example",
        "dns_addresses": ["10.32.0.10"],
        "families": ["ipv4"],
        "kube_proxy_mode": "iptables",
        "mtu": 1450,
        "nodes": {
            "node-0": {"addresses": ["192.0.2.11"], "pod_cidrs": ["10.200.0.0/24"]},
            "node-1": {"addresses": ["192.0.2.12"], "pod_cidrs": ["10.200.1.0/24"]},
        },
        "pod_cidrs": ["10.200.0.0/16"],
        "service_cidrs": ["10.32.0.0/24"],
    }


def test_the_json_is_the_report_with_every_check_in_full() -> None:
    report = _report(masqueraded=True)
    loaded = json.loads(json_text(report))
    assert len([line for line in json_text(report).splitlines() if '"class": ' in line]) == len(
        report["checks"]
    )
    assert loaded == report
    failed = [check for check in loaded["checks"] if not check["ok"]]
    assert failed[0] == {
        "id": "pod_to_pod_other_node/ipv4/http/node-0:client-0->node-1:server-1",
        "class": "pod_to_pod_other_node",
        "family": "ipv4",
        "protocol": "http",
        "source": {"kind": "pod", "node": "node-0", "name": "client-0", "address": "10.200.0.11"},
        "target": {"kind": "pod", "node": "node-1", "name": "server-1", "address": "10.200.1.10"},
        "expected": ["10.200.0.11"],
        "observed": "192.0.2.11",
        "ok": False,
        "error": "",
        "detail": "",
        "milliseconds": 2.0,
        "tries": 5,
        "cause": report["causes"][0]["cause"],
        "look": report["causes"][0]["look"],
    }


def test_the_junit_report_has_a_case_per_check_and_a_failure_with_its_cause(tmp_path: Path) -> None:
    report = _report(masqueraded=True)
    path = tmp_path / "network_check.xml"
    path.write_text(junit_text(report), encoding="utf-8")
    root = ET.ElementTree(file=path).getroot()
    assert root is not None
    total = report["passed"] + report["failed"]
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", str(total), "2")
    assert len(root.findall("testsuite/testcase")) == total
    suite = root.find("testsuite[@name='pod_to_pod_other_node']")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("4", "2", "0.008")
    failures = root.findall("testsuite/testcase/failure")
    assert {failure.get("message") for failure in failures} == {report["causes"][0]["cause"]}
    assert failures[0].text == (
        "expected 10.200.0.11, observed 192.0.2.11 after 5 tries\n"
        "Look at: nat postrouting on node-0 (nft list ruleset); rules that masquerade there: masquerade"
    )


def test_the_failure_names_source_target_and_cause() -> None:
    report = _report(masqueraded=True)
    assert failure_message(report, "/reports/network_check.json") == (
        f"2 of {report['passed'] + 2} checks of the pod network failed.\n"
        "pod_to_pod_other_node node-0/client-0 (10.200.0.11) -> node-1/server-1 (10.200.1.10): "
        "expected 10.200.0.11, observed 192.0.2.11 after 5 tries and 1 more; "
        "traffic is masqueraded on the way by node-0, whose node address it gets. "
        "Look at: nat postrouting on node-0 (nft list ruleset); rules that masquerade there: masquerade.\n"
        "The full report is /reports/network_check.json."
    )


def test_the_failure_stays_short_when_everything_fails() -> None:
    facts = cluster(9)
    everything = checks(facts)
    probes = {node: {"msg": f"{node} is gone"} for node in facts.nodes}
    report = build_report(plan(9), findings(facts, everything, probes), {}, _STARTED, 1)
    lines = failure_message(report, "r.json").splitlines()
    assert len(lines) == 8
    assert lines[1].startswith(
        "planned_address node-0/server-0 (10.200.0.10) and 115 more; node-0 did not run"
    )
    assert lines[6] == "4 further causes are in the report."


def test_the_tables_show_each_class_and_each_pair_of_nodes() -> None:
    lines = [line.split() for line in render(_report(3), 100, colour=False).splitlines()]
    assert ["pod_to_pod_other_node", "12/12", "-", "-", "2", "ms"] in lines
    assert ["node-0", "node-1", "node-2", "services"] in lines
    assert ["node-1", "11", "15", "11", "11"] in lines
    assert ["controller", "2", "2", "2"] in lines
    assert lines[-1][-3:] == ["in", "1.2", "s"]


def test_a_failure_is_shown_with_its_cause_and_at_its_pair() -> None:
    text = render(_report(masqueraded=True), 200, colour=False)
    lines = [line.strip() for line in text.splitlines()]
    assert "traffic is masqueraded on the way by node-0, whose node address it gets (2 checks)" in lines
    assert (
        "pod_to_pod_other_node node-0/client-0 (10.200.0.11) -> node-1/server-1 (10.200.1.10) over udp: "
        "expected 10.200.0.11, observed 192.0.2.11 after 5 tries"
    ) in lines
    assert ["node-0", "15", "9/11", "11"] in [line.split() for line in lines]


def test_what_passed_only_when_repeated_is_not_green() -> None:
    report = _report(3)
    report["checks"][0]["tries"] = 3
    again = build_report(plan(3), report["checks"], {}, _STARTED, 1.2)
    assert (again["failed"], again["repeated"]) == (0, 1)
    last = render(again, 100, colour=True).splitlines()[-1]
    assert "checks passed, 1 of them only when repeated" in last
    assert "\x1b[33m" in last
    assert "\x1b[32m" in render(report, 100, colour=True).splitlines()[-1]


def test_colour_is_used_only_when_asked_for_and_no_line_is_wider_than_the_terminal() -> None:
    report = _report(masqueraded=True)
    plain = render(report, 80, colour=False)
    assert "\x1b" not in plain
    assert "\x1b[31m" in render(report, 80, colour=True)
    assert max(len(line) for line in plain.splitlines()) <= 80


def test_a_matrix_too_wide_for_a_terminal_shows_only_the_nodes_with_failures() -> None:
    text = render(_report(14, masqueraded=True), 100, colour=False)
    rows = [line.split() for line in text.splitlines() if line.strip().startswith("node-")]
    assert rows == [[f"node-{index}" for index in range(1, 9)], ["node-0", *["9/11"] * 8]]
    assert max(len(line) for line in text.splitlines()) <= 100


def test_a_terminal_is_not_flooded_with_causes() -> None:
    facts = cluster(14)
    everything = checks(facts)
    probes = {node: {"msg": f"{node} is gone"} for node in facts.nodes}
    report = build_report(plan(14), findings(facts, everything, probes), {}, _STARTED, 1)
    lines = render(report, 100, colour=False).splitlines()
    assert len([line for line in lines if "did not run its checks" in line]) == 12
    assert lines[-2] == "2 further causes are in the report."
