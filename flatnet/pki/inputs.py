"""Read what a user wrote (checked for its types already) into the typed inputs of this package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from flatnet.errors import FlatnetError
from flatnet.pki.admin import AdminAccess
from flatnet.pki.identities import ApiserverSans, Cluster, Identity, Lifetimes, Node, Per, Sans
from flatnet.pki.spec import KeyPairSpec, KeyType, Usage, parse_address

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Request:
    """One run of the cluster_certificates action."""

    directory: Path
    cluster: Cluster
    key_pairs: tuple[KeyPairSpec, ...]
    renew: tuple[str, ...]
    admin: AdminAccess | None
    """None: no kubeconfig for the administrator is wanted."""
    lock_seconds: int


def read_request(values: Mapping[str, object]) -> Request:
    """Return the run that the options of the cluster_certificates action ask for.

    Raises FlatnetError naming the option and the value.
    """
    return Request(
        directory=Path(_text(values, "directory")),
        cluster=read_cluster(values),
        key_pairs=(KeyPairSpec("sa", KeyType(_text(values, "service_account_key_type"))),),
        renew=tuple(_texts(values, "renew")),
        admin=AdminAccess(_text(values, "api_server"), _text(values, "cluster_name"))
        if values.get("api_server")
        else None,
        lock_seconds=_number(values, "lock_seconds"),
    )


def read_cluster(values: Mapping[str, object]) -> Cluster:
    """Return the cluster described by the options of the cluster_certificates action.

    kubelet_nodes left out (None) means every node. Raises FlatnetError naming the option and the value.
    """
    nodes = [_node(item) for item in _mappings(values, "nodes")]
    sans = values.get("apiserver_sans")
    if not isinstance(sans, Mapping):
        raise FlatnetError("apiserver_sans: write {dns: [names], ip: [addresses]}")
    kubelet_nodes = values.get("kubelet_nodes")
    return Cluster(
        nodes=nodes,
        kubelet_nodes=[node.name for node in nodes]
        if kubelet_nodes is None
        else _texts(values, "kubelet_nodes"),
        etcd_nodes=_texts(values, "etcd_nodes"),
        control_plane_nodes=_texts(values, "control_plane_nodes"),
        apiserver_sans=ApiserverSans(
            frozenset(_texts(sans, "dns", "apiserver_sans.")),
            frozenset(
                parse_address(text, "apiserver_sans.ip") for text in _texts(sans, "ip", "apiserver_sans.")
            ),
        ),
        extra_identities=[_extra_identity(item) for item in _mappings(values, "extra_identities")],
        lifetimes=Lifetimes(
            ca_days=_number(values, "ca_lifetime_days"),
            leaf_days=_number(values, "lifetime_days"),
            renew_before_days=_number(values, "renew_before_days"),
            key_type=KeyType(_text(values, "key_type")),
        ),
    )


def _node(item: Mapping[str, object]) -> Node:
    name = _text(item, "name", "nodes: ")
    addresses = _texts(item, "addresses", f"node {name}: ")
    return Node(name, tuple(parse_address(text, f"node {name}") for text in addresses))


def _extra_identity(item: Mapping[str, object]) -> Identity:
    name = _text(item, "name", "extra_identities: ")
    owner = f"identity {name}: "
    per = _choice(str(item.get("per") or Per.CLUSTER), tuple(Per), f"{owner}per")
    common_name = _text(item, "common_name", owner)
    if per is not Per.CLUSTER and "{node}" not in name:
        raise FlatnetError(f"{owner}there is one per {per} node, so the name has to contain '{{node}}'")
    usages = _texts(item, "usages", owner) or [Usage.CLIENT.value]
    leaf_usages = (Usage.CLIENT, Usage.SERVER)
    return Identity(
        name=name,
        common_name=common_name,
        ca=str(item.get("ca") or "ca"),
        usages=frozenset(_choice(usage, leaf_usages, f"{owner}usages") for usage in usages),
        organizations=frozenset(_texts(item, "organizations", owner)),
        per=per,
        sans=Sans.NODE if per is not Per.CLUSTER else Sans.NONE,
    )


def _choice(text: str, allowed: Sequence[_Word], owner: str) -> _Word:
    for value in allowed:
        if value == text:
            return value
    raise FlatnetError(f"{owner}: {text!r} is unknown: choose among {', '.join(allowed)}")


def _mappings(values: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    items = values.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise FlatnetError(f"{key}: {items!r} is not a list of mappings")
    return items


def _texts(values: Mapping[str, object], key: str, owner: str = "") -> list[str]:
    items = values.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise FlatnetError(f"{owner}{key}: {items!r} is not a list of strings")
    return [str(item) for item in items]


def _text(values: Mapping[str, object], key: str, owner: str = "") -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise FlatnetError(f"{owner}{key} is missing: give it a string, not {value!r}")
    return str(value)


def _number(values: Mapping[str, object], key: str) -> int:
    value = values.get(key)
    if not isinstance(value, int):
        raise FlatnetError(f"{key}: {value!r} is not a whole number")
    return value
