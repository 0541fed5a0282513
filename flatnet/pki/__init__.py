"""The certificates of a cluster: which it needs, whether those on disk still fit, and issuing the others.

`identities` says which certificates exist (data), `spec` what one of them holds, `compare` whether a file
still does, `issue` makes one, `store` keeps the files, and `reconcile` puts the five together.
"""

from flatnet.pki.identities import (
    ApiserverSans,
    Cluster,
    Identity,
    Lifetimes,
    Node,
    Per,
    cluster_certificates,
)
from flatnet.pki.kubeconfig import kubeconfig
from flatnet.pki.reconcile import Change, Reconciled, reconcile
from flatnet.pki.spec import CertificateSpec, KeyPairSpec, KeyType, Usage

__all__ = [
    "ApiserverSans",
    "CertificateSpec",
    "Change",
    "Cluster",
    "Identity",
    "KeyPairSpec",
    "KeyType",
    "Lifetimes",
    "Node",
    "Per",
    "Reconciled",
    "Usage",
    "cluster_certificates",
    "kubeconfig",
    "reconcile",
]
