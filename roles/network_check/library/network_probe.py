#!/usr/bin/python
"""Make one node's part of the network check, all checks at once; thin adapter over flatnet_probe."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.flatnet_probe.checks import run
from ansible.module_utils.flatnet_probe.host import evidence_of

DOCUMENTATION = """
---
module: network_probe
short_description: Make one node's part of the network check
description:
  - Makes every check at once, repeats those that go wrong until their deadline, and says what was observed.
  - Failing checks do not fail the module; they bring evidence along (routes, addresses, masquerade rules).
  - Needs nothing but Python 3.9 on the host, and C(nsenter) and C(ip) for what is read inside a pod.
options:
  checks:
    description:
      - The checks; each has C(id), C(how), C(reads), C(expected) and C(family).
      - C(how.method) is C(http) (host, port, path), C(dial) (the same through a probe pod at via, via_port),
        C(dns) (server, name, type, transport), C(interface) (pod_uid, read address or mtu),
        C(running_pods) (pod_uids of some that are known to run),
        C(data) (observed already) or C(none) (reason why it cannot be made).
    type: list
    elements: dict
    required: true
  attempt_seconds:
    description: How long one attempt may take.
    type: float
    default: 2
  deadline_seconds:
    description: How long a check is repeated while it goes wrong.
    type: float
    default: 5
  total_seconds:
    description: After this long, checks get one attempt each.
    type: float
    default: 60
  threads:
    description: How many checks are under way at once.
    type: int
    default: 64
author: [flatnet]
"""

EXAMPLES = """
- name: Check that a node sees the other node
  network_probe:
    checks:
      - id: node_to_node/ipv4/http/node-0->node-1
        how: {method: http, host: 192.0.2.12, port: 18080, path: clientip}
        reads: source
        expected: [192.0.2.11]
        family: ipv4
"""

RETURN = """
results:
  description: One entry per check, with id, ok, observed, expected, error, detail, milliseconds and tries.
  returned: always
  type: list
  elements: dict
evidence:
  description: Routes, addresses, masquerade rules, forwarding entries and settings of this host.
  returned: always
  type: dict
"""


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "checks": {"type": "list", "elements": "dict", "required": True},
            "attempt_seconds": {"type": "float", "default": 2},
            "deadline_seconds": {"type": "float", "default": 5},
            "total_seconds": {"type": "float", "default": 60},
            "threads": {"type": "int", "default": 64},
        },
        supports_check_mode=True,
    )
    results = run(**module.params)
    wrong = {result["id"] for result in results if not result["ok"]}
    failed = [check for check in module.params["checks"] if check["id"] in wrong]
    module.exit_json(changed=False, results=results, evidence=evidence_of(failed) if failed else {})


if __name__ == "__main__":
    main()
