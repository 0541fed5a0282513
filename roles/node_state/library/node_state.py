#!/usr/bin/python
"""What `ansible-doc` says of node_state. Its action plugin does the work, on the host flatnet.host.state."""

DOCUMENTATION = r"""
module: node_state
short_description: Apply the desired state of a node in one transaction
description:
  - Compares files, programs, links, units, kernel modules, sysctls, routes and packet filter tables with the
    node, then changes what differs. The steady state costs one remote call.
  - What an owner has made is recorded on the node. What is recorded and no longer wanted is removed.
  - When a step fails, all is put back as it was. An apply that was killed is completed by the next.
  - Check mode predicts exactly; with C(--diff) each change is shown, but no content that is sensitive.
options:
  name:
    description: The owner of all below. Two owners cannot have one path, unit, route or table.
    type: str
    required: true
  state:
    description: With V(absent), all that the owner has made is removed, whatever else is given.
    type: str
    choices: [present, absent]
    default: present
  directories:
    description:
      - Directories. Missing ones above any wanted path are made with mode 0755.
      - One that is no longer wanted is removed when it is empty and was made by an apply.
    type: list
    elements: dict
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      mode: {description: 'Octal digits in quotes, such as "0755".', type: str, default: "0755"}
      owner: {description: Name of the user., type: str, default: root}
      group: {description: Name of the group., type: str, default: root}
  files:
    description: Files, each written beside its place and renamed into it.
    type: list
    elements: dict
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: 'The text; either this or O(files[].source).', type: str}
      source: {description: A file on the controller., type: path}
      mode: {description: Octal digits in quotes., type: str, default: "0644"}
      owner: {description: Name of the user., type: str, default: root}
      group: {description: Name of the group., type: str, default: root}
      validate:
        description: Command that has to accept the new file, whose path replaces C({path}), beforehand.
        type: str
      sensitive:
        description: Whether no diff may show the content. By default, if the mode denies others to read.
        type: bool
  programs:
    description: Large files, brought to the node only when it has not got their digest.
    type: list
    elements: dict
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      source: {description: A file on the controller., type: path, required: true}
      sha256: {description: Digest that it has to have; by default that of the source., type: str}
      mode: {description: Octal digits in quotes., type: str, default: "0755"}
      owner: {description: Name of the user., type: str, default: root}
      group: {description: Name of the group., type: str, default: root}
  links:
    description: Symbolic links.
    type: list
    elements: dict
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      target: {description: What it points to., type: str, required: true}
  kernel_modules:
    description: Modules, loaded now and at boot. One that is built into the kernel is there already.
    type: list
    elements: str
  sysctls:
    description: Values by key, set now and at boot. The former value returns when its key is dropped.
    type: dict
  routes:
    description: Routes of the main table, marked C(proto 157), set now and at boot. Others are not touched.
    type: list
    elements: dict
    suboptions:
      destination: {description: A network, or V(default)., type: str, required: true}
      gateway: {description: Address of the next hop., type: str}
      device: {description: Name of the interface., type: str}
      source: {description: Address that the node's own packets get., type: str}
      metric: {description: Preference; lower wins., type: int}
  nftables:
    description: Tables of our own, each replaced as a whole; loaded at boot, and again when altered.
    type: list
    elements: dict
    suboptions:
      family: {description: Family., type: str, required: true, choices: [ip, ip6, inet, arp, bridge, netdev]}
      table: {description: Name., type: str, required: true}
      content:
        description: The definition, or only what stands between its braces.
        type: str
        required: true
  units:
    description: systemd units.
    type: list
    elements: dict
    suboptions:
      name: {description: 'Full name, such as V(kubelet.service).', type: str, required: true}
      content: {description: The unit file. Without it the unit has to exist., type: str}
      enabled: {description: Whether it starts at boot., type: bool, default: true}
      state: {description: Whether it runs., type: str, choices: [started, stopped], default: started}
      restart_on:
        description: Paths, whoever owns them, whose content the unit reads when it starts.
        type: list
        elements: path
      restart_reasons:
        description:
          - What is wrong on the host, though no file shows it, and a restart puts right; a few words each.
          - A running unit restarts for them. Usually there are none.
        type: list
        elements: str
  absent:
    description: Paths to remove. A directory goes with all below it, unless something is mounted there.
    type: list
    elements: path
author: flatnet
"""

EXAMPLES = r"""
- name: Run a daemon
  node_state:
    name: example
    files:
      - {path: /etc/example/config.json, content: "{{ example_configuration | to_nice_json }}"}
      - {path: /etc/example/key, source: "{{ example_pki_directory }}/key", mode: "0600"}
    programs:
      - {path: /usr/local/bin/exampled, source: "{{ example_build_directory }}/exampled"}
    units:
      - name: exampled.service
        content: "{{ example_unit }}"
        restart_on: [/etc/example/config.json, /etc/example/key, /usr/local/bin/exampled]
"""

RETURN = r"""
changes:
  description: What was changed (in check mode, what would be), in order.
  returned: success
  type: list
  elements: dict
  sample: [{kind: file, item: /etc/example/key, action: update, reason: "mode is 0644, wanted 0600"}]
restarted:
  description: Units restarted, each with the reason.
  returned: success
  type: list
  elements: dict
  sample: [{unit: exampled.service, reason: /etc/example/key changed}]
msg:
  description: The changes, one a line.
  returned: always
  type: str
"""
