"""Nodes of a switched network, and what their hosts are like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flatnet.contract import find_contracts

CONTRACT = find_contracts([Path(__file__).parents[2] / "roles"])["cni_openvswitch"]
KERNEL = {"openvswitch": True, "gre": True, "vxlan": True}


def node(number: int, *addresses: str) -> dict[str, Any]:
    """Return what the plan has of a node with an IPv4 and an IPv6 network of pods."""
    return {
        "addresses": list(addresses) or [f"192.0.2.{10 + number}", f"2001:db8::{10 + number}"],
        "groups": ["kube_node"],
        "pod_cidrs": [f"10.200.{number}.0/24", f"fd00:200:0:{number}::/64"],
    }


NODES = {f"node-{number}": node(number) for number in range(3)}


def place(mode: str = "gre", nodes: dict[str, Any] = NODES, **changed: object) -> dict[str, Any]:
    """Return the place of node-1, with changes."""
    return {
        "host": "node-1",
        "contract": CONTRACT.in_mode(mode).data,
        "nodes": nodes,
        "topology": "mesh",
        "degree": 4,
        "datapath": "auto",
        "pod_cidrs": nodes["node-1"]["pod_cidrs"],
        "cluster_pod_cidrs": ["10.200.0.0/16", "fd00:200::/48"],
        "mtu": 1430,
        **changed,
    }


def interface(name: str, *addresses: str, **more: object) -> dict[str, Any]:
    """Return an interface as facts have it."""
    return {
        "name": name,
        "addresses": list(addresses),
        "link_scope_addresses": [],
        "kind": "ether",
        "master": "",
        "up": True,
        "mac": "02:00:00:00:00:11",
        "mtu": 1500,
        **more,
    }


def facts(*interfaces: dict[str, Any], **changed: object) -> dict[str, Any]:
    """Return the facts of node-1, with further interfaces and changes."""
    return {
        "interfaces": [interface("eth0", "192.0.2.11/24", "2001:db8::11/64"), *interfaces],
        "routes": [],
        "kernel_features": KERNEL,
        **changed,
    }
