"""The kubelets of a cluster: they turn bound pods into running (simulated) containers with status, events and logs."""
