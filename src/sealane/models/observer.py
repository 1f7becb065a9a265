"""Follows every hosted model of every cluster: its stage now, how it came there, and a word to whoever wants to know.

The fleet's cache says when something changed; the observer then reads the stage anew (pure, cheap) and compares. Pods
get a follower each, which asks their engines. The observer keeps history only; the truth stays in the clusters, so
that a second observer, or a new one after a restart, sees the same.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from types import TracebackType

import msgspec

from sealane.fleet import Cluster, Fleet
from sealane.fleet.subscriptions import Hub, Subscription
from sealane.lib.clock import Clock
from sealane.models import hosted, stages
from sealane.models.follower import Follower
from sealane.models.hosted import Key
from sealane.models.stage_views import DeploymentView, PodView, Snapshot
from sealane.models.types import Hosted, Stage

_log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between looks without an event: waits change their sentence as they grow old."""

LOOK_PACE = 0.1
"""Least seconds between two looks, however busy a cluster is."""

HISTORY, REMEMBERED = 60, 200
"""Changes kept a model, and models kept after they were removed."""


class StageChange(msgspec.Struct, frozen=True):
    """A stage, or another reason for the same one, and when it was seen."""

    at: datetime.datetime
    stage: Stage


class Observer:
    """An async context manager over an entered Fleet. `hosted`, `stage` and `history` never wait."""

    def __init__(self, fleet: Fleet, *, clock: Clock | None = None) -> None:
        self._fleet = fleet
        self._clock = clock or fleet.clock
        self._hub: Hub[Key] = Hub(self._clock)
        self._history: OrderedDict[Key, list[StageChange]] = OrderedDict()
        self._present: set[Key] = set()
        self._followers: dict[Key, dict[str, Follower]] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._clusters = dict(fleet.clusters)
        self._group: asyncio.TaskGroup | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._changes = fleet.subscribe(pace=LOOK_PACE, kinds=hosted.KINDS)

    # -- reading ------------------------------------------------------------------------------------------------

    def hosted(self) -> list[Hosted]:
        """All hosted models as of now, by cluster, namespace and name."""
        found: list[Hosted] = []
        for cluster in self._fleet.clusters.values():
            for deployment in hosted.deployments(cluster):
                meta = deployment.metadata
                found.append(hosted.row(cluster.name, deployment, self.stage(cluster.name, meta.namespace, meta.name)))
        return found

    def stage(self, cluster: str, namespace: str, name: str) -> Stage:
        """Where a model stands now. Raises NotHosted when nothing of that name is, or lately was, hosted there."""
        key = Key(cluster, namespace, name)
        found = self._picture(key)
        if found.deployment is None and key not in self._history:
            known = [each.metadata.name for each in hosted.deployments(self._fleet.cluster(cluster))]
            raise hosted.not_hosted(key, known)
        return stages.stage_of(found)

    def copies(self, cluster: str, namespace: str, name: str) -> dict[str, Stage]:
        """The stage of each copy, by pod name."""
        return stages.copy_stages(self._picture(Key(cluster, namespace, name)))

    def picture(self, cluster: str, namespace: str, name: str) -> Snapshot:
        """All that the stage is read from: deployment, pods, events, pod groups, what the engines said."""
        return self._picture(Key(cluster, namespace, name))

    def history(self, cluster: str, namespace: str, name: str) -> list[StageChange]:
        """The stages that were seen, oldest first; also of a model that was removed lately."""
        return list(self._history.get(Key(cluster, namespace, name), ()))

    def subscribe(self) -> Subscription[Key]:
        """Batches of models whose stage, sentence, progress or copies changed; the caller closes it."""
        return self._hub.subscribe()

    async def follow(self, cluster: str, namespace: str, name: str) -> AsyncGenerator[Stage, None]:
        """Each change of one model's stage, beginning with the stage now; for ever, so the caller sets the limit. A
        model that was only just submitted, and is not in the cache yet, is Submitted."""
        key = Key(cluster, namespace, name)
        subscription = self.subscribe()
        told: Stage | None = None
        try:
            async for batch in subscription:
                if key not in batch:
                    continue
                stage = self._stage_of_new(key)
                if told is None or not _alike(told, stage):
                    told = stage
                    yield stage
        finally:
            subscription.close()

    def _stage_of_new(self, key: Key) -> Stage:
        found = self._picture(key)
        if found.deployment is None and key not in self._history:
            return Stage(stage="Submitted", sentence=f"{key.name} was sent to {key.cluster}.")
        return stages.stage_of(found)

    def _picture(self, key: Key) -> Snapshot:
        """`engines` is what each copy's engine said last, by pod name."""
        engines = {name: follower.facts for name, follower in self._followers.get(key, {}).items()}
        return hosted.picture(self._fleet.cluster(key.cluster), key.namespace, key.name, engines=engines)

    # -- running ------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Observer:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._loops = [
            self._group.create_task(self._listen(), name="observe changes"),
            self._group.create_task(self._tick(), name="observe time"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._changes.close()
        self._hub.close()
        for task in (*self._loops, *self._tasks.values()):
            task.cancel()
        if self._group is not None:
            await self._group.__aexit__(None, None, None)
            self._group = None

    async def _listen(self) -> None:
        async for batch in self._changes:
            self._leave()
            touched = {name for name, kind in batch if kind is None or kind in hosted.KINDS}
            self._look(self._fleet.clusters if batch.everything else touched)

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY)
            self._look(self._fleet.clusters)

    def _leave(self) -> None:
        """Let go of clusters that the fleet follows no more, or that another one has taken the name of."""
        now = self._fleet.clusters
        left = {name for name, cluster in self._clusters.items() if now.get(name) is not cluster}
        self._clusters = dict(now)
        if not left:
            return
        for pod_key in [key for key in self._tasks if key[0] in left]:
            self._tasks.pop(pod_key).cancel()
        gone = {key for key in (*self._history, *self._present, *self._followers) if key.cluster in left}
        self._present -= gone
        for key in gone:
            self._followers.pop(key, None)
            self._history.pop(key, None)
            self._hub.publish(key)

    def _look(self, names: Iterable[str]) -> None:
        for name in list(names):
            cluster = self._fleet.clusters.get(name)
            if cluster is None:  # it left since the batch was made
                continue
            try:
                self._look_at(cluster)
            except Exception:  # noqa: BLE001 - a task's border: one odd object must not end the watch over the others
                _log.exception("looking at the models of %s failed", name)

    def _look_at(self, cluster: Cluster) -> None:
        for kind in hosted.KINDS:
            cluster.freshness(kind)  # begins the watch, so that a model's first second misses nothing
        present = [
            Key(cluster.name, deployment.metadata.namespace, deployment.metadata.name)
            for deployment in hosted.deployments(cluster)
        ]
        gone = {key for key in self._present if key.cluster == cluster.name}.difference(present)
        self._present = (self._present - gone).union(present)
        for key in present:
            self._note(key)
        self._follow_pods(cluster)
        for key in gone:
            self._followers.pop(key, None)
            self._note(key)

    def _follow_pods(self, cluster: Cluster) -> None:
        """A follower for each pod that has a node; those of pods that are gone end."""
        pods: dict[str, str] = {}
        for deployment, pod in hosted.managed_pods(cluster):
            if pod.spec.node_name and not pod.leaving:
                pods[pod.metadata.uid] = pod.metadata.name
                self._follow_pod(cluster, deployment, pod)
        for pod_key in [key for key in self._tasks if key[0] == cluster.name and key[1] not in pods]:
            self._tasks.pop(pod_key).cancel()
        for key, held in self._followers.items():
            if key.cluster == cluster.name:
                self._followers[key] = {name: each for name, each in held.items() if name in pods.values()}

    def _follow_pod(self, cluster: Cluster, deployment: DeploymentView, pod: PodView) -> None:
        """Give a pod its follower, or wake the one it has."""
        meta = deployment.metadata
        key, uid = Key(cluster.name, meta.namespace, meta.name), pod.metadata.uid
        held = self._followers.setdefault(key, {})
        if (cluster.name, uid) in self._tasks:
            if pod.metadata.name in held:
                held[pod.metadata.name].wake(pod)
            return
        follower = Follower(
            cluster,
            pod,
            model=deployment.model,
            insecure="--insecure" in deployment.env("SEALANE_PULL_FLAGS"),
            clock=self._clock,
            changed=lambda: self._note(key),
        )
        held[pod.metadata.name] = follower
        if self._group is not None:
            name = f"follow {cluster.name}/{meta.namespace}/{pod.metadata.name}"
            self._tasks[(cluster.name, uid)] = self._group.create_task(follower.run(), name=name)

    def _note(self, key: Key) -> None:
        """Read the stage anew; keep it and tell of it if it is another."""
        snapshot = self._picture(key)
        stage = stages.stage_of(snapshot)
        changes = self._history.setdefault(key, [])
        if not changes and stage.stage != "Submitted":
            self._first(snapshot, changes)
        last = changes[-1].stage if changes else None
        if last is not None and _alike(last, stage):
            return
        change = StageChange(self._clock.now(), stage)
        if last is not None and last.stage == stage.stage == "Pulling":
            changes[-1] = StageChange(changes[-1].at, stage)
        else:
            changes.append(change)
            del changes[:-HISTORY]
        self._history.move_to_end(key)
        gone = [each for each in self._history if each not in self._present]
        for each in gone[: max(0, len(gone) - REMEMBERED)]:
            del self._history[each]
        self._hub.publish(key)

    @staticmethod
    def _first(snapshot: Snapshot, changes: list[StageChange]) -> None:
        """A model begins with its submission, also when nobody watched then."""
        made = snapshot.deployment.metadata.creation_timestamp if snapshot.deployment else None
        if made is not None:
            told = f"{snapshot.name} was submitted."
            changes.append(StageChange(made, Stage(stage="Submitted", sentence=told)))


def _alike(one: Stage, other: Stage) -> bool:
    """The same but for the seconds, which always run."""
    return (one.stage, one.sentence, one.done_bytes) == (other.stage, other.sentence, other.done_bytes)
