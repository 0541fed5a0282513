"""Refuse an inventory that is not wholly understood; thin adapter over flatnet.inventory."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.inventory.manager import IGNORED
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible.vars.hostvars import HostVars

from flatnet.errors import FlatnetError
from flatnet.inventory.groups import CLUSTER, cluster_hosts, group_findings
from flatnet.inventory.names import address_findings, name_findings, with_hosts
from flatnet.inventory.sources import source_findings
from flatnet.inventory.state_directory import REPORTS, SETTING, reports_directory, state_directory
from flatnet.inventory.values import Variables, value_findings
from flatnet.inventory.variable_files import file_findings
from flatnet.plan.names import listed_names
from flatnet.plan_report.refusal import has_report, told_refusal
from flatnet.settings import SETTINGS, check_variables, fault_lines, read_settings

ROLES = Path(__file__).resolve().parents[2] / "roles"
WIRING = Path(__file__).resolve().parents[1] / "vars" / "wiring.yml"


class ActionModule(ActionBase):
    """Runs on the controller, once for all hosts: what is cluster-wide is the same for each."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return {settings: every setting by its variable}; the state directory is an absolute path.

        With hosts_required it only looks whether the run is for a host of the cluster, and returns nothing.
        Fails for what is not read, or is meant otherwise, with all of it in one message; warns of variables
        that nothing reads. With reports_replaced, the message takes the place of a former plan.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        validate: Callable[..., tuple[object, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            {
                "hosts_required": {"type": "bool", "default": False},
                "reports_replaced": {"type": "bool", "default": False},
            }
        )
        variables = task_vars or {}
        groups, hostvars = variables["groups"], variables["hostvars"]
        names = cluster_hosts(groups)
        wanted = variables["ansible_play_hosts_all"] if arguments["hosts_required"] else []
        if not frozenset(wanted).isdisjoint(groups.get(CLUSTER, ())):
            return {**result, "changed": False}
        wiring = self._loader.load_from_file(str(WIRING))
        # Without what roles bring, whose defaults the variables of a task have as well.
        hosts = {name: _without_wiring(hostvars.raw_get(name), wiring) for name in names}
        inventory = hostvars._inventory
        settings: dict[str, Any] = {}
        refused = source_findings(
            inventory._sources,
            inventory._inventory.processed_sources,
            lambda name: bool(IGNORED.search(to_bytes(name))),
            Display()._warns,
        )
        refused += file_findings(inventory._sources, groups, inventory.hosts)
        refused += group_findings(groups)
        if hosts:
            refused += self._variables(hosts, wiring, hostvars)
        if not refused:
            settings, refused = self._settings(variables)
        if not refused:
            settings[SETTING], refused = _state_directory(hosts, hostvars)
            reports = reports_directory(settings[REPORTS], Path(settings[SETTING]), settings["cluster_name"])
            settings[REPORTS] = str(reports)
        if refused:
            message = "\n".join(refused)
            if arguments["reports_replaced"] and hosts:
                message += self._told(variables, hosts, hostvars, message)
            raise AnsibleActionFail(message)
        if wanted:
            raise AnsibleActionFail(
                f"this run is for {listed_names(wanted)}, of which none is in {CLUSTER}; "
                f"limit it to hosts of {CLUSTER}"
            )
        return {**result, "changed": False, "settings": settings}

    def _told(
        self, variables: Mapping[str, Any], hosts: Mapping[str, Variables], hostvars: HostVars, message: str
    ) -> str:
        """Put the refusal in the place of a former report, where it can be told which folder has one."""
        try:
            settings, _ = self._settings(variables)
            state, unknown = _state_directory(hosts, hostvars)
        except (AnsibleError, FlatnetError):
            return ""
        if unknown:
            return ""
        cluster = settings["cluster_name"]
        directory = reports_directory(settings[REPORTS], Path(state), cluster)
        return told_refusal(directory, cluster, message) if has_report(directory) else ""

    def _settings(self, variables: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the settings, which are the same for each host, and what is wrong with their values."""
        given = {
            one.variable: self._templar.template(variables[one.variable])
            for one in SETTINGS
            if one.variable in variables
        }
        settings, faults = read_settings(given)
        return dict(settings.data), fault_lines(faults)

    def _variables(
        self, hosts: Mapping[str, Variables], wiring: Mapping[str, Any], hostvars: HostVars
    ) -> list[str]:
        """Return what is to be refused of the hosts' variables; warn of the rest."""
        settings, inputs = {one.variable: one.name for one in SETTINGS}, self._inputs()
        names: set[str] = set().union(*hosts.values())
        findings = check_variables(names, load_extra_vars(self._loader), wiring, inputs)
        others = with_hosts(name_findings(names, settings, inputs), hosts)
        everywhere = {name for name in names & (settings.keys() | inputs) if name.startswith("cluster_")}

        def render(host: str, name: str) -> object:
            return _rendered(hostvars, host, name)

        refused = [*findings.refused, *others, *address_findings(hosts)]
        refused += value_findings(everywhere, hosts, render)
        if refused:
            return [*refused, *findings.unknown]
        for sentence in findings.unknown:
            Display().warning(sentence)
        return []

    def _inputs(self) -> set[str]:
        """Return the inputs of those roles whose names begin as settings do."""
        found: set[str] = set()
        for path in ROLES.glob("cluster_*/meta/argument_specs.yml"):
            for entry in self._loader.load_from_file(str(path))["argument_specs"].values():
                found.update(entry.get("options") or {})
        return found


def _without_wiring(variables: Variables, wiring: Mapping[str, Any]) -> Variables:
    """Return the variables without what an earlier playbook of this run left: wiring and results."""
    if "__cluster_name" not in variables:
        return variables
    left = {name for name in variables if name in wiring or name.endswith("_result")}
    return {name: value for name, value in variables.items() if name not in left}


def _state_directory(hosts: Mapping[str, Variables], hostvars: HostVars) -> tuple[str, list[str]]:
    folders = []
    for host, variables in hosts.items():
        folder, source = variables.get("inventory_dir"), variables.get("inventory_file")
        # A list of hosts in place of a file has the working directory there.
        folders.append((host, Path(str(folder)) if folder and Path(str(source)).exists() else None))
    host, variables = next(iter(hosts.items()))
    # Written out, nothing stands for the place beside the inventory; a lookup that finds nothing does not.
    is_given = variables.get(SETTING, "") != ""
    try:
        given = _rendered(hostvars, host, SETTING) if is_given else ""
        return str(state_directory(given, is_given, folders)), []
    except FlatnetError as error:
        return "", [str(error)]


def _rendered(hostvars: HostVars, host: str, name: str) -> object:
    try:
        return hostvars[host][name]
    except AnsibleError as error:
        raise FlatnetError(f"{name} of {host} cannot be rendered: {error}") from None
