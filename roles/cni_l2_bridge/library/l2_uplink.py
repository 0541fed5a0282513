#!/usr/bin/python
"""What `ansible-doc` says of l2_uplink. Its action plugin does the work, with flatnet.host.uplink."""

DOCUMENTATION = r"""
module: l2_uplink
short_description: Move the node's own interface under the pods' bridge
description:
  - Has the host move all that the interface has to the bridge, in a process that outlives the connection.
  - Comes back by a new connection and agrees to the move. Where it cannot in time, the host takes the move
    back by itself, and the task fails with the reason.
  - In check mode it tells what would move.
options:
  program:
    description: Path on the host of the program that does it.
    type: path
    required: true
  file:
    description: Path on the host of the file that tells the program what to move where.
    type: path
    required: true
  uplink:
    description: The interface.
    type: str
    required: true
  bridge:
    description: The bridge.
    type: str
    required: true
  rollback_seconds:
    description: Seconds after which the host takes the move back.
    type: int
    required: true
  moves:
    description: What is to be moved, in words. Nothing is done where it is empty.
    type: list
    elements: str
    required: true
author: flatnet
"""

EXAMPLES = r"""
- name: Move the node's address to the bridge
  l2_uplink:
    program: /usr/local/sbin/flatnet-l2-uplink
    file: /etc/flatnet/l2_bridge/uplink.json
    uplink: eth0
    bridge: br-pods
    rollback_seconds: 30
    moves: [192.0.2.11/24 from eth0 to br-pods]
"""

RETURN = r"""
moves:
  description: What was moved, or would be in check mode.
  returned: success
  type: list
  elements: str
"""
