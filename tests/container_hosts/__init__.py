"""Test hosts: containers of this machine that boot systemd and answer over SSH like any other host.

One cluster of hosts is one prefix: its containers, network namespaces and the link to this machine carry
that name, and whatever carries it is what `destroy` removes.
"""
