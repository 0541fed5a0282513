#!/usr/bin/python
"""What `ansible-doc` says of network_check_claim. Its action plugin calls flatnet.host.objects.claim."""

DOCUMENTATION = """
---
module: network_check_claim
short_description: Check a network one at a time
description:
  - Claims a namespace, which is made, by an annotation. Fails at once, with C(held), where another run has
    it.
  - What a run left that has ended without giving its claim back is removed first. That it has ended is known
    of runs of the same controller; of others, a claim is worth nothing any more after 15 minutes.
  - While the claim is held, a process on the controller waits for the end of the playbook. If the playbook is
    interrupted or killed, that process removes the namespaces.
options:
  credentials:
    description: How the API server is reached, as in M(cluster_objects).
    type: dict
    required: true
  namespaces:
    description: Names of the namespaces of the check; the first one is claimed.
    type: list
    elements: str
    required: true
  run:
    description: Identifier of this run.
    type: str
    required: true
  state:
    description: Whether to claim the network, to give it back, or to note that the namespaces are gone.
    type: str
    choices: [held, released, given_up]
    required: true
  wait_ready_seconds:
    description: How long to wait for the API server to be ready.
    type: int
    required: true
author: [flatnet]
"""

EXAMPLES = """
- name: See that no other check of this network runs
  network_check_claim:
    credentials: "{{ api_credentials }}"
    namespaces: [flatnet-check]
    run: 12ab34
    state: held
    wait_ready_seconds: 15
  run_once: true
  delegate_to: "{{ api_credentials.host }}"
"""

RETURN = """
held:
  description: That another run has the network; the message says which.
  returned: where one has
  type: bool
"""
