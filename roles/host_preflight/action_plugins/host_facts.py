"""Know a host in one plain remote call, or say in one message why it cannot be used."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from flatnet.errors import FlatnetError
from flatnet.pki.trust import Trusted, foreign_trust
from flatnet.remote.action import HostAction
from flatnet.state.applied import remember
from flatnet.state.place import Place
from flatnet.state.preflight import Node, clock_problem, problems
from flatnet.state.surroundings import surroundings_problems

# What the plan and the contracts say of a host, beside whether it is a node.
_PLACE = (
    "addresses",
    "pod_cidrs",
    "service_cidrs",
    "units",
    "own_tables",
    "own_paths",
    "own_interfaces",
    "own_data",
)


class ActionModule(HostAction):
    """Runs on the controller for each host."""

    module = "flatnet.host.facts.serve"
    others = ("flatnet.host.facts.look",)

    def act(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the facts as ansible_facts.flatnet_facts. They are read in check mode as well."""
        arguments = self.arguments(
            {
                "kernel_features": {"type": "list", "elements": "str", "default": []},
                "commands": {"type": "dict", "default": {}},
                "node": {"type": "bool", "default": False},
                "look": {"type": "bool", "default": False},
                "kubelet_configuration": {"type": "dict", "default": {}},
                "resolver_wanted": {"type": "bool", "default": False},
                "ipv6_forwarded": {"type": "bool", "default": False},
                **{name: {"type": "list", "elements": "str", "default": []} for name in _PLACE},
                "trusted": {
                    "type": "list",
                    "elements": "dict",
                    "default": [],
                    "options": {
                        "path": {"type": "path", "required": True},
                        "source": {"type": "path", "required": True},
                    },
                },
            }
        )
        trusted = [Trusted(entry["path"], Path(entry["source"])) for entry in arguments.pop("trusted")]
        kubelet, resolver_wanted, ipv6_forwarded = (
            arguments.pop(name) for name in ("kubelet_configuration", "resolver_wanted", "ipv6_forwarded")
        )
        uses_iptables = any(name.startswith("xt_") for name in arguments["kernel_features"])
        place = Place(
            is_node=arguments["node"],
            uses_iptables=uses_iptables,
            **{name: arguments.pop(name) for name in _PLACE},
        )
        families = ["ipv6" if ":" in cidr else "ipv4" for cidr in place.pod_cidrs]
        is_node = arguments.pop("node")
        node = Node(kubelet, resolver_wanted, ipv6_forwarded, families) if is_node else None
        look = arguments.pop("look")
        commands = arguments["commands"]
        arguments["commands"] = sorted(commands)
        arguments["files"] = [entry.path for entry in trusted]
        # A member of etcd that has the certificates of this cluster is judged by them.
        arguments["directories"] = list(place.own_data)
        began = time.time()
        try:
            facts = self._look(arguments, variables) if look else self.ask(arguments, variables)
        except AnsibleConnectionFailure as error:
            # A failure like any other of a host, which a play can wait to see from all of them.
            raise FlatnetError(str(error)) from None
        target = self.target(variables)
        found = problems(target.title, target.user, facts, commands, node)
        clock = clock_problem(target.title, facts["time"], began, time.time())
        found += [clock] if clock else []
        found += surroundings_problems(target.title, facts, place)
        found += foreign_trust(target.title, facts.pop("files", {}), trusted)
        if found:
            raise FlatnetError("\n".join(found))
        return {"changed": False, "ansible_facts": {"flatnet_facts": facts}}

    def _look(self, request: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Return the facts, and remember for the rest of the run what is still as it was applied."""
        began = time.time_ns()
        answer = self.ask(request, variables, *self.others)
        remember(self.host(variables), self.folder(), answer["state"], answer["objects"], began)
        facts: dict[str, Any] = answer["facts"]
        return facts
