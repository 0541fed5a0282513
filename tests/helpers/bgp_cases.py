"""Hosts that speak BGP, as the filters of the role are told of them."""

from __future__ import annotations

from typing import Any

NODES = {
    "control-plane-1": {
        "addresses": ["192.0.2.11", "2001:db8::11"],
        "groups": ["etcd", "kube_control_plane"],
    },
    "node-1": {"addresses": ["192.0.2.12", "2001:db8::12"], "groups": ["kube_node"]},
    "node-2": {"addresses": ["192.0.2.13", "2001:db8::13"], "groups": ["kube_node"]},
    "store-1": {"addresses": ["192.0.2.14"], "groups": ["etcd"]},
}
ROUTER = {"address": "192.0.2.254", "as_number": 65000, "password": "s p"}


def place(host: str = "node-1", mode: str = "full-mesh", **changed: object) -> dict[str, Any]:
    """Return what the filters of the role are given."""
    given = {
        "host": host,
        "mode": mode,
        "nodes": NODES,
        "as_numbers": dict.fromkeys(NODES, 64512),
        "route_reflectors": [],
        "peers": [],
        "pod_cidrs": ["10.200.1.0/24", "2001:db8:1:1::/64"],
        "cluster_pod_cidrs": ["10.200.0.0/16", "2001:db8:1::/48"],
        "bfd": False,
        "hold_seconds": 30,
        "restart_seconds": 10,
    }
    return {**given, **changed}
