#!/usr/bin/python
"""The host's half of node_state: decodes the state and hands it to flatnet_node."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.flatnet_node.apply import converge
from ansible.module_utils.flatnet_node.host import Host, StateError
from ansible.module_utils.flatnet_node.wanted import decode

DOCUMENTATION = r"""
module: node_state
short_description: Bring a node to a desired state in one transaction
description:
  - Called by the action plugin of the same name, which documents the options that a task gives.
options:
  state:
    description: The whole desired state, as the action plugin encodes it.
    type: str
    required: true
"""


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(
        # no_log: the state carries private keys.
        argument_spec={"payload": {"type": "str", "required": True, "no_log": True}},
        supports_check_mode=True,
    )
    try:
        outcome = converge(
            Host(),
            decode(module.params["payload"]),
            check=module.check_mode,
            with_diff=module._diff,
            staging_owner=_staging_owner(),
        )
    except StateError as error:
        module.fail_json(msg=str(error))
    if not module._diff:
        outcome.pop("diff")
    module.exit_json(**outcome)


def _staging_owner() -> tuple[int, int] | None:
    """Return who transfers files when sudo made us root: he, not root, is going to write them."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    return (int(uid), int(gid)) if uid.isdigit() and gid.isdigit() else None


if __name__ == "__main__":
    main()
