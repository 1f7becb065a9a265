"""Rights and sight from the fleet: what each cluster's own reviews say, in the words of the pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sealane.console.problems import Refused
from sealane.console.services import Ref, Sight
from sealane.fleet import Cluster, Fleet
from sealane.fleet.rights import UNKNOWN, Verdict
from sealane.kube.resources import DEPLOYMENTS, EVENTS, NODES, PODS, QUEUES
from sealane.lib import text
from sealane.models import rights

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SHOWN = (PODS, EVENTS, NODES, QUEUES)


class RealRights:
    """Over one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def may(self, action: rights.Action, ref: Ref, *, weights: bool = False) -> Verdict:
        """Whether an action on a model (or, for `host`, in a namespace) is allowed, as far as is known."""
        cluster = self._fleet.clusters.get(ref.cluster)
        if cluster is None:
            return UNKNOWN
        return rights.may(cluster, action, ref.namespace, name=ref.name, weights=weights)

    def sights(self) -> Sequence[Sight]:
        """Clusters of which not everything may be seen."""
        found = [sight_of(cluster) for cluster in self._fleet.clusters.values() if cluster.state.answers]
        hiding = [sight for sight in found if sight.models != "all" or sight.hidden]
        return sorted(hiding, key=lambda sight: sight.models == "all")

    def namespaces(self, cluster: str) -> Sequence[str]:
        """Namespaces in which something may be seen."""
        found = self._fleet.clusters.get(cluster)
        return found.namespaces() if found else ()

    def name(self, cluster: str, namespace: str) -> None:
        """Look into a namespace from now on. Raises UnknownCluster, and Refused for what can be no name."""
        if not _NAME.fullmatch(namespace):
            sentence = "A namespace is written in small letters, digits and hyphens, at most 63 of them."
            raise Refused(sentence, fields={"namespace": sentence})
        self._fleet.cluster(cluster).hint(namespace)


def sight_of(cluster: Cluster) -> Sight:
    """What may not be seen in a cluster, as one sentence."""
    hidden = tuple(kind.plural for kind in _SHOWN if cluster.freshness(kind).state == "forbidden")
    reads = cluster.reads(DEPLOYMENTS)
    forbidden = cluster.freshness(DEPLOYMENTS).state == "forbidden"
    if forbidden:
        looked = f" Looked into: {text.listing(reads)}." if reads else ""
        models = f"You have no permission to list models in {cluster.name}, so nobody can say whether any run.{looked}"
    elif reads is not None:
        models = f"You may list models of {cluster.name} in {text.listing(reads)} alone; others are not shown."
    else:
        models = ""
    also = f"You have no permission to list {text.listing(hidden)} of {cluster.name}." if hidden else ""
    return Sight(
        cluster=cluster.name,
        models="none" if forbidden else "all" if reads is None else "some",
        namespaces=reads or (),
        hidden=hidden,
        sentence=" ".join(part for part in (models, also) if part),
    )
