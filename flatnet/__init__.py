"""flatnet: plan, provision and prove the flat pod network of a Kubernetes cluster."""
