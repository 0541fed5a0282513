"""Kubernetes objects over HTTPS with nothing but Python's standard library (3.9 or newer)."""
