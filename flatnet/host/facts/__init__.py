"""What a host is like, for the preflight and the plan."""
