"""One pod of a hosted model, followed through its engine: attach to the pull, load the model, keep looking.

A follower asks at most once a second, whatever happens around it, and one stream (the pull) counts as one question. It
changes nothing that the pod would not do by itself: attaching to a pull joins the download that the init container
began, preloading is what the first request would cause. It ends when its pod is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sealane.fleet import Cluster
from sealane.kube import errors as kube_errors
from sealane.kube import resources
from sealane.lib import waiting
from sealane.lib.clock import Clock
from sealane.lib.errors import SealaneError
from sealane.models.engine import Engine, EngineClosed, EngineRefused, EngineUnreachable, same
from sealane.models.stage_views import ENGINE_CONTAINER, PULL_CONTAINER, EngineFacts, PodView, view

_log = logging.getLogger(__name__)

PACE = 1.0
"""Least seconds between two questions to one pod."""

IDLE, RECHECK, AFTER_REFUSAL, AFTER_CLOSED, AFTER_SILENCE = 2.0, 8.0, 10.0, 60.0, 4.0
"""Seconds. A node that dies is noticed by Kubernetes after 40 s; an engine that is asked each 8 s tells it sooner."""

MISSES = 2
"""Times in a row that an engine must be out of reach before it is called silent; a time-out counts as both."""

HICCUPS = 3
"""Times that a load may break off before it counts as failed: a runner that dies at its start is begun anew by the
engine, and mostly lives the second time (seen as `EOF` on a busy machine)."""

_BROKEN_OFF = ("eof", "connection reset", "connection refused", "broken pipe")


class Follower:
    """What the engine of one pod says. `facts` is current; `changed` is called when it changed."""

    def __init__(
        self,
        cluster: Cluster,
        pod: PodView,
        *,
        model: str,
        insecure: bool,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self.facts = EngineFacts()
        self._cluster = cluster
        self._namespace, self._name, self._uid = pod.metadata.namespace, pod.metadata.name, pod.metadata.uid
        self._engine = Engine(cluster.client, self._name, namespace=self._namespace)
        self._model = model
        self._insecure = insecure
        self._clock = clock
        self._changed = changed
        self._wake = asyncio.Event()
        self._asked = float("-inf")
        self._version = pod.metadata.resource_version
        self._phase = ""
        self._hiccups = 0
        self._misses = 0

    def wake(self, pod: PodView) -> None:
        """Look at once if the pod changed."""
        if pod.metadata.resource_version != self._version:
            self._version = pod.metadata.resource_version
            self._wake.set()

    async def run(self) -> None:
        """Follow until the pod is gone or leaving."""
        while True:
            try:
                pod = self._pod()
                if pod is None:
                    return
                rest = await self._turn(pod)
            except Exception:  # noqa: BLE001 - a task's border: one odd pod must not end the observer
                _log.exception("following %s/%s failed and begins anew", self._namespace, self._name)
                rest = IDLE
            self._wake.clear()
            await waiting.until(self._wake, clock=self._clock, seconds=rest)

    async def _turn(self, pod: PodView) -> float:
        """One step, whatever the engine says to it; returns the seconds until the next."""
        try:
            rest = await self._step(pod)
            self._misses = 0
            return rest
        except EngineClosed:
            self._tell(EngineFacts(closed=True))
            return AFTER_CLOSED
        except EngineRefused as error:
            if self._hiccups < HICCUPS and error.said.lower().rstrip(".").endswith(_BROKEN_OFF):
                self._hiccups += 1
                _log.info("%s/%s: %s", self._namespace, self._name, error.sentence)
                return PACE
            self._tell(EngineFacts(error=error.said))
            return AFTER_REFUSAL
        except SealaneError as error:
            _log.debug("%s/%s: %s", self._namespace, self._name, error.sentence)
            return self._missed(error)

    def _missed(self, error: SealaneError) -> float:
        """One that answered and is out of reach now is told of, but only while its API server answers: what that one
        keeps to itself says nothing of the engine."""
        answered = self.facts.loaded or self.facts.stored or self.facts.silent
        theirs = isinstance(error, EngineUnreachable) and not isinstance(error.__cause__, kube_errors.TooManyRequests)
        if not answered or not theirs or self._cluster.state.state != "live":
            return PACE
        self._misses += MISSES if isinstance(error.__cause__, kube_errors.TimedOut) else 1
        if self._misses < MISSES:
            return PACE
        self._tell(EngineFacts(silent=True))
        return AFTER_SILENCE

    def _pod(self) -> PodView | None:
        obj = self._cluster.get(resources.PODS, self._namespace, self._name)
        if obj is None or obj["metadata"].get("uid") != self._uid or obj["metadata"].get("deletionTimestamp"):
            return None
        found: PodView = view(obj, PodView)
        return found

    async def _step(self, pod: PodView) -> float:
        """Do what the pod's state calls for; returns the seconds until it should be looked at again."""
        phase = _phase(pod)
        if phase != self._phase:
            if not (phase.startswith("pulling") and self._phase.startswith("pulling")):
                self._tell(EngineFacts())
            self._phase = phase
        if phase == "pulling":
            await self._attach()
            return PACE
        if not phase.startswith("ready"):
            return IDLE
        if not self.facts.loaded and not self.facts.stored and not self.facts.silent:
            return await self._load()
        pause = AFTER_SILENCE if self.facts.silent else PACE if self._misses else RECHECK
        rest = self._asked + pause - self._clock.monotonic()
        return rest if rest > 0 else await self._look()

    async def _attach(self) -> None:
        """Follow the pull's bytes until the stream ends, as it does when the init container is done."""
        await self._pace()
        async with contextlib.aclosing(self._engine.pull(self._model, insecure=self._insecure)) as progress:
            async for pull in progress:
                self._tell(EngineFacts(pull=pull))

    async def _load(self) -> float:
        """Bring the model into memory, as the first request would."""
        await self._pace()
        await self._engine.preload(self._model)
        self._hiccups = 0
        self._tell(EngineFacts(loaded=True))
        return RECHECK

    async def _look(self) -> float:
        """Still in memory? Another model may have taken its place; then the first request brings it back."""
        await self._pace()
        held = any(same(each.name, self._model) for each in await self._engine.loaded())
        self._tell(EngineFacts(loaded=held, stored=not held))
        return RECHECK

    async def _pace(self) -> None:
        early = self._asked + PACE - self._clock.monotonic()
        if early > 0:
            await self._clock.sleep(early)
        self._asked = self._clock.monotonic()

    def _tell(self, facts: EngineFacts) -> None:
        if facts != self.facts:
            self.facts = facts
            self._changed()


def _phase(pod: PodView) -> str:
    """`pulling`, `starting`, or `ready` with the engine's restarts, each of which empties its memory."""
    pull, main = pod.container(PULL_CONTAINER), pod.container(ENGINE_CONTAINER)
    if pull is not None and pull.state.running is not None:
        return "pulling"
    if pull is not None and pull.state.terminated is None:
        return "pulling again" if pull.restart_count else "starting"
    return f"ready {main.restart_count if main else 0}" if pod.ready else "starting"
