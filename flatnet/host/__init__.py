"""What runs on hosts: standard library only, Python 3.9. flatnet.remote sends the modules that a call needs.

Each folder answers one kind of call, by `answer` of its module `serve`: `facts` reads what a host is like,
`state` applies a desired state, `reset` takes flatnet off, `objects` talks to the API server, `probe` makes
the checks of one node. Modules name each other relatively; so those that a call needs are found.
"""
