#!/usr/bin/python
"""What `ansible-doc` says of node_reset. Its action plugin does the work, on the host flatnet.host.reset."""

DOCUMENTATION = r"""
module: node_reset
short_description: Remove from a host what roles of flatnet made
description:
  - Stops and removes what node_state has recorded under the owners listed, and what their contracts
    (C(meta/contract.yml)) say that their programs make while they run - pods, interfaces, routes, rules,
    packet filter chains of both variants of iptables, tables of nftables, sets, programs of BPF, mounts,
    data.
  - Everything else stays. So does what an owner that stays has a claim on, by its contract or its record.
  - Nothing is ever flushed but IPVS, by kube-proxy's own cleanup, where it ran in that mode.
  - Without the kubelet, its pods go as well; with it, pods are detached from the networks that go, and end,
    so that the kubelet makes them anew.
  - Containers of others in the same containerd keep its data, which is a failure, also in check mode.
  - A unit of the distribution's whose place one of flatnet's had is afterwards enabled and running as it was.
  - A removal that was cut short is completed by the next of these owners.
options:
  owners:
    description:
      - Roles that have a contract; those that made nothing on the host are passed over.
      - V(*) stands for any text; V(*) alone means all, also those of other directories on C(roles_path).
      - In which order they go, their contracts say.
    type: list
    elements: str
    required: true
  programs_directory:
    description: Where the programs lie.
    type: path
    default: /usr/local/bin
  cni_programs_directory:
    description: Where the CNI plugins lie.
    type: path
    default: /opt/cni/bin
"""

EXAMPLES = r"""
- name: Remove the pod network alone
  node_reset:
    owners: [cni_kubenet]

- name: Remove all of flatnet
  node_reset:
    owners: ["*"]
"""

RETURN = r"""
changes:
  description: What was taken away (in check mode, what would be), in order.
  returned: success
  type: list
  elements: dict
  sample: [{kind: interface, item: cbr0, action: remove}]
msg:
  description: The changes, one a line.
  returned: always
  type: str
"""
