"""Sealane: the happy path for AI on Kubernetes.

Nothing is imported here, so that `sealane --version` stays cheap; see docs/architecture.md for the layers.
"""

__version__ = "0.1.0"
