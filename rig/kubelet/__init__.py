"""The loopback kubelet: takes the pods of every node of a cluster and runs them as processes of this machine.

It does what a kubelet does and a container runtime besides, as far as hosting a model needs: a network namespace and
an address a pod, a root folder of their own for its containers, init containers in order, probes, logs, restarts with
back-off, graceful ends. It pulls no images and limits no resources: the one image that it can run is Ollama's.
"""
