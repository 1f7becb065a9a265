"""The KAI-like scheduler: takes the pod groups that wait, decides (`decide`), binds or explains.

What it writes is what KAI 0.12.0 was seen to write: the PodGroup's scheduling condition with reasons and queue
details (which, as on the real one, is never taken back), the pod's PodScheduled condition, the events with KAI's
types. A missing queue leaves no trace at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from sealane.sandbox.world import objects
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key
from sealane.sandbox.world.scheduler import binder, binding, decide, fitting, queues, words
from sealane.sandbox.world.scheduler.grouper import GROUP_NAME, SCHEDULER

_AT_ONCE = 8  # groups bound before other controllers get a turn


class KaiScheduler(Controller):
    """One key: all waiting groups are considered whenever something may have changed."""

    name = "kai-scheduler"
    kinds = ("pods", "podgroups", "nodes", "queues")
    pace = 0.5
    warm_pace = 0.05

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if plural == "podgroups" and change == "MODIFIED":
            return ()
        return (("all",),)

    def reconcile(self, key: Key) -> float | None:
        refused: set[str] = set()
        world = self._world()
        for _ in range(_AT_ONCE):
            while True:
                group = next((item for item in _waiting(world) if item.name not in refused), None)
                if group is None:
                    return None
                if self._consider(group, world):
                    break
                refused.add(group.name)
            world = self._world()
        return 0.05

    def _world(self) -> decide.World:
        pods = self.cluster.list("pods")
        nodes = [node for node in self.cluster.list("nodes") if fitting.ready(node)]
        specs = {objects.key(item): item for item in self.cluster.list("podgroups")}
        groups = _groups(pods, specs)
        loads = [
            _load(groups[key], pod, nodes)
            for pod in pods
            if (key := objects.key(pod)) in groups and pod.get("status", {}).get("phase") not in objects.FINISHED
        ]
        return decide.World(nodes, pods, queues.tree(self.cluster.list("queues"), loads), groups)

    def _consider(self, group: decide.Group, world: decide.World) -> bool:
        """True when the group (or a part of it) was bound, so that it may be looked at again."""
        decision = decide.decide(group, world)
        if decision.placements:
            for placement in decision.placements:
                binder.place(self.cluster, placement, decision.placements)
            return True
        if decision.refusal is not None and not decision.refusal.silent:
            self._explain(group, world, decision.refusal)
        if decision.victims:
            self._evict(group, world, decision)
        return False

    def _explain(self, group: decide.Group, world: decide.World, refusal: decide.Refusal) -> None:
        namespace, _, name = group.name.partition("/")
        found = self.cluster.get("podgroups", namespace, name)
        if found is None:
            return
        gpus = sum((decide.gpus_of(pod, world.nodes) for pod in group.pods), Fraction(0))
        wanted = _condition(refusal, group, gpus)
        known = (found.get("status", {}).get("schedulingConditions") or [{}])[-1]
        if known.get("message") != wanted["message"]:
            wanted["lastTransitionTime"] = self.cluster.clock.stamp()
            wanted["transitionID"] = str(int(known.get("transitionID", "0")) + 1)

            def status(obj: Obj) -> None:
                obj.setdefault("status", {})["schedulingConditions"] = [wanted]

            self.cluster.change("podgroups", namespace, name, status, manager=SCHEDULER, subresource="status")
            self.cluster.event(found, "Unschedulable", refusal.message, component=SCHEDULER)
        for pod in group.pods:
            before = objects.condition(pod, "PodScheduled")
            if before is None or before.get("message") != refusal.pod_message:
                binding.refuse(self.cluster, pod, refusal.pod_message, manager=SCHEDULER)
                self.cluster.event(pod, "Unschedulable", refusal.pod_message, type="Warning", component=SCHEDULER)

    def _evict(self, group: decide.Group, world: decide.World, decision: decide.Decision) -> None:
        for key in decision.victims:
            victim = self.cluster.get("pods", *key)
            owner = world.groups[key]
            if victim is None:
                continue
            queue = world.queues[owner.queue]
            text = (
                words.reclaimed("/".join(key), group.name, queue=queue.name, uses=queue.allocated, quota=queue.quota)
                if decision.reclaim
                else words.preempted("/".join(key), group.name)
            )
            namespace, _, name = owner.name.partition("/")
            pod_group = self.cluster.get("podgroups", namespace, name)
            if pod_group is not None:
                self.cluster.event(pod_group, "Evict", text, component=SCHEDULER)
            self.cluster.delete("pods", victim)
        for pod in group.pods[:1]:
            text = f"Pod {'/'.join(objects.key(pod))} was pipelined to a node whose pods are being evicted"
            self.cluster.event(pod, "Pipelined", text, component=SCHEDULER)


def _groups(pods: Sequence[Obj], specs: dict[tuple[str, str], Obj]) -> dict[tuple[str, str], decide.Group]:
    members: dict[tuple[str, str], list[Obj]] = {}
    for pod in pods:
        name = objects.notes(pod).get(GROUP_NAME)
        if name and pod["spec"].get("schedulerName") == SCHEDULER:
            members.setdefault((pod["metadata"]["namespace"], name), []).append(pod)
    found: dict[tuple[str, str], decide.Group] = {}
    for key, mine in members.items():
        if key not in specs:
            continue
        spec = specs[key]["spec"]
        priority = spec.get("priorityClassName", "")
        labels = {"kai.scheduler/preemptibility": spec.get("preemptibility", "")}
        group = decide.Group(
            name="/".join(key),
            queue=spec.get("queue", ""),
            pods=tuple(pod for pod in mine if binding.waiting(pod, SCHEDULER)),
            running=sum(objects.holds_resources(pod) for pod in mine),
            minimum=int(spec.get("minMember", 1)),
            priority=queues.PRIORITIES.get(priority, 50),
            preemptible=queues.preemptible(labels, priority),
        )
        for pod in mine:
            found[objects.key(pod)] = group
    return found


def _load(group: decide.Group, pod: Obj, nodes: Sequence[Obj]) -> queues.Load:
    gpus = decide.gpus_of(pod, nodes)
    held = gpus if pod["spec"].get("nodeName") else Fraction(0)
    asked = held if objects.deleting(pod) else gpus
    return queues.Load(group.queue, held, asked, group.preemptible)


def _waiting(world: decide.World) -> list[decide.Group]:
    """Groups with pods to start: first who holds least of the quota, then priority, then age."""
    unique = {group.name: group for group in world.groups.values() if group.pods}

    def rank(group: decide.Group) -> tuple[float, int, str, str]:
        queue = world.queues.get(group.queue)
        held = float(queue.allocated / queue.quota) if queue is not None and queue.quota > 0 else 0.0
        created = group.pods[0]["metadata"].get("creationTimestamp", "")
        return held, -group.priority, created, group.name

    return sorted(unique.values(), key=rank)


def _condition(refusal: decide.Refusal, group: decide.Group, gpus: Fraction) -> Obj:
    condition: Obj = {
        "type": "UnschedulableOnNodePool",
        "status": "True",
        "nodePool": "default",
        "reason": "Unschedulable",
        "message": words.joined(refusal.reason, refusal.message) if refusal.reason else refusal.message,
    }
    if refusal.reason:
        reason: Obj = {"reason": refusal.reason, "message": refusal.message}
        if refusal.queue is not None:
            reason["details"] = {"queueDetails": _details(refusal.queue, group, gpus)}
        condition["reasons"] = [reason]
    return condition


def _details(queue: queues.Queue, group: decide.Group, gpus: Fraction) -> Obj:
    asked = _resources(group.pods, gpus)
    mine = {} if group.preemptible else asked
    return {
        "name": queue.name,
        "podGroupRequestedResources": asked,
        "podGroupRequestedNonPreemptibleResources": mine or _amounts(Fraction(0)),
        "queueAllocatedResources": _amounts(queue.allocated),
        "queueAllocatedNonPreemptibleResources": _amounts(queue.non_preemptible),
        "queueDeservedResources": {"cpu": "-1m", "memory": "-1", fitting.GPU: _spell(queue.quota)},
        "queueRequestedResources": _amounts(queue.requested),
        "queueResourceLimits": {"cpu": "-1m", "memory": "-1", fitting.GPU: _spell(queue.limit)},
    }


def _resources(pods: Sequence[Obj], gpus: Fraction) -> dict[str, str]:
    asked = objects.total(objects.requests(pod) for pod in pods)
    return {
        "cpu": binder.spell(asked.get("cpu", Fraction(0))),
        "memory": str(int(asked.get("memory", Fraction(0)))),
        fitting.GPU: _spell(gpus),
    }


def _amounts(gpus: Fraction) -> dict[str, str]:
    return {fitting.GPU: _spell(gpus)}


def _spell(amount: Fraction) -> str:
    return binder.spell(amount)
