"""What network_probe does on a node; standard library only, Python 3.9."""
