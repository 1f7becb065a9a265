"""Who holds what: `PodGroup.status.resourcesStatus` and `Queue.status`, as KAI's two status controllers write them.

GPUs in devices (`1500m` for one and a half), CPU in cores, memory as written. A queue that nothing ever used keeps no
status; a parent lists its children and carries their sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from sealane.kube import quantities
from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key
from sealane.sandbox.world.scheduler import cards, decide, queues
from sealane.sandbox.world.scheduler.grouper import GROUP_NAME

Amounts = dict[str, Fraction]
_GPU_MEMORY = "run.ai/gpu.memory"


class Accounts(Controller):
    """Recounts everything after a burst of changes: the sums are small and always right."""

    name = "queue-controller"
    kinds = ("pods", "podgroups", "queues")
    pace = 0.3
    warm_pace = 0.1

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "pods" and GROUP_NAME not in objects.notes(obj):
            return ()
        return (("all",),)

    def reconcile(self, key: Key) -> float | None:
        nodes = self.cluster.list("nodes")
        members: dict[tuple[str, str], list[Obj]] = {}
        for pod in self.cluster.list("pods"):
            name = objects.notes(pod).get(GROUP_NAME)
            if name and pod.get("status", {}).get("phase") not in objects.FINISHED:
                members.setdefault((pod["metadata"]["namespace"], name), []).append(pod)
        per_queue: dict[str, list[dict[str, Amounts]]] = {}
        for group in self.cluster.list("podgroups"):
            status = _of_group(group, members.get(objects.key(group), []), nodes)
            per_queue.setdefault(group["spec"].get("queue", ""), []).append(status)
            self._write("podgroups", group, {"resourcesStatus": _spelled(status)})
        self._queues(per_queue)
        return None

    def _queues(self, per_queue: dict[str, list[dict[str, Amounts]]]) -> None:
        found = self.cluster.list("queues")
        specs = {queue["metadata"]["name"]: queue for queue in found}
        sums: dict[str, dict[str, Amounts]] = {}
        for name, statuses in per_queue.items():
            for above in queues.ancestors(name, specs):
                total = sums.setdefault(above, {"allocated": {}, "allocatedNonPreemptible": {}, "requested": {}})
                for status in statuses:
                    for field in total:
                        total[field] = objects.total([total[field], status.get(field, {})])
        for queue in found:
            name = queue["metadata"]["name"]
            children = sorted(other for other, spec in specs.items() if spec["spec"].get("parentQueue") == name)
            values: Obj = _spelled(sums[name]) if name in sums else {}
            if children:
                values["childQueues"] = children
            if values or queue.get("status"):
                self._write("queues", queue, values or _spelled({"allocated": {}, "requested": {}}))

    def _write(self, plural: str, obj: Obj, values: Obj) -> None:
        def change(target: Obj) -> None:
            status = target.setdefault("status", {})
            for stale in ("allocated", "allocatedNonPreemptible", "requested", "childQueues", "resourcesStatus"):
                if stale not in values:
                    status.pop(stale, None)
            status.update(values)

        self.cluster.change(plural, *objects.key(obj), change, manager=self.name, subresource="status")


def _of_group(group: Obj, pods: list[Obj], nodes: list[Obj]) -> dict[str, Amounts]:
    spec = group["spec"]
    labels = {"kai.scheduler/preemptibility": spec.get("preemptibility", "")}
    bound = [pod for pod in pods if pod["spec"].get("nodeName")]
    status = {"requested": objects.total(_asked(pod) for pod in pods)}
    if bound:
        status["allocated"] = objects.total(_held(pod, nodes) for pod in bound)
        if not queues.preemptible(labels, spec.get("priorityClassName", "")):
            status["allocatedNonPreemptible"] = status["allocated"]
    return status


def _asked(pod: Obj) -> Amounts:
    amounts = _plain(pod)
    ask = cards.ask_of(pod)
    if ask.memory_mib:
        amounts[_GPU_MEMORY] = Fraction(ask.memory_mib)
    elif ask.any:
        amounts[cards.GPU] = ask.fraction or Fraction(ask.devices)
    return amounts


def _held(pod: Obj, nodes: list[Obj]) -> Amounts:
    amounts = _plain(pod)
    gpus = decide.gpus_of(pod, nodes)
    if gpus:
        amounts[cards.GPU] = gpus
    return amounts


def _plain(pod: Obj) -> Amounts:
    return {name: amount for name, amount in objects.requests(pod).items() if name in {"cpu", "memory"}}


def _spelled(status: dict[str, Amounts]) -> dict[str, dict[str, str]]:
    return {
        field: {name: _spell(name, amount) for name, amount in amounts.items()}
        for field, amounts in status.items()
        if amounts or field != "allocatedNonPreemptible"
    }


def _spell(name: str, amount: Fraction) -> str:
    style = quantities.Style.BINARY if name == "memory" else quantities.Style.DECIMAL
    return quantities.spell(amount, style=style)
