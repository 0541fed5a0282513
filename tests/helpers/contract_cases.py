"""Contracts that the tests of contracts break piecewise."""

from typing import Any

BACKEND: dict[str, Any] = {
    "kind": "backend",
    "name": "example",
    "description": "A bridge and static routes",
    "ipam": "plan",
    "families": ["ipv4", "ipv6"],
    "overhead": {"ipv4": 0, "ipv6": 0},
    "masquerade": "flatnet",
    "routes": "plan",
    "check": {
        "node_to_local_pod": "pod_gateway",
        "node_to_remote_pod": "node_address",
        "hairpin": "pod_gateway",
    },
}
TWO_MODES: dict[str, Any] = BACKEND | {
    "routes": "backend",
    "ports": [{"protocol": "tcp", "port": 179, "purpose": "BGP between the nodes"}],
    "units": ["exampled"],
    "needs": {
        "commands": {"ip": {"debian": "iproute2", "redhat": "iproute"}},
        "kernel_features": ["bridge"],
        "programs": {"kube_node": ["bridge"]},
    },
    "makes": {"interfaces": {"bridge": {"name": "ex0", "carries": "own_pods"}}, "chains": ["EXAMPLE-*"]},
    "modes": {
        "vxlan": {
            "description": "A tunnel",
            "families": ["ipv4"],
            "overhead": {"ipv4": 50},
            "ports": [{"protocol": "udp", "port": 4789, "purpose": "VXLAN between the nodes"}],
            "check": {"node_to_remote_pod": ["tunnel_address", "device:ex.1"]},
            "needs": {"kernel_features": ["vxlan"], "programs": {"kube_node": ["tunneld"]}},
            "makes": {"interfaces": {"tunnel": {"name": "ex.*", "carries": "all_pods"}}},
        },
        "direct": {"routes": "plan", "makes": {"chains": ["EXD-*"]}},
    },
}
COMPONENT: dict[str, Any] = {"kind": "component", "name": "example", "description": "A daemon"}
