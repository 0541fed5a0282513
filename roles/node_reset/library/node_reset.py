#!/usr/bin/python
"""What `ansible-doc` says of node_reset. Its action plugin does the work, on the host flatnet.host.reset."""

DOCUMENTATION = r"""
module: node_reset
short_description: Take flatnet off a host
description:
  - Stops and removes what node_state has recorded under the owners listed, and what the programs of these
    owners made while they ran - containers, pod networks, packet filter chains, interfaces, data.
  - Everything else stays, such as chains, tables, routes and files of others. Nothing is ever flushed
    but IPVS, by kube-proxy's own cleanup, where it ran in that mode.
  - Containers of others in the same containerd keep its data, which is a failure, also in check mode.
  - A unit of the distribution's whose place one of flatnet's had is afterwards enabled and running as it was.
  - A reset that was cut short is completed by the next.
options:
  owners:
    description:
      - Names under which node_state recorded, in the order to remove them.
      - C(*) at the end stands for any text.
    type: list
    elements: str
    required: true
  data:
    description:
      - Owner to directories and files that its programs have filled, in the order to remove them.
      - After one that cannot be removed those that follow stay.
      - C(*) in the last part of a path stands for any text.
      - With C(/) at its end a directory goes when it is empty.
    type: dict
    default: {}
  chains:
    description: Owner to how the names of the packet filter chains begin that its programs make.
    type: dict
    default: {}
  interfaces:
    description: Names of interfaces that backends make.
    type: list
    elements: str
    default: []
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
- name: Take flatnet off the host
  node_reset:
    owners: [kube_node, cni_*, container_runtime]
    data: {kube_node: [/var/lib/kubelet]}
    interfaces: [cbr0]
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
