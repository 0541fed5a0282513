#!/usr/bin/python
"""What `ansible-doc` says of switch_pods. Its action plugin calls flatnet.host.switch on the host."""

DOCUMENTATION = r"""
module: switch_pods
short_description: Do what a switch of the network needs of the API server
description:
  - Looks at nodes, pods of the pod network and disruption budgets, closes nodes to new pods, and opens them.
  - A node that an administrator has closed stays closed.
  - In check mode it only looks.
options:
  credentials:
    description: How the API server is reached.
    type: dict
    required: true
    suboptions:
      host: {description: 'Inventory name of the host that has the files, for C(delegate_to).', type: str}
      server: {description: URL of the API server as that host reaches it., type: str, required: true}
      ca: {description: Path there of the CA., type: path, required: true}
      certificate: {description: Path there of the client certificate., type: path, required: true}
      key: {description: Path there of its private key., type: path, required: true}
  look:
    description: Whether to return nodes, pods and budgets.
    type: bool
    default: false
  close:
    description: Names of nodes to mark unschedulable.
    type: list
    elements: str
    default: []
  open:
    description: Names of nodes to take that back from, where it was this module that marked them.
    type: list
    elements: str
    default: []
  before:
    description:
      - Pods, as an earlier look returned them. Those that were ready are waited for, until they have been
        made anew and are ready again, and so are the nodes of O(open).
      - Left out, nobody is waited for.
    type: list
    elements: dict
  seconds:
    description: Seconds to wait at most.
    type: int
    default: 180
author: [flatnet]
"""

EXAMPLES = r"""
- name: Close a node to new pods
  switch_pods:
    credentials: "{{ credentials }}"
    close: [node-1]
"""

RETURN = r"""
found:
  description: Nodes, pods and budgets, with O(look).
  returned: success
  type: dict
closed:
  description: The nodes that were open before.
  returned: success
  type: list
  elements: str
opened:
  description: The nodes that the switch had closed.
  returned: success
  type: list
  elements: str
deleted:
  description: Pods that were deleted because their kubelet would have made them wait.
  returned: success
  type: list
  elements: str
"""
