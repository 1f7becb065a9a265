"""KAI's binder: reservation pods for shared cards, the BindRequest, labels and annotations, and the binding itself.

A shared card is held by a pod `gpu-reservation-…` in kai-resource-reservation for as long as anybody uses the card;
`ReservationKeeper` ends it afterwards.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Sequence
from fractions import Fraction

from sealane.kube import quantities
from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key
from sealane.sandbox.world.scheduler import binding, cards, decide

NAME = "binder"
CONFIGMAP = "runai/shared-gpu-configmap"


def place(cluster: Cluster, placement: decide.Placement, gang: Sequence[decide.Placement]) -> None:
    """Bind one placed pod with everything that KAI writes. `gang` shares the names of new groups."""
    pod, where = placement.pod, placement.place
    group = where.group
    if where.part and group.startswith("new-"):
        group = _reserve(cluster, where.node, _owner_key(placement, gang))
    if where.part:
        _share(cluster, pod, group, where)
    _request(cluster, pod, where, group)
    text = f"Pod bound successfully to node {where.node}"
    namespace, name = objects.key(pod)
    assigned = f"Successfully assigned pod {namespace}/{name} to node {where.node} at node-pool default"
    cluster.event(pod, "Scheduled", assigned, component="kai-scheduler")
    binding.bind(cluster, pod, where.node, manager=NAME, message=text)
    cluster.event(pod, "Bound", text, component=NAME)


def spell(amount: Fraction) -> str:
    """`1`, `1500m`: GPUs and cores as KAI writes them."""
    return quantities.spell(amount)


def _owner_key(placement: decide.Placement, gang: Sequence[decide.Placement]) -> str:
    first = next(item for item in gang if item.place.group == placement.place.group)
    return objects.uid(first.pod) + first.place.group


def _reserve(cluster: Cluster, node: str, key: str) -> str:
    """The uuid of the group that this gang's new card got; makes the reservation pod the first time."""
    group = str(uuid.UUID(int=random.Random(key).getrandbits(128), version=4))  # noqa: S311 - a name, not a secret
    reservations = cluster.list("pods", cards.RESERVATIONS, labels={cards.GROUP: group})
    if reservations:
        return group
    found = cluster.get("nodes", "", node)
    count = int(objects.number((found or {}).get("status", {}).get("allocatable", {}).get(cards.GPU, 0)))
    index = cards.free_index(node, count, cluster.list("pods", cards.RESERVATIONS))
    cluster.create(
        "pods",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"gpu-reservation-{node}-{cluster.suffix()}",
                "namespace": cards.RESERVATIONS,
                "labels": {"app": "kai-resource-reservation", cards.GROUP: group},
                "annotations": {cards.INDEX: f"GPU-{node}-{index}"},
            },
            "spec": {
                "nodeName": node,
                "serviceAccountName": "kai-resource-reservation",
                "containers": [
                    {
                        "name": "resource-reservation",
                        "image": "ghcr.io/kai-scheduler/kai-scheduler/resource-reservation:v0.12.0",
                        "resources": {"limits": {cards.GPU: "1"}, "requests": {"cpu": "1m", "memory": "10Mi"}},
                    }
                ],
            },
        },
        manager=NAME,
    )
    return group


def _share(cluster: Cluster, pod: Obj, group: str, where: cards.Place) -> None:
    def change(obj: Obj) -> None:
        obj["metadata"].setdefault("labels", {})[cards.GROUP] = group
        obj["metadata"].setdefault("annotations", {})["received-resource-type"] = "Fraction"

    cluster.change("pods", *objects.key(pod), change, manager=NAME)
    base = objects.notes(pod).get(CONFIGMAP)
    if not base:
        return
    index = cards.index_of(where.node, group, cluster.list("pods", cards.RESERVATIONS))
    data = {
        "GPU_PORTION": f"{float(where.part):.2f}",
        "NVIDIA_VISIBLE_DEVICES": str(index),
        "RUNAI_NUM_OF_GPUS": f"{float(where.part):.2f}",
    }
    for name, values in ((f"{base}-0", data), (f"{base}-0-evar", {})):
        if cluster.get("configmaps", pod["metadata"]["namespace"], name) is None:
            reference = objects.owner_reference(pod, api_version="v1", kind="Pod", controller=False)
            meta = {"name": name, "namespace": pod["metadata"]["namespace"], "ownerReferences": [reference]}
            body: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": values}
            cluster.create("configmaps", body, manager=NAME)


def _request(cluster: Cluster, pod: Obj, where: cards.Place, group: str) -> None:
    if cluster.kind("bindrequests") is None:
        return
    namespace, name = objects.key(pod)
    devices = cards.ask_of(pod).devices
    reference = objects.owner_reference(pod, api_version="v1", kind="Pod", controller=False)
    body: Obj = {
        "apiVersion": "scheduling.run.ai/v1alpha2",
        "kind": "BindRequest",
        "metadata": {
            "name": f"{name[:50]}-{cluster.suffix()}",
            "namespace": namespace,
            "ownerReferences": [reference],
            "labels": {"pod-name": name[:63], "selected-node": where.node},
        },
        "spec": {
            "podName": name,
            "selectedNode": where.node,
            "receivedResourceType": "Fraction" if where.part else "Regular",
            "receivedGPU": {
                "count": 1 if where.part else devices,
                "portion": f"{float(where.part):.2f}" if where.part else "1.00",
            },
            **({"selectedGPUGroups": [group]} if where.part else {}),
        },
    }
    made = cluster.create("bindrequests", body, manager="kai-scheduler")

    def succeeded(obj: Obj) -> None:
        obj["status"] = {"phase": "Succeeded"}

    cluster.change("bindrequests", *objects.key(made), succeeded, manager=NAME, subresource="status")


class ReservationKeeper(Controller):
    """Ends the reservation of a card that nobody shares any more."""

    name = "binder-reservations"
    kinds = ("pods",)
    pace = 0.2

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        group = objects.labels(obj).get(cards.GROUP)
        return ((group,),) if group and obj["metadata"].get("namespace") != cards.RESERVATIONS else ()

    def reconcile(self, key: Key) -> float | None:
        members = self.cluster.list("pods", labels={cards.GROUP: key[0]})
        users = [pod for pod in members if pod["metadata"]["namespace"] != cards.RESERVATIONS]
        if any(pod.get("status", {}).get("phase") not in objects.FINISHED for pod in users):
            return None
        for pod in members:
            if pod["metadata"]["namespace"] == cards.RESERVATIONS:
                self.cluster.delete("pods", pod, grace_seconds=0)
        return None
