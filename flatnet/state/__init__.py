"""The desired state of a node: validated on the controller, then packed for the module that applies it."""
