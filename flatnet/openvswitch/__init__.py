"""Pods of all nodes on one switched network: Open vSwitch on every node, tunnels between them."""
