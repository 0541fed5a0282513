"""Applies a desired state to the host it runs on; needs Python 3.9 and nothing else."""
