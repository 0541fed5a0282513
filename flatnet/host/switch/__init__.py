"""What a switch of the network asks of the API server and does there, on a host of the control plane."""
