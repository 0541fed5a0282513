"""The tour: one set of hosts goes through every backend and mode that this machine can run, by switching."""
