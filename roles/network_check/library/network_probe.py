#!/usr/bin/python
"""What `ansible-doc` says of network_probe. Its action plugin calls flatnet.host.probe on the node."""

DOCUMENTATION = """
---
module: network_probe
short_description: Make one node's part of the network check
description:
  - Makes every check at once, repeats those that go wrong until their deadline, and says what was observed.
  - Where C(refused), C(unreachable) or C(no answer) are expected, one that is answered goes wrong.
  - Failing checks do not fail the task; they bring evidence along (routes, addresses, masquerade rules).
  - Needs nothing but Python 3.9 on the host, and C(nsenter) and C(ip) for what is read inside a pod.
  - What reaches the node from outside of the cluster is checked from the controller at the same time.
options:
  plan:
    description: The network plan.
    type: dict
    required: true
  pods:
    description: The probes, as C(cluster_objects) returns pods.
    type: list
    elements: dict
    required: true
  services:
    description: The services of the probes, as the API server stores them.
    type: list
    elements: dict
    required: true
  nodes:
    description: Inventory names of the nodes to check; empty for all of the plan.
    type: list
    elements: str
    default: []
  node:
    description: Inventory name of the node whose part it is.
    type: str
    required: true
  settings:
    description: What the check is to cover, see the role's inputs.
    type: dict
    default: {}
  message:
    description: What was said when not all probes became ready.
    type: str
    default: ""
  found:
    description: Objects that are not the probes', of which those of the cluster's DNS count.
    type: list
    elements: dict
    default: []
  policy:
    description: The pods of policies in place of the matrix, C(pods) and C(message), and their C(step).
    type: dict
    default: {}
  limits:
    description: How long to try.
    type: dict
    suboptions:
      attempt_seconds: {description: How long one attempt may take., type: float, default: 2}
      deadline_seconds: {description: How long a wrong check is repeated., type: float, default: 5}
      total_seconds: {description: 'After this long, checks get one attempt each.', type: float, default: 60}
      threads: {description: How many checks are under way at once., type: int, default: 64}
author: [flatnet]
"""

EXAMPLES = """
- name: Make every node's checks
  network_probe:
    plan: "{{ network_plan }}"
    pods: "{{ probes.pods }}"
    services: "{{ probes.objects }}"
    node: "{{ inventory_hostname }}"
    settings: {image: registry.example/agnhost:1}
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
started:
  description: When the checks began, in seconds since 1970.
  returned: always
  type: float
seconds:
  description: How long they took.
  returned: always
  type: float
"""
