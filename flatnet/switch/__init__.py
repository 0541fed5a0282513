"""Takes a running cluster from the network that is deployed to the one that is planned."""
