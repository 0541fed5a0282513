#!/usr/bin/python
"""What `ansible-doc` says of cluster_objects. Its action plugin calls flatnet.host.objects on the host."""

DOCUMENTATION = r"""
---
module: cluster_objects
short_description: Apply or remove Kubernetes objects, and wait for what comes of them
description:
  - Applies objects server-side over HTTPS with a client certificate, or removes them.
  - Needs nothing but Python 3.9 on the host that it runs on, which is usually a control-plane host.
  - What others need comes first, namespaces and custom kinds before service accounts, rights and workloads.
    Removal goes the other way round.
  - A change is one of the object as the API server stores it, without status and bookkeeping.
options:
  credentials:
    description: How the API server is reached.
    type: dict
    required: true
    suboptions:
      host:
        description:
          - Inventory name of the host that has the files and makes the requests.
          - It is for C(delegate_to) of the task; the module itself does not look at it.
        type: str
      server:
        description: URL of the API server as that host reaches it, such as V(https://127.0.0.1:6443).
        type: str
        required: true
      ca:
        description: Path there of the CA that issued the certificate of the API server.
        type: path
        required: true
      certificate:
        description: Path there of the client certificate.
        type: path
        required: true
      key:
        description: Path there of its private key.
        type: path
        required: true
  objects:
    description:
      - The definitions, each with C(apiVersion), C(kind) and C(metadata.name). Lists are opened.
      - With O(state=absent), only these three and the namespace matter.
    type: list
    elements: dict
    default: []
  state:
    description: Whether the objects shall exist.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - Who the objects belong to, such as the name of a role. They get the labels C(flatnet.io/owner) with
        this value and C(app.kubernetes.io/managed-by=flatnet), by which a removal finds them.
      - Empty sets no labels.
      - What the owner applied before from this host, and no longer defines, is removed, if it still has the
        labels; a Node never is.
      - With O(state=absent) and no O(objects), everything that has the labels is removed, of whatever kind,
        and from Node objects the annotations and labels that the contract of a role of this name declares.
      - Deleting a CustomResourceDefinition deletes all objects of its kind.
    type: str
    default: ""
  node_annotations:
    description: With O(state=absent), annotations to remove from all Node objects; V(*) stands for any text.
    type: list
    elements: str
    default: []
  node_labels:
    description: With O(state=absent), labels to remove from all Node objects; V(*) stands for any text.
    type: list
    elements: str
    default: []
  field_manager:
    description: Name under which the API server records the fields that the definitions set.
    type: str
    default: flatnet
  propagation:
    description:
      - Whether what a removed object owns is removed after it (V(background)), before it (V(foreground)),
        or kept (V(orphan)).
    type: str
    choices: [background, foreground, orphan]
    default: background
  wait_ready_seconds:
    description: Seconds to wait first for the API server to be ready. V(0) takes it to be.
    type: int
    default: 0
  wait_gone_seconds:
    description: Seconds to wait for removed objects to be gone. V(0) does not wait.
    type: int
    default: 0
  wait_for_nodes:
    description: Nodes that have to be registered and Ready in the end.
    type: dict
    suboptions:
      names:
        description: Their names.
        type: list
        elements: str
        required: true
      seconds:
        description: Seconds to wait at most.
        type: int
        default: 120
  wait_for_pods:
    description:
      - Pods that have to be Ready in the end.
      - The Deployments, DaemonSets and StatefulSets among O(objects) in the same namespace replace their old
        pods first.
    type: dict
    suboptions:
      namespace:
        description: Their namespace; empty for all.
        type: str
        required: true
      label_selector:
        description: Selector that fits them, such as V(k8s-app=kube-dns).
        type: str
        required: true
      count:
        description: How many there are at least. Left out, there is at least one.
        type: int
      seconds:
        description: Seconds to wait at most.
        type: int
        default: 120
      advice:
        description: What the message ends with when they do not get ready.
        type: str
        default: ""
  return_objects:
    description: Whether to return the objects as the API server has them after they were applied.
    type: bool
    default: false
  return_pods:
    description: Pods to return in the end.
    type: dict
    suboptions:
      namespace:
        description: Their namespace; empty for all.
        type: str
        required: true
      label_selector:
        description: Selector that fits them; empty for all pods of the namespace.
        type: str
        default: ""
  return_kinds:
    description: Kinds whose objects to return in the end, whoever made them.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: API group and version, such as V(networking.k8s.io/v1).
        type: str
        required: true
      kind:
        description: The kind.
        type: str
        required: true
      namespace:
        description: Their namespace; empty for all.
        type: str
        default: ""
      label_selector:
        description: Selector that fits them; empty for all.
        type: str
        default: ""
attributes:
  check_mode:
    support: full
    description:
      - The API server tries each change without storing it. Nothing is waited for.
      - An API server that does not exist yet is taken for an empty one, with a warning.
  diff_mode:
    support: full
    description: Values of Secrets are hidden.
author:
  - flatnet
"""

EXAMPLES = r"""
---
- name: Run the probes on every node
  cluster_objects:
    credentials: &admin
      server: https://127.0.0.1:6443
      ca: /etc/kubernetes/pki/ca.crt
      certificate: /etc/kubernetes/pki/admin.crt
      key: /etc/kubernetes/pki/admin.key
    wait_ready_seconds: 60
    objects:
      - apiVersion: v1
        kind: Namespace
        metadata: {name: probes}
      - "{{ probe_daemon_set }}"
    wait_for_pods: {namespace: probes, label_selector: app=probe, count: 3, seconds: 60}
    return_pods: {namespace: probes, label_selector: app=probe}
  register: probes

- name: Remove them
  cluster_objects:
    credentials: *admin
    state: absent
    objects:
      - {apiVersion: v1, kind: Namespace, metadata: {name: probes}}
    wait_gone_seconds: 60

- name: Remove all that a role has in the API
  cluster_objects:
    credentials: *admin
    state: absent
    owner: cni_flannel
"""

RETURN = r"""
---
changes:
  description: The objects that changed (in check mode, would), in the order of changing them.
  type: list
  elements: dict
  returned: always
  sample: [{object: Deployment kube-system/coredns, action: created}]
objects:
  description:
    - The objects as the API server has them, with the addresses and ports that it chose.
    - In the order of applying them. Values of Secrets are hidden.
  type: list
  elements: dict
  returned: when O(return_objects) is true
  sample:
    - apiVersion: v1
      kind: Service
      metadata: {name: probe, namespace: probes}
      spec: {clusterIP: 10.32.0.7}
pods:
  description: The pods that O(return_pods) asks for, by name.
  type: list
  elements: dict
  returned: when O(return_pods) is given
  sample:
    - name: probe-x7k2p
      namespace: probes
      uid: 6c1b2c3e-8a51-4c4f-9d0b-5d0c8b1f7a10
      node: node1
      ip: 10.200.0.5
      ips: [10.200.0.5]
      labels: {app: probe}
      ready: true
found:
  description: The objects of the kinds that O(return_kinds) asks for. Values of Secrets are hidden.
  type: list
  elements: dict
  returned: when O(return_kinds) is given
  sample:
    - apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata: {name: deny, namespace: shop}
"""
