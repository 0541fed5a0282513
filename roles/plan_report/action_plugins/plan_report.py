"""Report on a plan, on the controller: print what it changes, write page and data, or record it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from flatnet.contract import find_contracts
    from flatnet.errors import FlatnetError
    from flatnet.plan.ledger import parse_ledger
    from flatnet.plan_report import (
        Surroundings,
        difference_table,
        document_text,
        page_html,
        plan_difference,
        plan_document,
        read_document,
        write_text,
    )
    from flatnet.plan_report.address_map import capacity_lines
    from flatnet.plan_report.document import Document
    from flatnet.plan_report.installers import node_objects, plain_flags, service_objects
    from flatnet.plan_report.kubeadm import kubeadm_configuration
    from flatnet.remote.roles import roles_paths
    from flatnet.state.applied import forget_all
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python package flatnet is not in the environment that runs Ansible ({error}); "
        "install it there with: pip install -e <the directory of ansible.cfg>"
    ) from error

Json: TypeAlias = Any

# Format -> (file name, text of the document alone); html needs more than the document.
FORMATS: Mapping[str, tuple[str, Callable[[Document], str]]] = {
    "json": ("plan.json", document_text),
    "kubeadm": ("kubeadm.yaml", kubeadm_configuration),
    "flags": ("flags.txt", plain_flags),
    "nodes": ("nodes.yaml", node_objects),
    "services": ("services.yaml", service_objects),
}
PAGE = "plan.html"


class ActionModule(ActionBase):
    """Adapter of flatnet.plan_report; no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what changes (`summary`, `restarts`) and the `files`; or, recording, `changed`."""
        super().run(tmp, task_vars)
        validate: Callable[..., tuple[Any, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            argument_spec={
                "plan": {"type": "dict", "required": True},
                "deployed_path": {"type": "path", "required": True},
                "record_enabled": {"type": "bool", "default": False},
                "allowed_changes": {"type": "list", "elements": "str", "default": []},
                "warnings": {"type": "list", "elements": "str", "default": []},
                "excluded_cidrs": {"type": "list", "elements": "str", "default": []},
                "host_cidrs": {"type": "list", "elements": "str", "default": []},
                "tunnel_cidrs": {"type": "list", "elements": "str", "default": []},
                "allocations_path": {"type": "path", "default": ""},
                "directory": {"type": "path", "default": ""},
                "formats": {
                    "type": "list",
                    "elements": "str",
                    "choices": ["html", *FORMATS],
                    "default": ["html", "json"],
                },
                "table_enabled": {"type": "bool", "default": True},
            }
        )
        try:
            document = plain(plan_document(arguments["plan"]))
            if arguments["record_enabled"]:
                return self._record(document, Path(arguments["deployed_path"]), task_vars or {})
            return self._report(document, arguments)
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from error

    def _report(self, document: Document, arguments: Mapping[str, Any]) -> dict[str, Any]:
        deployed_path = Path(arguments["deployed_path"])
        allowed = tuple(map(str, arguments["allowed_changes"]))
        deployed = find_contracts(roles_paths(self._loader)).with_known_mode(read_document(deployed_path))
        difference = plan_difference(deployed, document, allowed)
        around = Surroundings(
            excluded=tuple(map(str, arguments["excluded_cidrs"])),
            hosts=tuple(map(str, arguments["host_cidrs"])),
            tunnels=tuple(map(str, arguments["tunnel_cidrs"])),
            removed=removed_networks(arguments["allocations_path"]),
        )
        texts = {name: make(document) for key, (name, make) in FORMATS.items() if key in arguments["formats"]}
        if "html" in arguments["formats"]:
            warnings = tuple(map(str, arguments["warnings"]))
            texts[PAGE] = page_html(document, difference, warnings, around)
        files = [Path(arguments["directory"]) / name for name in sorted(texts)]
        warnings_of_files = []
        try:
            for path in files:
                write_text(path, texts[path.name])
        except FlatnetError as error:
            # Who may not write there wants to see the plan all the same; nothing rests on the files.
            warnings_of_files.append(f"the reports are not written: {error}")
            files = []
        if arguments["table_enabled"]:
            self._show(capacity_lines(document, around), difference_table(difference), files)
        return {
            "changed": False,
            "summary": difference.summary,
            "restarts": {restart.unit: list(restart.hosts) for restart in difference.restarts},
            "files": [str(path) for path in files],
            **({"warnings": warnings_of_files} if warnings_of_files else {}),
        }

    def _show(self, capacity: Sequence[str], table: str, files: Sequence[Path]) -> None:
        parts = ["\n".join(capacity), table]
        if files:
            parts.append("\n".join(f"Written: {path.resolve()}" for path in files))
        self._display.display("\n" + "\n\n".join(parts))

    def _record(self, document: Document, path: Path, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Record the plan as deployed, if this run was for every host of it.

        What a look at the hosts has found is dropped: plays of others may follow, and change them.
        """
        forget_all(Path(vars(constants)["DEFAULT_LOCAL_TMP"]))
        missing = sorted(set(document["nodes"]) - set(task_vars.get("ansible_play_hosts", ())))
        if missing:
            return {
                "changed": False,
                "warnings": [
                    f"the plan is not recorded as deployed: this run was not for {', '.join(missing[:3])}"
                    f"{' and others' if len(missing) > 3 else ''}; the next run for all hosts records it"
                ],
            }
        text = document_text(document)
        if self._task.check_mode:
            before = read_document(path)
            return {"changed": before is None or document_text(before) != text}
        return {"changed": write_text(path, text)}


def removed_networks(path: str) -> dict[str, list[str]]:
    """Return node name -> networks of the nodes that left, from the allocations file; none without a file."""
    if not path or not Path(path).is_file():
        return {}
    try:
        allocations = parse_ledger(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise FlatnetError(
            f"the allocations file {path} cannot be read: {error}; make it readable"
        ) from error
    return {name: [str(network) for network in entry.values()] for name, entry in allocations.removed.items()}


def plain(value: Json) -> Json:
    """Return a copy of plain types only: Ansible's texts and containers carry more than their value."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    return value if value is None or isinstance(value, bool) else int(value)
