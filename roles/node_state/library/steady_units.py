#!/usr/bin/python
"""What `ansible-doc` says of steady_units. Its action plugin does the work, with flatnet.host.state."""

DOCUMENTATION = r"""
module: steady_units
short_description: See that the daemons that were started in this run stay up
description:
  - Looks at the systemd units that tasks of M(node_state) have started or restarted on the host in this run.
    Without any it costs no call.
  - Fails for a unit that systemd has to start again and again, with the end of its journal, so that nobody
    has to wait for what it would do. One that was started again and then runs for a few seconds is well.
options: {}
author: flatnet
"""

EXAMPLES = r"""
- name: See that the daemons stay up
  steady_units:
"""

RETURN = r"""
"""
