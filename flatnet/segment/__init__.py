"""Pods of all nodes on one Ethernet segment, which a bridge on every node joins by an uplink."""
