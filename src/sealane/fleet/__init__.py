"""Many clusters as one: a registry that never blocks, and a live cache fed by watches. See docs/fleet.md."""

from sealane.fleet.cluster import Cluster
from sealane.fleet.errors import ClusterUnavailable, UnknownCluster
from sealane.fleet.registry import Fleet, Replaced
from sealane.fleet.states import ClusterState, Freshness
from sealane.fleet.subscriptions import Batch, Subscription, touches

__all__ = [
    "Batch",
    "Cluster",
    "ClusterState",
    "ClusterUnavailable",
    "Fleet",
    "Freshness",
    "Replaced",
    "Subscription",
    "UnknownCluster",
    "touches",
]
