"""Calls of flatnet.host on hosts: what is sent, what comes back, and what can go wrong, in words."""
