"""A small, honest shell: what `kubectl exec` meets in a simulated container. It says that it is simulated."""
