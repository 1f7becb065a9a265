"""The planner over the live facts. A cluster that cannot be read cannot be planned on; that is said, not guessed."""

from __future__ import annotations

from collections.abc import Sequence

from sealane.console.real.clusters import RealClusters
from sealane.fleet.errors import ClusterUnavailable
from sealane.gpus.facts import ClusterFacts
from sealane.lib.errors import NextStep
from sealane.models import fit, plan, renderings
from sealane.models.types import Fit, ModelCard, ModelSpec, Placement, Plan


class RealPlanner:
    """Fit, places, plan and its renderings."""

    def __init__(self, clusters: RealClusters) -> None:
        self._clusters = clusters

    def fit(self, card: ModelCard, *, context: int) -> Fit:
        """What one copy needs."""
        return fit.fit(card, context=context)

    def places(self, found: Fit) -> Sequence[Placement]:
        """Every cluster and leaf queue with its answer."""
        return fit.places(found, self._clusters.facts())

    def plan(self, spec: ModelSpec, card: ModelCard, *, update: bool = False) -> Plan:
        """What would be created. Raises ClusterUnavailable when the cluster cannot be read now."""
        return plan.plan(spec, card, self._facts(spec.cluster), update=update)

    def yaml(self, made: Plan) -> str:
        return renderings.as_yaml(made)

    def kubectl(self, made: Plan) -> str:
        return renderings.as_kubectl(made)

    def helm(self, made: Plan) -> str:
        return renderings.as_helm_values(made)

    def _facts(self, cluster: str) -> ClusterFacts:
        for facts in self._clusters.facts():
            if facts.name == cluster:
                return facts
        raise ClusterUnavailable(
            f"The cluster {cluster} cannot be read now, so nothing can be planned on it.",
            next_steps=(NextStep(title="See its cause under Clusters", command="sealane doctor"),),
        )
