"""ClusterRole aggregation: a role with an aggregation rule has the rights of all ClusterRoles that it selects.

The real controller writes the union into `rules`, sorted by the names of the roles it comes from and without doubles,
and takes back what a person writes there.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealane.kube import selectors
from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key


class ClusterRoleAggregator(Controller):
    """Keyed by the aggregating role: any change of a ClusterRole may touch all of them."""

    name = "clusterrole-aggregation"
    kinds = ("clusterroles",)
    warm_pace = 0.1

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        return [objects.key(role) for role in self.cluster.list("clusterroles") if role.get("aggregationRule")]

    def reconcile(self, key: Key) -> float | None:
        role = self.cluster.get("clusterroles", "", key[1])
        if role is None or not role.get("aggregationRule") or objects.deleting(role):
            return None
        chosen = [selectors.of_object(item) for item in role["aggregationRule"].get("clusterRoleSelectors") or ()]
        rules: list[Obj] = []
        for other in self.cluster.list("clusterroles"):
            if other["metadata"]["name"] == key[1]:
                continue
            if any(selector.matches(objects.labels(other)) for selector in chosen):
                rules += [rule for rule in other.get("rules") or () if rule not in rules]

        def change(obj: Obj) -> None:
            obj["rules"] = rules

        self.cluster.change("clusterroles", "", key[1], change, manager="clusterrole-aggregation-controller")
        return None
