"""Documentation of the cluster_certificates action, which runs on the controller."""

DOCUMENTATION = r"""
---
module: cluster_certificates
short_description: Keep the certificates of a Kubernetes cluster on the controller as wanted
description:
  - Issues the CAs, certificates and the service account key pair of a cluster into a directory of the
    controller, and afterwards issues again exactly those whose content, issuer, key or remaining life is not
    the wanted one.
  - Runs on the controller only and once, whatever the number of hosts. No host is contacted.
  - Private keys are readable by the owner only from their first byte on, and appear in no output. A CA's key
    is never replaced by itself.
  - Two runs at once wait for each other.
options:
  directory:
    description: Directory on the controller; made with mode 0700 when missing.
    type: path
    required: true
  nodes:
    description: Every host of the cluster.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node, as in Kubernetes.
        type: str
        required: true
      addresses:
        description: Addresses of the node, which become SANs of its server certificates.
        type: list
        elements: str
        required: true
  control_plane_nodes:
    description: Names, out of O(nodes), of the hosts that run the control plane.
    type: list
    elements: str
    required: true
  etcd_nodes:
    description: Names, out of O(nodes), of the hosts that run etcd.
    type: list
    elements: str
    required: true
  kubelet_nodes:
    description: Names, out of O(nodes), of the hosts that run a kubelet. Left out, all of them do.
    type: list
    elements: str
  apiserver_sans:
    description: Names and addresses by which clients reach the API server.
    type: dict
    required: true
    suboptions:
      dns:
        description: DNS names.
        type: list
        elements: str
        default: []
      ip:
        description: Addresses.
        type: list
        elements: str
        default: []
  extra_identities:
    description: Further certificates, such as the ones of a network backend.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the files. Holds C({node}) unless O(extra_identities[].per=cluster).
        type: str
        required: true
      common_name:
        description: Common name, which is the user name in Kubernetes. May hold C({node}).
        type: str
        required: true
      organizations:
        description: Organizations, which are the groups in Kubernetes.
        type: list
        elements: str
        default: []
      ca:
        description: The issuing CA, V(ca), V(etcd-ca) or V(front-proxy-ca).
        type: str
        default: ca
      usages:
        description: V(client), V(server) or both.
        type: list
        elements: str
        default: [client]
      per:
        description: One for the cluster, or one for each node of a kind, with that node's SANs.
        type: str
        choices: [cluster, kubelet, etcd, control_plane]
        default: cluster
  lifetime_days:
    description: Days that a new certificate is valid.
    type: int
    default: 365
  ca_lifetime_days:
    description: Days that the certificate of a new CA is valid.
    type: int
    default: 3650
  renew_before_days:
    description:
      - A certificate with less than this many days left is issued again, with the same key.
      - A CA made here is issued again, with the same key, when it has less than O(lifetime_days) left.
    type: int
    default: 30
  key_type:
    description: Kind of the private keys of certificates. A CA that exists keeps its key whatever its kind.
    type: str
    choices: [ecdsa-p256, rsa-2048]
    default: ecdsa-p256
  service_account_key_type:
    description: Kind of the key for service account tokens, when made. Every OpenID client verifies RSA.
    type: str
    choices: [ecdsa-p256, rsa-2048]
    default: rsa-2048
  renew:
    description:
      - Names of certificates to issue again now, with new keys; C(*) and C(?) fit any characters.
      - This changes something in every run, so give it in one run only.
    type: list
    elements: str
    default: []
  api_server:
    description:
      - URL by which an administrator reaches the API server. With it C(admin.kubeconfig) is kept beside the
        certificates, mode 0600, with the certificates and the key in it, for use on any machine.
    type: str
    default: ""
  cluster_name:
    description: What the cluster is called in that file.
    type: str
    default: kubernetes
  lock_seconds:
    description: Seconds to wait for another run in the same directory.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author:
  - flatnet
"""

EXAMPLES = r"""
---
- name: Issue the certificates of the cluster
  cluster_certificates:
    directory: "{{ inventory_dir }}/pki"
    nodes:
      - {name: node1, addresses: [192.0.2.11]}
      - {name: node2, addresses: [192.0.2.12]}
    control_plane_nodes: [node1]
    etcd_nodes: [node1]
    apiserver_sans:
      dns: [kubernetes, kubernetes.default, kubernetes.default.svc, node1]
      ip: [10.32.0.1, 192.0.2.11, 127.0.0.1]
    extra_identities:
      - {name: flannel, common_name: flannel}
"""

RETURN = r"""
---
directory:
  description:
    - Where the files are. In check mode a folder that lives as long as the run, with new files for what would
      be issued and links to the rest, so that what comes after can say what it would do with them.
  type: path
  returned: always
  sample: /home/ops/clusters/prod/pki
issued:
  description: What was issued (in check mode, what would be), and why.
  type: list
  elements: dict
  returned: always
  sample: [{name: apiserver, reason: SAN 203.0.113.7 added}]
repaired:
  description: Files, or the directory, that other users could reach, and what their mode was.
  type: list
  elements: dict
  returned: always
  sample: [{name: ca.key, reason: 'mode is 0644, wanted is 0600'}]
unused:
  description: Names of certificates in the directory that the cluster does not need any more; they stay.
  type: list
  elements: str
  returned: always
  sample: [kubelet-node9]
"""
