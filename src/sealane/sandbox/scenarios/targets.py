"""What a scenario is about: a hosted model of the cluster with its node and queue, or the cluster alone.

The first model that answers is taken unless one is named, so that breaking something needs no answer to a question.
"""

from __future__ import annotations

from sealane.sandbox.scenarios.book import Scenario
from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj

_MODEL = "sealane.dev/model"
_MANAGED = {"app.kubernetes.io/managed-by": "sealane"}
_QUEUE = "kai.scheduler/queue"


class NoTarget(LookupError):
    """There is nothing to break; the text is one sentence."""


def find(scenario: Scenario, cluster: Cluster, *, model: str = "") -> dict[str, str]:
    """The names that the scenario's texts use. `model` is a hosted model's name, or `namespace/name`.

    Raises NoTarget.
    """
    names = {"cluster": cluster.name}
    if scenario.needs == "nothing":
        return names
    hosted = _hosted(cluster)
    wanted = [item for item in hosted if model in {"", objects.key(item)[1], "/".join(objects.key(item))}]
    if model and not wanted:
        known = ", ".join(objects.key(item)[1] for item in hosted) or "none"
        raise NoTarget(f"There is no hosted model {model} in {cluster.name}; hosted there: {known}.")
    if scenario.needs == "queue":
        wanted = [item for item in wanted if objects.labels(item["spec"]["template"]).get(_QUEUE)]
    running = [(item, pod) for item in wanted for pod in _pods(cluster, item)]
    if not running:
        what = f"copy of {model}" if model else "hosted model"
        queue = " in a queue" if scenario.needs == "queue" else ""
        raise NoTarget(f"{scenario.title} needs a {what}{queue} that has a node in {cluster.name}; host one first.")
    deployment, pod = next(((item, pod) for item, pod in running if objects.ready(pod)), running[0])
    return names | {
        "namespace": deployment["metadata"]["namespace"],
        "name": deployment["metadata"]["name"],
        "model": objects.notes(deployment).get(_MODEL, deployment["metadata"]["name"]),
        "node": pod["spec"]["nodeName"],
        "queue": objects.labels(deployment["spec"]["template"]).get(_QUEUE, ""),
    }


def _hosted(cluster: Cluster) -> list[Obj]:
    return [item for item in cluster.list("deployments", labels=_MANAGED) if _MODEL in objects.notes(item)]


def _pods(cluster: Cluster, deployment: Obj) -> list[Obj]:
    namespace, name = objects.key(deployment)
    labels = _MANAGED | {"app.kubernetes.io/name": name}
    pods = cluster.list("pods", namespace, labels=labels)
    return [pod for pod in pods if pod["spec"].get("nodeName") and objects.active(pod)]
