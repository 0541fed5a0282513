"""Whether an inventory is understood as a whole, before anything is made of it.

What Ansible does not understand of an inventory it leaves out with a warning, and a plan made from the rest
would give away the networks of the nodes that are missing. Nothing here knows Ansible: it is told what was
read.
"""
