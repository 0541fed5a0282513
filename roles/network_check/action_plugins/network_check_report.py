"""The action network_check_report: merge what the nodes found, write the reports, show them, and judge."""

import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.color import ANSIBLE_COLOR
from ansible.utils.display import Display

from flatnet.check.cluster_state import cluster_checks
from flatnet.check.facts import cluster_from
from flatnet.check.findings import findings
from flatnet.check.hosts.checks import host_checks
from flatnet.check.matrix import part
from flatnet.check.model import Check, Json, Result, Settings
from flatnet.check.policy.matrix import policy_cluster, policy_part
from flatnet.check.report import Report, build_report, failure_message, json_text, junit_text
from flatnet.check.table import render
from flatnet.errors import FlatnetError

_display = Display()


class ActionModule(ActionBase):
    """Adapter of flatnet.check.report; runs on the controller alone."""

    _VALID_ARGS = frozenset(
        {
            "plan",
            "pods",
            "services",
            "nodes",
            "settings",
            "message",
            "probes",
            "states",
            "trouble",
            "found",
            "policy",
            "directory",
        }
    )
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write network_check.json and network_check.xml, show the tables, fail when a check failed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            report = self._report(self._task.args["probes"])
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None
        path = self._write(report)
        # Ansible knows its terminal; where there is none, it reports fewer columns than the tables need.
        _display.display("\n" + render(report, max(int(_display.columns or 0), 100), colour=ANSIBLE_COLOR))
        if report["failed"]:
            raise AnsibleActionFail(failure_message(report, str(path)))
        result.update(
            changed=False,
            passed=report["passed"],
            failed_checks=0,
            seconds=report["seconds"],
            report=str(path),
        )
        return result

    def _report(self, probes: dict[str, Json]) -> Report:
        arguments = self._task.args
        plan = arguments["plan"]
        cluster = cluster_from(arguments)
        settings = Settings.of(arguments.get("settings") or {})
        checks = [check for node in probes for check in part(cluster, settings, node)]
        for step, results in self._policy_steps().items():
            policy = arguments["policy"]
            policies = policy_cluster(cluster, policy["pods"], policy.get("message") or "")
            checks += [check for node in results for check in policy_part(policies, settings, node, step)]
            probes = {node: _together(probe, results.get(node) or {}) for node, probe in probes.items()}
        # What is decided from objects alone says nothing of the network.
        if not checks and settings.classes != ("network_policies",):
            raise FlatnetError(
                "no check was made, so nothing is proven: the play has none of the nodes to check (--limit), "
                "or network_check_classes leaves nothing to do on them"
            )
        states = {
            node: read["state"] for node, read in (arguments.get("states") or {}).items() if "state" in read
        }
        whole = [
            *host_checks(cluster, settings, states),
            *cluster_checks(
                cluster, settings, arguments.get("found") or [], str(arguments.get("trouble") or "")
            ),
        ]
        began = [float(probe["started"]) for probe in probes.values() if "started" in probe]
        ended = [
            float(probe["started"]) + float(probe["seconds"])
            for probe in probes.values()
            if "started" in probe
        ]
        started = min(began, default=time.time())
        return build_report(
            plan,
            findings(
                cluster,
                # What is wrong with a node stands before what follows from it.
                [*(check for check, _ in whole), *checks],
                {**probes, "": _results(whole)},
                states,
            ),
            {node: probe.get("evidence") or {} for node, probe in probes.items()},
            started,
            max(ended, default=started) - started,
        )

    def _policy_steps(self) -> dict[str, dict[str, Json]]:
        """Return what each node's run of each step returned, {} where no policies were checked."""
        policy = self._task.args.get("policy") or {}
        return {step: dict(results) for step, results in (policy.get("steps") or {}).items()}

    def _write(self, report: Report) -> Path:
        directory = Path(self._task.args["directory"])
        path = directory / "network_check.json"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path.write_text(json_text(report), encoding="utf-8")
            (directory / "network_check.xml").write_text(junit_text(report), encoding="utf-8")
        except OSError as error:
            raise AnsibleActionFail(
                f"the report cannot be written to {directory}: {error}; "
                "set network_check_report_directory to a directory that can"
            ) from error
        return path.resolve()


def _together(probe: Json, later: Json) -> Json:
    """Return a node's run with the results of a later one added; what kept either from running is kept."""
    results = [*(probe.get("results") or []), *(later.get("results") or [])]
    return {**later, **probe, "results": results}


def _results(whole: list[tuple[Check, Result]]) -> Json:
    return {"results": [result for _, result in whole]}
