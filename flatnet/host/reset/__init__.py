"""Takes flatnet off a host, and leaves everything that is somebody else's."""
