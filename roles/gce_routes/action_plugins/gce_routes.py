"""Have the routes to pods in a VPC network of Google Cloud; thin adapter over flatnet.gce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from flatnet.errors import FlatnetError
    from flatnet.gce.cloud import Cloud
    from flatnet.gce.routes import (
        Place,
        count_warnings,
        place_faults,
        route_changes,
        route_refusals,
        wanted_routes,
    )
    from flatnet.gce.words import gcloud_commands, terraform
except ImportError as error:
    raise AnsibleActionFail(
        f"the Python package flatnet is not in the environment that runs Ansible ({error}); "
        "install it there with: pip install -e <the directory of ansible.cfg>"
    ) from error


class ActionModule(ActionBase):
    """Runs on the controller; no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return `changed`, the names that were `inserted` and `deleted`, and `gcloud` and `terraform`."""
        super().run(tmp, task_vars)
        validate: Callable[..., tuple[Any, dict[str, Any]]] = self.validate_argument_spec
        _, arguments = validate(
            argument_spec={
                "project": {"type": "str", "required": True},
                "network": {"type": "str", "required": True},
                "cluster_name": {"type": "str", "required": True},
                "nodes": {"type": "dict", "required": True},
                "underlay_mtu": {"type": "int", "required": True},
                "name_prefix": {"type": "str", "default": "flatnet"},
                "priority": {"type": "int", "default": 1000},
                "tags": {"type": "list", "elements": "str", "default": []},
                "limit": {"type": "int", "default": 250},
                "api_endpoint": {"type": "str", "default": ""},
                "applied": {"type": "bool", "default": True},
            }
        )
        try:
            return self._routed(arguments)
        except FlatnetError as error:
            raise AnsibleActionFail(str(error)) from None

    def _routed(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        place = Place(
            project=arguments["project"],
            network=arguments["network"],
            cluster_name=arguments["cluster_name"],
            name_prefix=arguments["name_prefix"],
            priority=arguments["priority"],
            tags=tuple(arguments["tags"]),
            limit=arguments["limit"],
        )
        _refuse(place_faults(place))
        wanted = wanted_routes(arguments["nodes"], place)
        cloud = Cloud(place.project, arguments["api_endpoint"])
        found = cloud.routes()
        if wanted:
            mtus = arguments["underlay_mtu"], cloud.network_mtu(place.network)
            _refuse(route_refusals(wanted, found, cloud.instances(), place, mtus))
        changes = route_changes(wanted, found, place)
        if arguments["applied"] and not self._task.check_mode:
            cloud.carry_out(changes)
        result: dict[str, Any] = {
            "changed": bool(changes) and arguments["applied"],
            "inserted": [route.name for route in changes.inserted],
            "deleted": [route.name for route in changes.deleted],
            "gcloud": gcloud_commands(changes, place),
            "terraform": terraform(wanted, place),
        }
        if warnings := count_warnings(wanted):
            result["warnings"] = warnings
        if self._task.diff and arguments["applied"] and changes:
            result["diff"] = [{"prepared": result["gcloud"]}]
        return result


def _refuse(sentences: list[str]) -> None:
    if sentences:
        raise FlatnetError("\n".join(sentences))
