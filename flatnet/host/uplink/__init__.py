"""Has the program on a host that keeps the pods' bridge move the node's own interface there."""
