"""Reads inventories as Ansible does, in this process, and asks the action that refuses them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import yaml
from ansible import constants, context
from ansible.errors import AnsibleActionFail
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.utils.display import Display
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from plugin_loader import load_plugin

ROOT = Path(__file__).resolve().parents[2]
ACTION = load_plugin(ROOT / "playbooks/action_plugins/network_settings.py").ActionModule
SMALL: Mapping[str, Mapping[str, Any]] = {
    "node-1": {"ansible_host": "192.0.2.11"},
    "node-2": {"ansible_host": "192.0.2.12"},
    "node-3": {"ansible_host": "192.0.2.13"},
}
"""Hosts of a cluster, the first of which is control plane and node."""


load_plugins = cache(init_plugin_loader)


def inventory(
    hosts: Mapping[str, Mapping[str, Any]] = SMALL,
    variables: Mapping[str, Any] | None = None,
    **groups: object,
) -> str:
    """Return an inventory of a cluster as YAML; `groups` are further ones at its top."""
    first = next(iter(hosts))
    children = {
        "kube_control_plane": {"hosts": {first: {}}},
        "etcd": {"hosts": {first: {}}},
        "kube_node": {"hosts": dict(hosts)},
    }
    return yaml.safe_dump(
        {"k8s_cluster": {"children": children, "vars": dict(variables or {})}, **groups}, sort_keys=False
    )


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files, by their paths in the folder; return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def ask(
    *sources: Path | str, extra: Mapping[str, Any] | None = None, hosts: list[str] | None = None
) -> dict[str, Any]:
    """Return what the action returns for the inventory; AnsibleActionFail where it refuses.

    extra: variables of the command line. hosts: those of the run, of which one has to be in the cluster.
    """
    context.CLIARGS = ImmutableDict(extra_vars=(), basedir=None, check=False, diff=False, forks=1)
    load_plugins()
    # What an inventory of before was warned of is in the past.
    Display()._warns.clear()
    loader = DataLoader()
    loader.set_basedir(str(ROOT / "playbooks"))
    # As without the project's ansible.cfg, with which Ansible itself refuses some of it.
    with (
        patch.object(constants, "INVENTORY_ANY_UNPARSED_IS_FAILED", new=False),
        patch.dict(os.environ, ANSIBLE_DUPLICATE_YAML_DICT_KEY="warn"),
    ):
        manager = InventoryManager(loader=loader, sources=[str(source) for source in sources])
    variables = VariableManager(loader=loader, inventory=manager)
    variables._extra_vars = dict(extra or {})
    hostvars = HostVars(manager, variables, loader)
    arguments = {"hosts_required": bool(hosts)}
    task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=False, environment=None, action="x", _role=None
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=""))
    groups = manager.get_groups_dict()
    first = next(iter(groups.get("k8s_cluster", ())), "localhost")
    given = {
        **hostvars.raw_get(first),
        "groups": groups,
        "hostvars": hostvars,
        "ansible_play_hosts_all": hosts,
    }
    templar = Templar(loader, variables=given)
    action = ACTION(task, connection, SimpleNamespace(check_mode=False), loader, templar, None)
    found: dict[str, Any] = action.run(task_vars=given)
    return found


def refusal(
    *sources: Path | str, extra: Mapping[str, Any] | None = None, hosts: list[str] | None = None
) -> str:
    """Return the message with which the inventory is refused, or nothing where it is understood."""
    try:
        ask(*sources, extra=extra, hosts=hosts)
    except AnsibleActionFail as error:
        return str(error)
    return ""
