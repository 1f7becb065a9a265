"""All kubelets of a cluster: starts a task for every bound pod, ends it when the pod is deleted.

A pod that runs on a node is only gone when its kubelet says so: on deletion the containers are told to stop, given
the time that they need (never more than the grace period), and then the object is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Iterable

from sealane.sandbox.world import objects
from sealane.sandbox.world.cluster import Cluster
from sealane.sandbox.world.kubelet.images import Images
from sealane.sandbox.world.kubelet.pod import PodRun
from sealane.sandbox.world.kubelet.volumes import Volumes
from sealane.sandbox.world.ports import Obj
from sealane.sandbox.world.runner import Controller, Key

log = logging.getLogger(__name__)
_STOP_SECONDS = 0.6
_SLEEP = re.compile(r"\bsleep\s+([0-9.]+)")


class Kubelet(Controller):
    """`runs` holds every pod that has a task, by uid. `silent` tells which nodes are cut off."""

    name = "kubelet"
    kinds = ("pods",)

    def __init__(self, cluster: Cluster, *, silent: Callable[[str], bool] = lambda _node: False) -> None:
        super().__init__(cluster)
        self.images = Images()
        self.volumes = Volumes()
        self.runs: dict[str, PodRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._addresses: dict[str, str] = {}
        self._silent = silent
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            for uid in list(self.runs):
                self._spawn(uid)
            await asyncio.Event().wait()

    def keys(self, change: str, plural: str, obj: Obj) -> Iterable[Key]:
        if change == "DELETED":
            return ((*objects.key(obj), objects.uid(obj)),)
        bound = obj["spec"].get("nodeName")
        interesting = objects.uid(obj) not in self.runs or objects.deleting(obj) or "ephemeralContainers" in obj["spec"]
        return ((*objects.key(obj), objects.uid(obj)),) if bound and interesting else ()

    def reconcile(self, key: Key) -> float | None:
        pod = self.cluster.get("pods", key[0], key[1])
        uid = key[2]
        if pod is None or objects.uid(pod) != uid:
            self._end(uid)
            return None
        if self._silent(pod["spec"].get("nodeName", "")):
            return 5.0
        if objects.deleting(pod):
            self._stop(uid, pod)
        elif uid not in self.runs and pod.get("status", {}).get("phase") not in objects.FINISHED:
            self._begin(uid, pod)
        elif uid in self.runs:
            self._add(uid, pod)
        return None

    def _add(self, uid: str, pod: Obj) -> None:
        """Run the ephemeral containers that are new in the pod."""
        run = self.runs[uid]
        for spec in pod["spec"].get("ephemeralContainers") or ():
            container = run.add(spec)
            if container is not None and self._group is not None:
                name = f"ephemeral container {container.name}"
                self._tasks[f"{uid}/{container.name}"] = self._group.create_task(run.once(container), name=name)

    def evict(self, uid: str, message: str) -> None:
        """End a pod because its node lacks something; the object stays, Failed, as a real one does."""
        run, task = self.runs.get(uid), self._tasks.pop(uid, None)
        if run is not None:
            run.evict(message)
        if task is not None:
            task.cancel()

    def heard(self, node: str) -> None:
        """The node is there again: its pods are told of as they stand."""
        for run in self.runs.values():
            if run.node == node:
                run.publish()

    def _begin(self, uid: str, pod: Obj) -> None:
        node = self.cluster.get("nodes", "", pod["spec"]["nodeName"])
        if node is None:
            return
        host = next((item["address"] for item in node["status"].get("addresses") or ()), "")
        self.runs[uid] = PodRun(
            pod,
            cluster=self.cluster,
            images_=self.images,
            volumes=self.volumes,
            ip=host if pod["spec"].get("hostNetwork") else self._address(node, uid),
            host_ip=host,
        )
        self._spawn(uid)

    def _spawn(self, uid: str) -> None:
        if self._group is not None:
            name = f"pod {self.runs[uid].pod['metadata']['name']}"
            self._tasks[uid] = self._group.create_task(self._live(self.runs[uid]), name=name)

    async def _live(self, run: PodRun) -> None:
        try:
            await run.live()
        except Exception:
            log.exception("%s: the simulation of pod %s failed", self.cluster.name, run.pod["metadata"]["name"])

    def _stop(self, uid: str, pod: Obj) -> None:
        task = self._tasks.get(f"{uid}/stop")
        if task is None and self._group is not None:
            name = f"stop {pod['metadata']['name']}"
            self._tasks[f"{uid}/stop"] = self._group.create_task(self._finish(uid, pod), name=name)

    async def _finish(self, uid: str, pod: Obj) -> None:
        """Graceful end: containers stop, the API forgets the pod."""
        run = self.runs.get(uid)
        grace = 0.0 if self.cluster.warm else float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        before = min(grace, _before_stop(pod))
        await self.cluster.clock.sleep(before)
        if run is not None:
            run.stopped()
        await self.cluster.clock.sleep(min(grace - before, _STOP_SECONDS))
        await self._cancel(uid)
        current = self.cluster.get("pods", *objects.key(pod))
        if current is not None and objects.uid(current) == uid:
            self.cluster.delete("pods", current, grace_seconds=0)
        self._end(uid)

    async def _cancel(self, uid: str) -> None:
        task = self._tasks.pop(uid, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((task,))

    def _end(self, uid: str) -> None:
        """Forget a pod that is gone, ending its task if it still has one (a forced deletion)."""
        run = self.runs.pop(uid, None)
        task = self._tasks.pop(uid, None)
        self._tasks.pop(f"{uid}/stop", None)
        self._addresses.pop(uid, None)
        if task is not None:
            task.cancel()
        if run is not None:
            for container in run.added:
                added = self._tasks.pop(f"{uid}/{container.name}", None)
                if added is not None:
                    added.cancel()
            for container in (*run.containers, *run.added):
                if container.running:
                    container.end(self.cluster.clock.now(), code=137, reason="Error")
            run.listeners.clear()
            self.volumes.forget_pod(run.pod)

    def _address(self, node: Obj, uid: str) -> str:
        """A free address of the node's range (`spec.podCIDR`, a /24)."""
        prefix = str(node["spec"].get("podCIDR", "10.244.0.0/24")).rsplit(".", 1)[0]
        taken = set(self._addresses.values())
        for number in range(2, 255):
            address = f"{prefix}.{number}"
            if address not in taken:
                self._addresses[uid] = address
                return address
        return f"{prefix}.255"


def _before_stop(pod: Obj) -> float:
    """Seconds that a preStop hook of the form `sleep N` keeps the containers serving."""
    longest = 0.0
    for container in pod["spec"].get("containers") or ():
        hook = (container.get("lifecycle") or {}).get("preStop") or {}
        command = " ".join((hook.get("exec") or {}).get("command") or ())
        found = _SLEEP.search(command)
        seconds = float(found.group(1)) if found else float((hook.get("sleep") or {}).get("seconds", 0))
        longest = max(longest, seconds)
    return longest
