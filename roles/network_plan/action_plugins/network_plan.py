"""Plan the network of all hosts at once, on the controller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible.vars.hostvars import HostVars

try:
    from flatnet.contract import Contracts, find_contracts
    from flatnet.errors import FlatnetError
    from flatnet.inventory.groups import CLUSTER, PARTS, cluster_hosts, group_findings
    from flatnet.inventory.names import HOST_VARIABLES
    from flatnet.inventory.values import followed, is_template
    from flatnet.plan.allocations import Allocations
    from flatnet.plan.ledger import Ledger, open_ledger
    from flatnet.plan.node_objects import read_existing_nodes
    from flatnet.plan.planner import Planned, plan_from_data
    from flatnet.plan.table import plan_table
    from flatnet.plan_report import read_document
    from flatnet.plan_report.refusal import told_refusal
    from flatnet.remote.roles import roles_paths
    from flatnet.settings import read_settings
    from flatnet.switch.ends import End
    from flatnet.switch.progress import read_progress
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python package flatnet is not in the environment that runs Ansible ({error}); "
        "install it there with: pip install -e <the directory of ansible.cfg>"
    ) from None

# Texts of more characters than a few hundred nodes have are not handed to Ansible to be compared.
COMPARED_LENGTH = 32_768


class ActionModule(ActionBase):
    """Adapter: inventory -> flatnet.plan -> `plan`; writes the allocations file unless in check mode."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return {plan, findings, leaving, changed, diff, warnings}.

        `findings` are the planner's warnings; `leaving` is what the backends that a switch takes off make:
        directories and routing tables. changed and diff are those of the allocations file, and nothing when
        it is not to be written.
        """
        super().run(tmp, task_vars)
        validate: Callable[..., tuple[Any, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            argument_spec={
                "settings": {"type": "dict", "required": True},
                "allocations_path": {"type": "path", "required": True},
                "record_enabled": {"type": "bool", "default": True},
                "facts": {"type": "str", "default": "flatnet_facts"},
                "deployed_path": {"type": "path", "default": ""},
                "switch_path": {"type": "path", "default": ""},
                "switch_enabled": {"type": "bool", "default": False},
                "table_enabled": {"type": "bool", "default": False},
                "reports_path": {"type": "path", "default": ""},
            }
        )
        try:
            return self._plan(arguments, task_vars or {})
        except FlatnetError as error:
            message = str(error)
            if arguments["reports_path"]:
                cluster = str(arguments["settings"].get("cluster_name", ""))
                message += told_refusal(Path(arguments["reports_path"]), cluster, message)
            # Without the cause: ansible-core would print the message again for it.
            raise AnsibleActionFail(message) from None

    def _plan(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        contracts = find_contracts(roles_paths(self._loader))
        # What is wrong with them is told with everything else, by plan_from_data.
        settings = read_settings(arguments["settings"])[0]
        hosts = inventory_hosts(
            task_vars["groups"], task_vars["hostvars"], arguments["facts"], Templar(self._loader)
        )
        path = arguments["deployed_path"]
        deployed = contracts.with_known_mode(read_document(Path(path))) if path else None
        ends = self._ends(arguments, deployed)
        leaving = None if ends is None else [contracts.backend(name).all_makes() for name in _backends(ends)]
        with open_ledger(Path(arguments["allocations_path"])) as ledger:
            planned: Planned = plan_from_data(
                arguments["settings"],
                hosts,
                contracts,
                ledger.allocations,
                deployed,
                read_existing_nodes(settings.existing_nodes),
                leaving,
            )
            text = ledger.text_after(planned.allocations)
            changed = arguments["record_enabled"] and text != ledger.before
            diff = shown_change(ledger, planned.allocations, text) if changed and self._task.diff else None
            if changed and not self._task.check_mode:
                ledger.write(text)
        if arguments["table_enabled"]:
            self._display.display(plan_table(planned.plan))
        result: dict[str, Any] = {
            "plan": planned.plan,
            "findings": planned.warnings,
            "leaving": {
                "directories": [path for makes in leaving or () for path in makes.directories],
                "tables": [str(rule.table) for makes in leaving or () for rule in makes.rules if rule.table],
                "programs": programs_of(ends or (), contracts),
            },
            "changed": changed,
            "recorded": text == ledger.before,
        }
        if planned.warnings:
            result["warnings"] = planned.warnings
        if diff:
            result["diff"] = [diff]
        return result

    def _ends(self, arguments: Mapping[str, Any], deployed: Mapping[str, Any] | None) -> list[End] | None:
        """Return the ends of a switch, what is deployed among them; None where the run is no switch.

        Raises FlatnetError where it is none and one has not ended.
        """
        path = arguments["switch_path"]
        progress = read_progress(Path(path)) if path else None
        if not arguments["switch_enabled"]:
            if progress is not None:
                raise FlatnetError(progress.explained())
            return None
        ends = [progress.before, progress.after] if progress else []
        return [*ends, *([End.of_plan(deployed)] if deployed else [])]


def _backends(ends: Iterable[End]) -> list[str]:
    return list(dict.fromkeys(end.backend for end in ends))


def programs_of(ends: Iterable[End], contracts: Contracts) -> dict[str, list[str]]:
    """Return {group: names} of the programs that the backends of a switch's ends need.

    Pods that hang on the old network are made and taken off it by its plugins until the end.
    """
    needed: dict[str, set[str]] = {}
    for end in ends:
        for group, names in contracts.backend(end.backend).in_mode(end.mode).needs.programs.items():
            needed.setdefault(group, set()).update(names)
    return {group: sorted(names) for group, names in sorted(needed.items())}


def shown_change(ledger: Ledger, allocations: Allocations, after: str) -> dict[str, str]:
    """Return the change for Ansible to show: both texts, which it compares, or the changed lines."""
    before, path = ledger.before, str(ledger.path)
    if max(len(before), len(after)) > COMPARED_LENGTH:
        return {"prepared": ledger.diff(allocations) + "\n"}
    return {"before": before, "after": after, "before_header": path, "after_header": path}


def inventory_hosts(
    groups: Mapping[str, list[str]], hostvars: HostVars, facts: str, templar: Templar
) -> list[dict[str, Any]]:
    """Return the planner's hosts: every host of the cluster, whatever the play is limited to.

    A host of one of its groups that is not in the cluster is among them; the plan refuses it by name.
    """
    cluster = frozenset(groups.get(CLUSTER, ()))
    members = {part: frozenset(groups.get(part, ())) for part in PARTS}
    hosts = cluster_hosts(groups)
    if not hosts:
        raise FlatnetError("\n".join(group_findings(groups)))
    return [_host(name, hostvars, cluster, members, facts, templar) for name in hosts]


def _host(
    name: str,
    hostvars: HostVars,
    cluster: frozenset[str],
    members: Mapping[str, frozenset[str]],
    facts: str,
    templar: Templar,
) -> dict[str, Any]:
    variables = _variables(name, hostvars, facts, templar)
    addresses = variables.get("node_addresses") or variables.get("node_address")
    return {
        "inventory_name": str(name),
        "node_name": variables.get("node_name"),
        "addresses": addresses or variables.get("ansible_host") or str(name),
        "groups": [group for group, names in members.items() if name in names],
        "is_in_cluster": name in cluster,
        "pod_cidr": variables.get("pod_cidr"),
        "pod_prefix": variables.get("pod_prefix"),
        "max_pods": variables.get("max_pods"),
        "facts": variables.get(facts),
    }


def _variables(name: str, hostvars: HostVars, facts: str, templar: Templar) -> Mapping[str, Any]:
    """Return those of a host's variables that are read, rendered.

    With one templar for all hosts, and only for templates: hostvars[name] makes one for each host.
    """
    # A marker of what is undefined only stands for a host that is not there.
    raw = cast(dict[str, Any], hostvars.raw_get(name))
    found = {key: followed(raw[key], raw) for key in (*HOST_VARIABLES, "ansible_host", facts) if key in raw}
    templates = {key: value for key, value in found.items() if is_template(value)}
    if templates:
        templar.available_variables = raw
    for key, value in templates.items():
        try:
            found[key] = templar.template(value)
        except AnsibleError as error:
            raise FlatnetError(f"{key} of {name} cannot be rendered: {error}") from None
    return found
