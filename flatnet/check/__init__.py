"""The proof: probes, the matrix of checks, what failures mean, and the report."""
