"""Byte streams through the API server: what exec, attach, port-forward and proxied WebSockets speak."""
