#!/usr/bin/python
"""What `ansible-doc` says of network_node_state. Its action plugin calls flatnet.host.probe on the node."""

DOCUMENTATION = """
---
module: network_node_state
short_description: Read what a node is like as far as its pods' network depends on it
description:
  - Reads units, interfaces, forwarding, routes of all tables, rules, neighbours and packet filters.
  - Changes nothing. Needs nothing but Python 3.9 on the host. What C(ip), C(systemctl), C(nft) or
    C(iptables-save) would tell is missing where they are.
options:
  plan:
    description: The network plan, which names the units of the node.
    type: dict
    required: true
  node:
    description: Inventory name of the node.
    type: str
    required: true
author: [flatnet]
"""

EXAMPLES = """
- name: Read what every node is like
  network_node_state:
    plan: "{{ network_plan }}"
    node: "{{ inventory_hostname }}"
  register: node_state
"""

RETURN = """
state:
  description: The state.
  returned: success
  type: dict
"""
